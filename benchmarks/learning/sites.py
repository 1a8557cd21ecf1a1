"""Policies that the sites share, trained on three sites and played on two to six, and on other models.

python -m benchmarks.learning.sites [--seeds 3] [--cells '4 sites'] [--policies flat] [--split validation]
    [--quick] [--docs]

Half-hour days, whole jobs, bound of the fluid model. A policy is trained once per plan and seed, by the
tables below, and kept in the cache; a case is played again when a policy, or the days, change. ``flat`` is
the same clone with the usual view and network, of three sites; ``at home`` has the shared network, and its
training days have the three sites and models of home alone. What was chosen was chosen on validation days.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import stepwatt as sw
from stepwatt.data.catalogue import load_catalogue
from stepwatt.formulation import Instance
from stepwatt.formulation.files import write_text
from stepwatt.learning.policies.trained import TrainedPolicy, load_policy
from stepwatt.learning.training.families import Family
from stepwatt.learning.training.plan import TrainingPlan, read_plan
from stepwatt.learning.training.run import run_plan
from stepwatt.scores.intervals import mean_interval

from .common import PRICED_CLONE, Record, begin, kept, parser
from .days import CACHE

STUDY = "sites"
HOME = "DE,FR,DK"
#: Orders of the three sites: by its place a site has its model, its share of the jobs, and its hours.
ORDERS = (HOME, "FR,DK,DE", "DK,DE,FR", "DE,DK,FR", "FR,DE,DK", "DK,FR,DE")
#: Every so many days of a split.
EVERY = {"test": 6, "validation": 3}
SEEDS = 3

CLONED = {**PRICED_CLONE, "warm_start.updates": 3_000, "warm_start.relabelling": 3}
SHARED = {**CLONED, "task.view": "sites"}
DRAWN = {"family.models": "drawn", "family.regions": list(ORDERS), "family.every": 4}
#: How each policy is trained, as words of ``stepwatt train``.
POLICIES: Mapping[str, Mapping[str, Any]] = {
    "drawn models": {**SHARED, **DRAWN},
    "at home": SHARED,
    "flat": {**CLONED, "agent.hidden": [160, 160]},
}


class Case(NamedTuple):
    """Zones of the sites, and which model's figures each model of the scenario takes."""

    zones: str
    taken: Mapping[str, str] = {}

    @property
    def sites(self) -> list[str]:
        """Names of the sites."""
        return self.zones.split(",")


MODELS = ("SD1.5", "SDXL", "SD3.5")
CASES = {
    "home": Case(HOME),
    "2 sites": Case("DE,FR"),
    "4 sites": Case("DE,FR,DK,NL"),
    "6 sites": Case("DE,FR,DK,NL,AT,CZ"),
    "1 model": Case(HOME, dict.fromkeys(MODELS, "SDXL")),
    "3 other models": Case(HOME, {"SD1.5": "sd-2.1", "SDXL": "pixart-sigma", "SD3.5": "sd-3.5-medium"}),
    "5 sites": Case("DE,FR,DK,NL,AT"),
    "3 other sites": Case("NL,AT,CZ"),
    "2 other sites": Case("DK,NL"),
    "2 models": Case(HOME, {"SD3.5": "SDXL"}),
    "1 small model": Case(HOME, dict.fromkeys(MODELS, "SD1.5")),
}


def instances(case: Case, split: str, every: int) -> list[Instance]:
    """Days of the case, whole jobs."""
    family, figures = Family(regions=(case.zones,), every=every), _figures()
    made = []
    for inst in family.instances(split, integral=True):
        values = inst.to_dict()
        values["models"] = {name: figures[case.taken.get(name, name)] for name in values["models"]}
        made.append(Instance.from_dict(values))
    return made


def _figures() -> dict[str, Any]:
    """The models that a site can be given: the scenario's and the catalogue's, as in an instance's file."""
    book = load_catalogue()
    own = {model.name: model for model in book.jemas_models.values()}
    return {name: model.to_dict() for name, model in {**book.models, **own}.items()}


def plan_of(name: str, seed: int, quick: bool) -> TrainingPlan:
    """How the policy of that name is trained."""
    words = {**POLICIES[name], "seeds": [seed]}
    if quick:
        words |= {"family.every": 60, "warm_start.updates": 200, "warm_start.relabelling": 1}
    return read_plan(None, [f"{key}={json.dumps(value)}" for key, value in words.items()])


def policy(name: str, seed: int, quick: bool) -> TrainedPolicy:
    """The policy of that name and seed, trained where that has not been done."""
    plan = plan_of(name, seed, quick)
    tables = [plan.family.plain(), plan.task.plain(), plan.warm_start.plain(), plan.training.plain()]
    digest = hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()[:16]
    file = CACHE / f"{STUDY}-{name.replace(' ', '-')}-{seed}-{digest}.npz"
    if not file.exists():
        [made] = run_plan(plan)
        made.save(file)
    return load_policy(file)


