"""Decisions slot by slot as the slots come: one JSON line in, one JSON line out, the state in a file.

The instance file holds what is fixed, and for every slot what is expected; a line tells what a slot has
brought. The policy sees the instance as it is known by then: what was told for the slots up to now, what the
file expects for the later ones. Where it foresees prices, they are planned and planned again as
:class:`~stepwatt.learning.environment.world.World` does, the file being the forecast.
"""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.records import LARGEST, MISSING, parse_json
from stepwatt.formulation.schedule.evaluate import TOLERANCE

from .state_file import Kept, StateFile, check

if TYPE_CHECKING:
    from stepwatt.formulation.plant.engine import Engine
    from stepwatt.formulation.plant.state import PlantState
    from stepwatt.learning.codecs import Codec
    from stepwatt.learning.environment.task import TaskSettings
    from stepwatt.learning.environment.world import Pool
    from stepwatt.learning.policies.trained import TrainedPolicy
    from stepwatt.solvers.planners.foresight.foresight import Foresight
    from stepwatt.solvers.planners.foresight.planner import ForesightPolicy
    from stepwatt.solvers.planners.foresight.renewal import Beliefs

#: What a line may tell of a slot: field → where it lies in the instance file, per site.
_SITE_SERIES: dict[str, tuple[str, ...]] = {
    "import_price": ("grid", "import_price"),
    "export_price": ("grid", "export_price"),
    "carbon_kg_per_mwh": ("grid", "carbon_kg_per_mwh"),
    "renewable_mw": ("renewable_mw",),
    "outside_c": ("cooling", "outside_c"),
    "cop": ("cooling", "cop"),
    "pue": ("cooling", "pue"),
}
_STATE = ("energy", "temperature", "waiting", "restart", "peak", "metered")

#: Letters of decisions that are kept to be told again: what a pipe and its reader hold unread, and more.
_UNREAD = 2**17


