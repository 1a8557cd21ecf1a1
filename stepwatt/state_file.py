"""The file that keeps the state of a run: locked while in use, checked number by number when it is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from stepwatt.formulation import InputError
from stepwatt.formulation.files import locked, make_room, write_text
from stepwatt.formulation.instance.arrays import InstanceArrays
from stepwatt.formulation.records import LARGEST, MISSING, Computed, Record, about, as_input_error, read_json

Floats = NDArray[np.float64]
State = dict[str, Any]

SCHEMA = "stepwatt.run/2"

#: Numbers that were computed may pass a limit by so much of it.
_ROUNDING = 1e-6


@dataclass
class Kept:
    """All that it takes to go on: the lines told, and what came of them.

    ``state`` is the plant's before the next slot, None before the first one; ``met`` whether every slot so
    far met the goal that the policy was trained for; ``renewals`` says when foresight was planned again, and
    from which state; ``decisions`` are the last ones, which may not have been read.
    """

    utility: float = 0.0
    state: State | None = None
    told: list[dict[str, Any]] = field(default_factory=list)
    renewals: list[tuple[int, State]] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    met: bool = True


class RunFile(Record):
    """The state of a run, slot by slot."""

    schema_: Annotated[Literal["stepwatt.run/2"], about("format and version")] = Field(alias="schema")
    identity: Annotated[str, about("of the policy and the instance")]
    utility: Annotated[Computed, about("of the slots so far", "USD")]
    state: Annotated[dict[str, Any] | None, about("of the plant before the next slot; none before the first")]
    told: Annotated[list[dict[str, Any]], about("the lines told, a slot each")]
    renewals: Annotated[
        list[Annotated[list[Any], Field(min_length=2, max_length=2)]],
        about("[slot, state] whenever foresight planned again"),
    ]
    # files of before decisions were kept have neither these nor a checksum
    decisions: Annotated[list[dict[str, Any]], about("the last ones, which nobody may have read yet")] = (
        Field(default_factory=list)
    )
    # files of before this was kept are read as if no slot had failed
    met: Annotated[bool, about("whether every slot so far met the goal of training")] = True
    checksum: Annotated[str | None, about("of the content")] = None


class StateFile:
    """The file, locked until :meth:`close`.

    Raises:
        InputError: the place cannot be written, or another process runs on it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        make_room(path)
        self._lock = locked(path)

    def close(self) -> None:
        """Let others have the file."""
        self._lock.release()

    def read(self, identity: str, check: Callable[[Kept], None]) -> Kept | None:
        """What was kept of the same policy on the same instance; None where there is no file yet.

        Args:
            identity: of the policy and the instance.
            check: raises InputError for what cannot be; comes before the checksum, as it says more.

        Raises:
            InputError: which names file, field, value and what was expected.
        """
        if not self.path.exists():
            return None
        data = read_json(self.path)
        try:
            kept = _kept(data, identity)
            said = data.pop("checksum", None)
            found = _checksum(json.dumps(data))
            check(kept)
            if said is None and kept.decisions:
                expected = "that of the content, as every file with decisions has"
                raise InputError(field="checksum", value=MISSING, expected=expected)
            if said not in (None, found):
                expected = "that of the content, which was changed or damaged"
                raise InputError(field="checksum", value=said, expected=expected)
        except InputError as defect:
            raise defect.in_file(str(self.path)) from None
        return kept

    def write(self, identity: str, kept: Kept) -> None:
        """Keep; an interrupted write leaves what was kept before.

        Raises:
            InputError: the place cannot be written.
        """
        content = json.dumps({"schema": SCHEMA, "identity": identity, **vars(kept)}, allow_nan=False)
        write_text(self.path, f'{content[:-1]}, "checksum": "{_checksum(content)}"}}\n')


def _kept(data: Any, identity: str) -> Kept:
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema", MISSING) if isinstance(data, dict) else data
        raise InputError(field="schema", value=found, expected=SCHEMA)
    try:
        file = RunFile.model_validate(data)
    except ValidationError as error:
        raise as_input_error(error, data) from None
    if file.identity != identity:
        expected = "the state of this policy on this instance (or no file)"
        raise InputError(field="identity", value=file.identity, expected=expected)
    renewals = [(slot, state) for slot, state in file.renewals]
    return Kept(file.utility, file.state, file.told, renewals, file.decisions, file.met)