def reference(days: Sequence[Instance]) -> Record:
    """Bounds and what planners earn (USD), by day."""
    utility = {
        "greedy": [sw.solve(day, "greedy").utility for day in days],
        "foresight": [sw.solve(day, "foresight", forecast="day-ahead").utility for day in days],
    }
    bounds = [sw.solve(day, "lp").bound for day in days]
    return {"days": [day.name for day in days], "bound": bounds, "utility": utility}


def played(days: Sequence[Instance], one: TrainedPolicy) -> Record:
    """What a policy earns (USD), by day, and the largest share of a day's jobs that it misses."""
    judged = [sw.evaluate(day, made) for day, made in zip(days, one.schedules(days), strict=True)]
    if broken := [found.violations for found in judged if not found.feasible]:
        raise RuntimeError(f"a schedule breaks {broken[0]}")
    return {
        "utility": [found.utility for found in judged],
        "missed": max(found.metrics["miss_rate"] for found in judged),
    }


def gaps(record: Record, name: str) -> np.ndarray[Any, Any] | None:
    """(S,N) share of the bound that the runs of a row miss, by day."""
    if name not in record["utility"]:
        return None
    bound = np.array(record["bound"], dtype=float)
    found: np.ndarray[Any, Any] = (bound - np.atleast_2d(record["utility"][name])) / np.abs(bound)
    return found


def table(records: Mapping[str, Record], missed: Mapping[str, float], split: str = "test") -> str:
    """Mean gaps with their intervals over seeds and days; that of ``drawn models`` also as a multiple of
    home's."""
    told = next(iter(records.values()))["utility"]
    rows = [name for name in (*POLICIES, "greedy", "foresight") if name in told]
    first = gaps(records["home"], rows[0]) if "home" in records else None
    lines = [f"| case | {' | '.join(rows)} | of home |", "| --- |" + " --- |" * (len(rows) + 1)]
    for case, record in records.items():
        cells = []
        for name in rows:
            found = gaps(record, name)
            if found is None:
                cells.append("")
                continue
            mean = mean_interval(found, 0)
            cells.append(f"{mean.estimate:.4f} ± {(mean.high - mean.low) / 2:.4f}")
        own = gaps(record, rows[0])
        times = "" if first is None or own is None else f"{own.mean() / first.mean():.2f} x"
        lines.append(f"| {case} | {' | '.join(cells)} | {times} |")
    record, made = next(iter(records.values())), [one["made"] for one in records.values()]
    machines, dates = (sorted({one[what] for one in made}) for what in ("machine", "date"))
    most = 100 * max(missed.values(), default=0.0)
    seeds = 0 if first is None else len(first)
    told = f"{seeds} seed{'s' * (seeds != 1)}"
    lines += [
        "",
        f"{len(record['days'])} {split} days of each case, half-hour slots, whole jobs, {told}; policies "
        f"miss at most {most:.2f} % of a day's jobs. {' and '.join(machines)}; {', '.join(dates)}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Play the cases that are missing."""
    options = parser(__doc__)
    options.add_argument("--policies", nargs="*", default=list(POLICIES), help="only these")
    options.add_argument("--split", choices=sorted(EVERY), default="test", help="days to be judged by")
    options.add_argument("--docs", action="store_true", help="write the table beside the results")
    chosen = options.parse_args()
    if chosen.list:
        print("\n".join(CASES))
        return
    split, seeds = chosen.split, range(chosen.seeds or (1 if chosen.quick else SEEDS))
    folder = begin(STUDY, chosen)
    if split != "test":
        folder /= split
    every = 60 if chosen.quick else EVERY[split]
    cases = {name: case for name, case in CASES.items() if not chosen.cells or name in chosen.cells}
    plans = {name: {"case": [case.zones, dict(case.taken)], "every": every} for name, case in cases.items()}
    known = {}
    for name, case in cases.items():
        known[name] = kept(
            folder / "reference",
            name.replace(" ", "-"),
            plans[name],
            lambda case=case: reference(instances(case, split, every)),  # type: ignore[misc]
        )
    missed: dict[str, float] = {}
    for name, seed in itertools.product(chosen.policies, seeds):
        one = policy(name, seed, chosen.quick)
        digest = hashlib.sha256(one.fingerprint()).hexdigest()[:16]
        for place, case in cases.items():
            if one.family.get("sites", len(case.sites)) != len(case.sites):
                continue
            found = kept(
                folder / name.replace(" ", "-"),
                f"{place.replace(' ', '-')}-{seed}",
                {"policy": digest, **plans[place]},
                lambda case=case, one=one: played(instances(case, split, every), one),  # type: ignore[misc]
            )
            known[place]["utility"].setdefault(name, []).append(found["utility"])
            missed[name] = max(missed.get(name, 0.0), found["missed"])
    told = table(known, missed, split)
    print(told)
    if chosen.docs:
        write_text(Path(folder) / "table.md", told)


if __name__ == "__main__":
    main()