class Run:
    """A policy deciding on one horizon; ``state_file`` (or None) keeps what is needed to go on after a stop.

    ``why``: decisions say why, by site. The file is locked until :meth:`close`.

    Raises:
        InputError: a policy of another family, or without prices for ``why``; a state file of another policy
            or instance, one with what cannot be, one that cannot be written or that another process runs on.
    """

    def __init__(
        self,
        policy: TrainedPolicy | ForesightPolicy,
        instance: Instance,
        state_file: Path | None = None,
        *,
        why: bool = False,
    ):
        policy.check(instance)
        self.policy, self._why = policy, why
        if why and _task_of(policy, instance).codec != "priced":
            raise InputError(field="--why", value="this policy", expected="a policy that says prices")
        self._file, self.known = instance.to_dict(), instance.to_dict()
        self.identity = _identity(policy, instance)
        self._kept = Kept()
        self._ahead: tuple[Foresight, Beliefs, int] | None = None
        self._state_file = None if state_file is None else StateFile(state_file)
        if self._state_file is not None:
            try:
                self._kept = self._state_file.read(self.identity, self._note_kept) or self._kept
            except InputError:
                self.close()
                raise

    @property
    def slot(self) -> int:
        """The next slot."""
        return len(self._kept.told)

    @property
    def utility(self) -> float:
        """USD, of the slots so far."""
        return self._kept.utility

    def close(self) -> None:
        """Let others have the state file."""
        if self._state_file is not None:
            self._state_file.close()

    def decided(self, slot: int) -> dict[str, Any] | None:
        """The decision of an earlier slot, if it is one of the last: it may never have been read."""
        return next((kept for kept in self._kept.decisions if kept["slot"] == slot), None)

    def warm(self, progress: Callable[[str], object]) -> None:
        """Compile what the first decision would have to; ``progress`` is told if that takes seconds."""
        from stepwatt.solvers.planners.foresight import compiling

        instance = Instance.from_dict(self._file)
        if _task_of(self.policy, instance).codec == "priced":
            limited = bool(np.isfinite(instance.arrays().link_gb_per_hour).any())
            compiling.warm(progress, general=limited)

    def decide(self, told: dict[str, Any]) -> dict[str, Any]:
        """The decision for the next slot, given what it has brought (a parsed line); keeps the state.

        Raises:
            InputError: another slot than the next, or values that do not fit the instance.
        """
        from stepwatt.formulation.plant.engine import numpy_engine
        from stepwatt.formulation.plant.schedules import schedules
        from stepwatt.learning.environment.world import World

        begun = time.perf_counter()
        t = self.slot
        if told.get("slot") != t:
            raise InputError(field="slot", value=told.get("slot"), expected=f"{t}, the next one")
        if t >= self.known["n_slots"]:
            raise InputError(field="slot", value=t, expected=f"a slot before {self.known['n_slots']}")
        instance = self._told(told)
        a, asked = instance.arrays(), time.perf_counter()
        task, engine = _task_of(self.policy, instance), numpy_engine()
        pool, planned = self._pool(instance, task, told, engine)
        world = World(pool, engine, task, integral=a.integral_jobs)
        world.t, world.planned = t, planned
        kept = self._kept
        if kept.state is not None:
            world.state = _state(kept.state, engine)
        world.earned, world.always = world.earned + kept.utility, world.always & kept.met
        before, problem = world.state, world.drawn.problem
        request = world.request(self.policy(world.observation()))
        decided = time.perf_counter()
        outcome = world.carry_out(request)
        schedule = schedules([a], problem, [request], [outcome])[0]
        if world.planned != planned:
            kept.renewals.append((world.planned, _plain(before)))
        drawn = world.drawn
        if drawn.foresight is not None and drawn.beliefs is not None:
            self._ahead = drawn.foresight, drawn.beliefs, world.planned
        kept.told.append(told)
        kept.state = _plain(world.state)
        kept.met = bool(world.always[0])
        kept.utility += float(outcome.utility[0])
        decision = {
            "slot": t,
            **_named(a, schedule),
            **_certified(a, world.codec),
            "lost": float(outcome.lost.sum()),
            "utility": float(outcome.utility[0]),
            "utility_so_far": kept.utility,
            **_broken(a, world.state),
            **(_reasons(instance, a, problem, world.codec) if self._why else {}),
            "decision_ms": 1e3 * (decided - asked),
            "total_ms": 1e3 * (time.perf_counter() - begun),
        }
        kept.decisions.append(decision)
        if self._state_file is not None:
            _forget(kept.decisions)
            self._state_file.write(self.identity, kept)
            decision["total_ms"] = 1e3 * (time.perf_counter() - begun)
        return decision

    def _told(self, told: dict[str, Any]) -> Instance:
        """The instance as it is known with what a line says; of a line that does not fit nothing stays."""
        try:
            _note(self.known, told, self.slot)
            return Instance.from_dict(self.known)
        except InputError:
            self.known = copy.deepcopy(self._file)
            for t, before in enumerate(self._kept.told):
                _note(self.known, before, t)
            raise

    def _pool(
        self, instance: Instance, task: TaskSettings, told: dict[str, Any], engine: Engine
    ) -> tuple[Pool, int]:
        """What is known, and foreseen, in the slot of which that was told; and the slot of the last plan."""
        from stepwatt.learning.environment.world import make_pool

        # what the file expects of later slots is the forecast itself
        known = "none" if task.information == "none" else "perfect"
        pool = make_pool(
            [instance], known, engine, view=task.view, past_hours=task.past_hours, slot=self.slot
        )
        if not task.foresight:
            return pool, 0
        if self._ahead is None:
            self._ahead = self._foresee([*self._kept.told, told])
        foresight, beliefs, planned = self._ahead
        return replace(pool, foresight=foresight, beliefs=beliefs), planned

    def _foresee(self, lines: list[dict[str, Any]]) -> tuple[Foresight, Beliefs, int]:
        """The plans so far, made once more: nothing of them is kept but when, and from which state."""
        from stepwatt.formulation.plant.engine import numpy_engine
        from stepwatt.formulation.plant.stacking import stack
        from stepwatt.solvers.planners.foresight.expected import expected_of
        from stepwatt.solvers.planners.foresight.foresight import foreseen
        from stepwatt.solvers.planners.foresight.renewal import Beliefs, persistence_of

        known, planned = copy.deepcopy(self._file), 0
        _note(known, lines[0], 0)
        first = Instance.from_dict(known)
        information = _task_of(self.policy, first).information
        beliefs = Beliefs(expected_of([first.arrays()]), persistence_of(information))
        ahead = foreseen(stack([first.arrays()], numpy_engine()), beliefs.expected)
        for slot, state in self._kept.renewals:
            for t in range(planned + 1, slot + 1):
                _note(known, lines[t], t)
            problem = stack([Instance.from_dict(known).arrays()], numpy_engine())
            ahead = beliefs.renewed(problem, ahead, slot, _state(state, numpy_engine()))
            planned = slot
        return ahead, beliefs, planned

    def _note_kept(self, kept: Kept) -> None:
        """Write what earlier slots have brought into the instance, and see that the rest goes with it."""
        known = self.known
        if len(kept.told) > known["n_slots"]:
            expected = f"at most {known['n_slots']} slots, as the instance has"
            raise InputError(field="told", value=f"{len(kept.told)} slots", expected=expected)
        for t, told in enumerate(kept.told):
            try:
                if told.get("slot") != t:
                    raise InputError(field="slot", value=told.get("slot", MISSING), expected=f"{t}")
                _note(known, told, t)
            except InputError as defect:
                raise defect.inside(f"told[{t}]") from None
        try:
            instance = Instance.from_dict(known)
        except InputError as defect:
            raise defect.inside("told") from None
        check(kept, instance.arrays(), _STATE)


