"""Decisions slot by slot as the slots come: one JSON line in, one JSON line out, the state in a file.

The instance file holds what is fixed, and for every slot what is expected; a line tells what a slot has
brought. The policy sees the instance as it is known by then: what was told for the slots up to now, what the
file expects for the later ones.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.records import write_json

if TYPE_CHECKING:
    from stepwatt.learning.policies import TrainedPolicy

SCHEMA = "stepwatt.run/1"

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
_STATE = ("energy", "temperature", "waiting", "restart", "peak")


class Run:
    """A policy deciding on one horizon; ``state_file`` (or None) keeps what is needed to go on after a stop.

    Raises:
        InputError: a policy of another family, or a state file of another policy or instance.
    """

    def __init__(self, policy: TrainedPolicy, instance: Instance, state_file: Path | None = None):
        policy.check(instance)
        self.policy, self.state_file = policy, state_file
        self.known: dict[str, Any] = instance.to_dict()
        self.identity = _identity(policy, instance)
        self.slot = 0
        self.utility = 0.0
        self.state: dict[str, Any] | None = None
        if state_file is not None and state_file.exists():
            self._restore(state_file)

    def decide(self, told: dict[str, Any]) -> dict[str, Any]:
        """The decision for the next slot, given what it has brought (a parsed line); keeps the state.

        Raises:
            InputError: another slot than the next, or values that do not fit the instance.
        """
        import torch

        from stepwatt.learning.engines import torch_engine
        from stepwatt.learning.environment import World, make_pool
        from stepwatt.learning.export import schedules
        from stepwatt.learning.plant import PlantState, advance

        begun = time.perf_counter()
        t = self.slot
        if told.get("slot") != t:
            raise InputError(field="slot", value=told.get("slot"), expected=f"{t}, the next one")
        if t >= self.known["n_slots"]:
            raise InputError(field="slot", value=t, expected=f"a slot before {self.known['n_slots']}")
        self._note(told, t)
        instance = Instance.from_dict(self.known)
        a = instance.arrays()
        engine = torch_engine(torch.float64)
        # what the file expects of later slots is the forecast itself
        task = self.policy.task
        ahead = "none" if task.information == "none" else "perfect"
        pool = make_pool([instance], ahead, engine, foresight=task.foresight)
        world = World(pool, engine, task, integral=a.integral_jobs)
        world.t = t
        if self.state is not None:
            world.state = PlantState(**{name: torch.tensor(self.state[name]).double() for name in _STATE})
        problem = world.drawn.problem
        asked = time.perf_counter()
        with torch.no_grad():
            action = self.policy(world.observation())
            request = world.request(action)
        decided = time.perf_counter()
        after, outcome = advance(engine, problem, t, world.state, request, integral=world.integral)
        schedule = schedules([a], problem, [request], [outcome])[0]
        self.state = {name: getattr(after, name).tolist() for name in _STATE}
        self.slot, self.utility = t + 1, self.utility + float(outcome.utility[0])
        decision = {
            "slot": t,
            **_named(a, schedule),
            "lost": float(outcome.lost.sum()),
            "utility": float(outcome.utility[0]),
            "utility_so_far": self.utility,
            "decision_ms": 1e3 * (decided - asked),
        }
        self._keep()
        decision["total_ms"] = 1e3 * (time.perf_counter() - begun)
        return decision

    def _note(self, told: dict[str, Any], t: int) -> None:
        """Write what a slot has brought into the instance."""
        for field, values in told.items():
            if field == "slot":
                continue
            if field != "arrivals" and field not in _SITE_SERIES:
                known = ", ".join(["slot", "arrivals", *_SITE_SERIES])
                raise InputError(field=field, value=values, expected=f"one of {known}")
            if not isinstance(values, dict):
                raise InputError(field=field, value=values, expected="an object by site")
            for site, value in values.items():
                if site not in self.known["sites"]:
                    raise InputError(field=f"{field}.{site}", value=value, expected="a site of the instance")
                if field == "arrivals":
                    self._note_arrivals(site, value, t)
                else:
                    _put(self.known["sites"][site], _SITE_SERIES[field], value, t, f"{field}.{site}")

    def _note_arrivals(self, site: str, value: Any, t: int) -> None:
        if not isinstance(value, dict):
            raise InputError(field=f"arrivals.{site}", value=value, expected="an object by class")
        for name, count in value.items():
            _put(self.known["arrivals"][site], (name,), count, t, f"arrivals.{site}.{name}")

    def _keep(self) -> None:
        if self.state_file is None:
            return
        record = {
            "schema": SCHEMA,
            "identity": self.identity,
            "slot": self.slot,
            "utility": self.utility,
            "state": self.state,
            "known": self.known,
        }
        write_json(self.state_file, record)

    def _restore(self, path: Path) -> None:
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as why:
            raise InputError(
                field="(file)", value=str(why), expected="a readable state file", file=str(path)
            ) from None
        if not isinstance(record, dict) or record.get("schema") != SCHEMA:
            found = record.get("schema") if isinstance(record, dict) else record
            raise InputError(field="schema", value=found, expected=SCHEMA, file=str(path))
        if record["identity"] != self.identity:
            raise InputError(
                field="identity",
                value=record["identity"],
                expected="the state of this policy on this instance (or no file)",
                file=str(path),
            )
        self.slot, self.utility = record["slot"], record["utility"]
        self.state, self.known = record["state"], record["known"]


def run_stream(run: Run, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Decisions for the lines of slots not decided yet; lines of earlier slots are skipped.

    Raises:
        InputError: a line that is no JSON object, or does not fit.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, dict) or type(told.get("slot")) is not int:
            raise InputError(
                field=f"line {number}", value=line.strip()[:80], expected='a JSON object with "slot"'
            )
        if told["slot"] >= run.slot:
            try:
                yield run.decide(told)
            except InputError as defect:
                raise defect.inside(f"line {number}") from None


def _put(record: dict[str, Any], path: tuple[str, ...], value: Any, t: int, field: str) -> None:
    inner: Any = record
    for key in path:
        inner = inner.get(key) if isinstance(inner, dict) else None
    if not isinstance(inner, list):
        raise InputError(field=field, value=value, expected="a series that the instance has")
    inner[t] = value


def _identity(policy: TrainedPolicy, instance: Instance) -> str:
    digest = hashlib.sha256(json.dumps(instance.to_dict(), sort_keys=True).encode())
    for name, values in sorted(policy.network.run_state(0).items()):
        digest.update(name.encode() + values.numpy().tobytes())
    return digest.hexdigest()[:16]


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