def _checksum(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def check(kept: Kept, a: InstanceArrays, names: tuple[str, ...]) -> None:
    """Refuse numbers that no run on the instance can have come to; ``a`` holds what the slots have brought.

    Args:
        kept: as read, its lines noted in ``a``.
        a: the instance as it is known.
        names: of the plant's state.

    Raises:
        InputError: which names the field.
    """
    slots = len(kept.told)
    if (kept.state is None) != (slots == 0):
        expected = "null before the first slot" if slots == 0 else "the state after the slots told"
        raise InputError(field="state", value=kept.state, expected=expected)
    if kept.state is not None:
        _check_state(kept.state, a, slots, names, "state")
    last = 0
    for number, (slot, state) in enumerate(kept.renewals):
        at = f"renewals[{number}]"
        if type(slot) is not int or not last < slot < max(slots, 1):
            raise InputError(field=f"{at}[0]", value=slot, expected=f"a slot after {last}, before {slots}")
        _check_state(state, a, slot, names, f"{at}[1]")
        last = slot
    for number, decision in enumerate(kept.decisions):
        slot = slots - len(kept.decisions) + number
        if slot < 0 or decision.get("slot") != slot:
            at = f"decisions[{number}].slot"
            raise InputError(field=at, value=decision.get("slot", MISSING), expected=f"slot {slot}")
    low, high = _money(a, slots)
    if not low <= kept.utility <= high:
        expected = f"what {slots} slots of the instance can be worth, {low:.6g} to {high:.6g}"
        raise InputError(field="utility", value=kept.utility, expected=expected)


def _check_state(state: Any, a: InstanceArrays, slots: int, names: tuple[str, ...], at: str) -> None:
    if not isinstance(state, dict):
        raise InputError(field=at, value=state, expected="an object {…}")
    for name in state:
        if name not in names:
            raise InputError(field=f"{at}.{name}", value=state[name], expected="no field of this name")
    limits = _limits(a, slots)
    if not a.meters.any():
        state.setdefault("metered", [[0.0] * len(a.sites)])  # files of before meters lack it
    for name in names:
        if name not in state:
            raise InputError(field=f"{at}.{name}", value=MISSING, expected="this field")
        shape = (1, len(a.sites), len(a.classes)) if name == "waiting" else (1, len(a.sites))
        low, high = limits.get(name, (-LARGEST, LARGEST))
        _check_numbers(state[name], np.broadcast_to(low, shape), np.broadcast_to(high, shape), f"{at}.{name}")


def _check_numbers(values: Any, low: Floats, high: Floats, at: str) -> None:
    if low.ndim == 0:
        # Python's own numbers: those of numpy cannot be held against integers of any size
        least, most = float(low), float(high)
        slack = _ROUNDING * max(1.0, abs(least), abs(most))
        if type(values) not in (int, float) or not least - slack <= values <= most + slack:
            raise InputError(field=at, value=values, expected=f"a number from {least:g} to {most:g}")
        return
    if not isinstance(values, list) or len(values) != len(low):
        raise InputError(field=at, value=values, expected=f"a list of {len(low)}")
    for number, value in enumerate(values):
        _check_numbers(value, low[number], high[number], f"{at}[{number}]")


def _limits(a: InstanceArrays, slots: int) -> Mapping[str, tuple[Any, Any]]:
    """What the plant's state can be after so many slots, as far as the instance says."""
    warmest = np.maximum(np.maximum(a.max_c, a.state.temperature_c), a.outside_c.max(axis=1))
    heating = a.slot_hours / a.heat_capacity * a.most_it_mw * slots
    coldest = np.minimum(a.min_c, a.state.temperature_c)
    return {
        "energy": (a.energy_min_mwh, a.energy_max_mwh),
        "temperature": (
            np.where(a.thermal, coldest, -LARGEST),
            np.where(a.thermal, warmest + heating, LARGEST),
        ),
        "waiting": (0.0, a.waiting_limit()[:, :, slots - 1]),
        "restart": (0.0, a.startup_cost),
        "peak": (0.0, np.maximum(a.import_limit_mw, a.state.peak_mw)),
        "metered": (0.0, a.import_limit_mw),
    }


def _money(a: InstanceArrays, slots: int) -> tuple[float, float]:
    """The least and the most that so many slots can be worth: everything goes wrong, or nothing costs."""
    jobs = a.arrivals[:, :, :slots].sum(axis=(0, 2)) + a.state.backlog.sum(axis=(0, 2))
    paid = np.zeros((2, len(a.classes)))
    np.minimum.at(paid[0], a.options.job_class, a.options.revenue)
    np.maximum.at(paid[1], a.options.job_class, a.options.revenue)
    buy, sell = a.import_cost[:, :slots], a.export_price[:, :slots]
    most, least = (a.import_limit_mw @ side(buy, 0.0).sum(axis=1) for side in (np.maximum, np.minimum))
    gain, loss = (a.export_limit_mw @ side(sell, 0.0).sum(axis=1) for side in (np.maximum, np.minimum))
    plant = a.wear_cost @ a.battery_power_mw + a.generator_cost @ a.generator_max_mw + a.no_load_cost.sum()
    once = a.demand_charge @ a.import_limit_mw + a.terminal_price @ a.energy_max_mwh
    room = _limits(a, slots)["temperature"][1] - a.temperature_reference_c
    once += a.terminal_heat_price @ np.where(a.thermal, np.maximum(room, 0.0), 0.0)
    moved = jobs @ (a.miss_penalty + a.payload_gb * a.transfer_cost.max(initial=0.0))
    low = paid[0] @ jobs - moved - a.slot_hours * (most - loss + slots * plant) - once
    high = paid[1] @ jobs + a.slot_hours * (gain - least)
    slack = _ROUNDING * (1 + abs(low) + abs(high)) + slots * float(a.startup_cost.sum())
    return float(low - slack), float(high + slack)