def run_stream(run: Run, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Decisions for the lines of slots.

    A slot that was decided before is not decided again: where its decision may not have been read, it is
    given once more, else the line is skipped. So a reader who drops what it has by slot misses none.

    Raises:
        InputError: a line that is no JSON object, or does not fit.
    """
    for number, line in enumerate(_readable(lines), 1):
        if not line.strip():
            continue
        field = f"line {number}"
        try:
            told = parse_json(line, field)
        except InputError as defect:
            raise (defect if defect.field == field else defect.inside(field)) from None
        if not isinstance(told, dict) or type(told.get("slot")) is not int or told["slot"] < 0:
            raise InputError(field=field, value=line.strip()[:80], expected='a JSON object with "slot"')
        if told["slot"] < run.slot:
            kept = run.decided(told["slot"])
            if kept is not None:
                yield kept
            continue
        try:
            decision = run.decide(told)
        except InputError as defect:
            raise (defect if defect.file else defect.inside(field)) from None
        yield decision


def _readable(lines: Iterable[str]) -> Iterator[str]:
    number = 0
    try:
        for line in lines:
            number += 1
            yield line if number > 1 else line.removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise InputError(field=f"line {number + 1}", value=str(error), expected="UTF-8 text") from None


def _forget(decisions: list[dict[str, Any]]) -> None:
    """Keep the last ones, at least one."""
    room = _UNREAD
    for number, decision in enumerate(reversed(decisions)):
        room -= len(json.dumps(decision))
        if room < 0 and number:
            del decisions[: len(decisions) - number]
            return


def _note(known: dict[str, Any], told: dict[str, Any], t: int) -> None:
    """Write what a slot has brought into the instance."""
    for field, values in told.items():
        if field == "slot":
            continue
        if field != "arrivals" and field not in _SITE_SERIES:
            names = ", ".join(["slot", "arrivals", *_SITE_SERIES])
            raise InputError(field=field, value=values, expected=f"one of {names}")
        if not isinstance(values, dict):
            raise InputError(field=field, value=values, expected="an object by site")
        for site, value in values.items():
            if site not in known["sites"]:
                raise InputError(field=f"{field}.{site}", value=value, expected="a site of the instance")
            if field == "arrivals":
                _note_arrivals(known, site, value, t)
            else:
                _put(known["sites"][site], _SITE_SERIES[field], value, t, f"{field}.{site}", known["n_slots"])


def _note_arrivals(known: dict[str, Any], site: str, value: Any, t: int) -> None:
    if not isinstance(value, dict):
        raise InputError(field=f"arrivals.{site}", value=value, expected="an object by class")
    for name, count in value.items():
        _put(known["arrivals"][site], (name,), count, t, f"arrivals.{site}.{name}", known["n_slots"])


def _put(record: dict[str, Any], path: tuple[str, ...], value: Any, t: int, field: str, n_slots: int) -> None:
    outer: Any = record
    *above, name = path
    for key in above:
        outer = outer.get(key)
    if not isinstance(outer, dict) or name not in outer:
        raise InputError(field=field, value=value, expected="a series that the instance has")
    if type(value) not in (int, float) or not -LARGEST <= value <= LARGEST:
        expected = f"a finite number, at most {LARGEST:g} in size"
        raise InputError(field=field, value=value, expected=expected)
    if not isinstance(outer[name], list):  # one number, which held in every slot so far
        outer[name] = [outer[name]] * n_slots
    outer[name][t] = value


def _task_of(policy: TrainedPolicy | ForesightPolicy, instance: Instance) -> TaskSettings:
    from stepwatt.learning.environment.world import task_of
    from stepwatt.solvers.planners.foresight.planner import ForesightPolicy

    return task_of(policy, instance) if isinstance(policy, ForesightPolicy) else policy.task_of(instance)


def _identity(policy: TrainedPolicy | ForesightPolicy, instance: Instance) -> str:
    digest = hashlib.sha256(json.dumps(instance.to_dict(), sort_keys=True).encode())
    digest.update(policy.fingerprint())
    return digest.hexdigest()[:16]


def _plain(state: PlantState) -> dict[str, Any]:
    return {name: getattr(state, name).tolist() for name in _STATE}


def _state(plain: dict[str, Any], engine: Engine) -> PlantState:
    from stepwatt.formulation.plant.state import PlantState

    return PlantState(**{name: engine.asarray(np.array(plain[name], dtype=float)) for name in _STATE})


def _certified(a: Any, codec: Codec) -> dict[str, Any]:
    """Of policies that say prices: what the decision, and what it leaves, is worth at them, and what no
    decision is worth more than; and the slot's own prices."""
    plan = getattr(codec, "last", None)
    if plan is None:
        return {}

    def by_site(values: Any) -> dict[str, float]:
        return dict(zip(a.sites, values[0].tolist(), strict=True))

    return {
        "certificate": {
            "worth": float(plan.objective[0]),
            "bound": float(plan.bound[0]),
            "gap": float(plan.gap[0]),
        },
        "prices": {"power": by_site(plan.power), "gpu_time": by_site(plan.gpu_time)},
    }


def _broken(a: Any, after: PlantState) -> dict[str, Any]:
    """The one constraint that no request can be cut to keep: rooms above their limit, °C by site."""
    above = np.asarray(after.temperature[0], dtype=float) - a.max_c
    hot = np.flatnonzero(a.thermal & (above > TOLERANCE))
    return {"violations": {"temperature": {a.sites[j]: float(above[j]) for j in hot}}} if hot.size else {}


def _reasons(instance: Instance, a: Any, problem: Any, codec: Codec) -> dict[str, Any]:
    """Of policies that say prices: why, by site."""
    from .worth.slot_reasons import slot_reasons

    plan = getattr(codec, "last", None)
    return {} if plan is None else {"why": slot_reasons(a, problem, plan, instance.currency)}


def _named(a: Any, schedule: Any) -> dict[str, Any]:
    """Transfers, runs and site flows of a one-slot schedule in the instance's names."""
    from stepwatt.formulation import SITE_FLOWS

    o = a.options
    return {
        "transfers": [
            [a.sites[i], a.sites[j], a.classes[k], float(schedule.transfers[i, j, k, 0])]
            for i, j, k in zip(*np.nonzero(schedule.transfers[..., 0]), strict=True)
        ],
        "runs": [
            [
                a.sites[o.site[row]],
                a.classes[o.job_class[row]],
                a.models[o.model[row]],
                int(o.steps[row]),
                a.clocks[o.site[row]][o.clock[row]],
                float(schedule.runs[row, 0]),
            ]
            for row in np.flatnonzero(schedule.runs[:, 0])
        ],
        "sites": {
            name: {flow: float(getattr(schedule, flow)[j, 0]) for flow in SITE_FLOWS}
            for j, name in enumerate(a.sites)
        },
    }
