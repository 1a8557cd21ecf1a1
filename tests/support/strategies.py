"""Random instances for tests and benchmarks: valid, operable, of realistic size, with chosen features.

:func:`random_instance` is plain numpy and reproducible from its generator; :func:`instances` is the
hypothesis strategy over it (it shrinks by dropping features, slots and sites).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from hypothesis import strategies as st

from stepwatt.formulation import SITE_FLOWS, Instance, InstanceArrays, Schedule

#: What an instance may have beyond grid, renewables, PUE cooling and GPUs. "few" has a handful of long
#: jobs per slot, so that integrality matters; "fluid" drops integrality.
FIRST_FEATURES = (
    "deadline",
    "battery",
    "zero_battery",
    "generator",
    "generator_minimum",
    "thermal",
    "demand",
    "dvfs",
    "link",
    "step_price",
    "max_execution",
    "restricted",
    "unserved",
    "negative",
    "export_equal",
    "carbon",
    "terminal_price",
    "zero_gpus",
    "zero_arrivals",
    "few",
    "fluid",
)

#: Drawn last, so that instances without them stay what they were.
LATER_FEATURES = (
    "export_above",
    "metered",
    "peak_so_far",
    "backlog",
    "initially_on",
    "constant",
)
FEATURES = (*FIRST_FEATURES, *LATER_FEATURES)

#: Features that take most of the life out of an instance; drawn less often.
RARE = {"max_execution", "restricted", "unserved", "zero_battery", "zero_gpus", "zero_arrivals"}

SLOT_HOURS = (1.0, 0.5, 1 / 12)
STEPS = (6, 14, 22, 30, 42)
CURVES: tuple[dict[str, Any], ...] = (
    {"kind": "exponential", "ceiling": 0.8, "span": 0.85, "rate": 0.13},
    {"kind": "power", "ceiling": 0.97, "span": 1.6, "rate": 0.75},
    {"kind": "logarithmic", "offset": 0.1, "gain": 0.2},
    {"kind": "sigmoid", "floor": 0.05, "span": 0.85, "rate": 0.22, "midpoint": 13},
    {"kind": "piecewise", "steps": [5, 20, 40], "values": [0.2, 0.7, 0.9]},
    {"kind": "tabulated", "steps": [6, 14, 30, 42], "values": [0.3, 0.62, 0.8, 0.78]},
)


def random_instance(
    rng: np.random.Generator,
    *,
    n_slots: int,
    n_sites: int,
    slot_hours: float = 0.5,
    features: Collection[str] | None = None,
    never: Collection[str] = (),
    gpus: int | None = None,
) -> Instance:
    """An instance that has each of ``features`` somewhere; without ``features``, those that chance picks."""
    sizes = {"n_slots": n_slots, "n_sites": n_sites, "gpus": gpus}
    return Instance.from_dict(
        random_file(rng, slot_hours=slot_hours, features=features, never=never, **sizes)
    )


def random_file(
    rng: np.random.Generator,
    *,
    n_slots: int,
    n_sites: int,
    slot_hours: float = 0.5,
    features: Collection[str] | None = None,
    never: Collection[str] = (),
    gpus: int | None = None,
) -> dict[str, Any]:
    """The content of the instance file of :func:`random_instance`; ``gpus`` per site, by default few.

    ``never``: later features that chance may not pick.
    """
    by_chance = features is None
    if features is None:
        features = [name for name in FIRST_FEATURES if rng.random() < (0.15 if name in RARE else 0.5)]
    chosen = set(features)
    if unknown := chosen - set(FEATURES):
        raise ValueError(f"features {sorted(unknown)}: expected some of {FEATURES}")
    draft = _Draft(rng, n_slots, slot_hours, chosen, gpus)
    file = draft.file(n_sites)
    if by_chance:
        draft.features |= {name for name in LATER_FEATURES if rng.random() < 0.3} - set(never)
    draft.finish(file)
    return file


@st.composite
def instance_files(
    draw: st.DrawFn,
    *,
    max_slots: int = 6,
    max_sites: int = 4,
    always: Collection[str] = (),
    never: Collection[str] = (),
) -> dict[str, Any]:
    """Contents of valid instance files, with every feature of ``always`` and none of ``never``."""
    free = [name for name in FEATURES if name not in always and name not in never]
    chosen = draw(st.sets(st.sampled_from(free))) if free else set()
    return random_file(
        np.random.default_rng(draw(st.integers(0, 2**32 - 1))),
        n_slots=draw(st.integers(1, max_slots)),
        n_sites=draw(st.integers(1, max_sites)),
        slot_hours=draw(st.sampled_from(SLOT_HOURS)),
        features={*chosen, *always},
    )


def instances(
    *,
    max_slots: int = 6,
    max_sites: int = 4,
    always: Collection[str] = (),
    never: Collection[str] = (),
) -> st.SearchStrategy[Instance]:
    """Valid instances; arguments as for :func:`instance_files`."""
    files = instance_files(max_slots=max_slots, max_sites=max_sites, always=always, never=never)
    return files.map(Instance.from_dict)


def random_schedule(rng: np.random.Generator, a: InstanceArrays) -> Schedule:
    """Numbers of plausible size in every array, some of them zero; not meant to be feasible."""
    schedule = Schedule.idle(a)
    for name in ("transfers", "runs", *SITE_FLOWS):
        values = getattr(schedule, name)
        counts = name in ("transfers", "runs", "gpus_on")
        drawn = rng.integers(0, 5, values.shape) if counts and a.integral_jobs else rng.random(values.shape)
        values[...] = drawn * (rng.random(values.shape) < 0.6) * (1 if counts else 0.01)
    return schedule


class _Draft:
    """One instance in the making; ``job_scale`` is how much larger than a picture each job is."""

    def __init__(
        self,
        rng: np.random.Generator,
        n_slots: int,
        slot_hours: float,
        features: set[str],
        gpus: int | None,
    ) -> None:
        self.rng, self.n_slots, self.slot_hours, self.features = rng, n_slots, slot_hours, features
        self.gpus = gpus if gpus is not None else 3 if "few" in features else 12
        self.seconds = 3600 * slot_hours
        self.job_scale = self.seconds / 9 if "few" in features else 1.0
        self.site_mw = self.gpus * 8e-4

    def has(self, feature: str, index: int) -> bool:
        """Whether the index-th thing has the feature: the first one always, the others by chance."""
        return feature in self.features and (index == 0 or bool(self.rng.random() < 0.5))

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def series(self, low: float, high: float) -> list[float]:
        return [float(v) for v in self.rng.uniform(low, high, self.n_slots)]

    def file(self, n_sites: int) -> dict[str, Any]:
        rng = self.rng
        models = {f"m{m}": self.model(m) for m in range(rng.integers(1, 4))}
        placed = list(models)
        classes = {f"k{k}": self.job_class(k, placed) for k in range(rng.integers(1, 4))}
        if "unserved" in self.features:
            models["nowhere"] = self.model(len(models))
            classes["unserved"] = {**self.job_class(1, placed), "models": ["nowhere"]}
        names = [f"s{j}" for j in range(n_sites)]
        file: dict[str, Any] = {
            "schema": "stepwatt.instance/1",
            "name": "random",
            "start": "2024-03-01T00:00:00Z",
            "n_slots": self.n_slots,
            "slot_hours": self.slot_hours,
            "integral_jobs": "fluid" not in self.features,
            "models": models,
            "classes": classes,
            "sites": {name: self.site(j, placed) for j, name in enumerate(names)},
            "transfer_cost": {i: {j: 0.0 if i == j else self.between(0, 0.05) for j in names} for i in names},
        }
        if "carbon" in self.features:
            file["carbon_price"] = self.between(5, 100)
        if "link" in self.features:
            file["link_gb_per_hour"] = self.links(names)
        file["arrivals"] = {
            i: {k: self.arrivals(models, len(classes), n + m) for m, k in enumerate(classes)}
            for n, i in enumerate(names)
        }
        return file

    def finish(self, file: dict[str, Any]) -> None:
        """What later features change of a file."""
        for index, (name, site) in enumerate(file["sites"].items()):
            grid = site["grid"]
            if self.has("export_above", index):
                above = self.rng.random(self.n_slots) < 0.5
                low, high = np.array(grid["import_price"]), np.array(grid["export_price"])
                more = low + self.rng.uniform(0, 40, self.n_slots)
                grid["export_price"] = np.where(above, more, high).tolist()
            if self.has("metered", index):
                grid["demand_charge"] = self.between(5, 50)
                grid["demand_interval_slots"] = int(self.rng.integers(2, 5))
            if self.has("peak_so_far", index):
                grid["peak_so_far_mw"] = self.site_mw * self.between(0.05, 0.5)
            if self.has("constant", index):
                for field in ("import_price", "export_price", "carbon_kg_per_mwh"):
                    grid[field] = grid[field][0]
                site["renewable_mw"] = site["renewable_mw"][0]
            if self.has("initially_on", index) and site.get("generator"):
                site["generator"]["initially_on"] = True
            if "backlog" in self.features:
                waiting = {
                    k: [int(self.rng.integers(0, 4)) for _ in range(rules["deadline_slots"])]
                    for k, rules in file["classes"].items()
                    if self.rng.random() < 0.7
                }
                file.setdefault("backlog", {})[name] = waiting

    def model(self, index: int) -> dict[str, Any]:
        between, scale = self.between, self.job_scale
        quality = {"default": dict(CURVES[self.rng.integers(len(CURVES))])}
        if index != 1:
            quality["k0"] = dict(CURVES[self.rng.integers(len(CURVES))])
        n_steps = int(self.rng.integers(2, len(STEPS) + 1))
        return {
            "quality": quality,
            "steps": sorted(int(s) for s in self.rng.choice(STEPS, n_steps, replace=False)),
            "seconds_fixed": between(0.1, 0.7) * scale,
            "seconds_per_step": between(0.04, 0.24) * scale,
            "joules_fixed": between(20, 60) * scale,
            "joules_per_step": between(20, 150) * scale,
        }

    def job_class(self, index: int, models: list[str]) -> dict[str, Any]:
        between, scale = self.between, self.job_scale
        fields: dict[str, Any] = {
            "base_price": between(0, 1e-4) * scale,
            "quality_price": between(1e-4, 1e-3) * scale,
            "quality_floor": between(0.0, 0.5),
            "deadline_slots": int(self.rng.integers(1, 5)) if self.has("deadline", index) else 0,
            "miss_penalty": between(1e-4, 8e-4) * scale,
            "payload_gb": between(0.0, 0.003) * scale,
        }
        if self.has("step_price", index):
            fields["step_price"] = 2e-6 * scale
        if self.has("max_execution", index):
            fields["max_execution_s"] = between(2, 8) * scale
        if self.has("restricted", index):
            fields["models"] = models[:1]
        return fields

    def arrivals(self, models: dict[str, Any], n_classes: int, index: int) -> list[int] | list[float]:
        if self.has("zero_arrivals", index):
            return [0] * self.n_slots
        typical = np.mean([m["seconds_fixed"] + 20 * m["seconds_per_step"] for m in models.values()])
        room = self.gpus * self.seconds / (typical * n_classes)
        jobs = self.rng.uniform(0.2, 2.0, self.n_slots) * room
        if "fluid" in self.features:
            return [float(n) for n in jobs]
        return [int(n) for n in np.round(jobs)]

    def links(self, names: list[str]) -> dict[str, dict[str, float]]:
        table: dict[str, dict[str, float]] = {}
        for i in names:
            for j in names:
                if i != j and self.rng.random() < 0.6:
                    wide = self.gpus * 3600 / 4 / self.slot_hours * 0.0015
                    table.setdefault(i, {})[j] = float(self.rng.choice([0.0, 0.1 * wide, wide]))
        return table

    def site(self, index: int, models: list[str]) -> dict[str, Any]:
        between, rng = self.between, self.rng
        n_models = int(rng.integers(1, len(models) + 1))
        fields: dict[str, Any] = {
            "gpus": 0 if self.has("zero_gpus", index) else self.gpus,
            "gpu_idle_watts": between(100, 200),
            "models": sorted(str(m) for m in rng.choice(models, n_models, replace=False)),
            "grid": self.grid(index),
            "renewable_mw": self.series(0, 0.6 * self.site_mw),
            "cooling": self.room() if self.has("thermal", index) else self.pue(),
        }
        if rng.random() < 0.7:
            fields["max_utilisation"] = between(0.8, 1.0)
        if self.has("dvfs", index):
            levels = (("base", 1.0, 1.0), ("low", 0.7, 0.75), ("boost", 1.15, 1.25))
            chosen = levels[: rng.integers(2, 4)]
            fields["clocks"] = [{"name": n, "speed": s, "energy": e} for n, s, e in chosen]
        if self.has("battery", index):
            fields["battery"] = self.battery(self.site_mw * between(0.3, 1.0))
        if self.has("zero_battery", index):
            fields["battery"] = self.battery(0.0)
        if self.has("generator", index):
            fields["generator"] = self.generator(index)
        if self.has("terminal_price", index):
            fields["terminal_price"] = between(0, 150)
        return fields

    def grid(self, index: int) -> dict[str, Any]:
        buy = np.array(self.series(30, 160))
        if self.has("negative", index):
            buy[self.rng.integers(self.n_slots)] = -self.between(5, 40)
        sell = buy if self.has("export_equal", index) else buy - np.maximum(0.4 * buy, 1.0)
        return {
            "import_price": buy.tolist(),
            "export_price": sell.tolist(),
            "import_limit_mw": 1.5 * self.site_mw,
            "export_limit_mw": self.site_mw * self.between(0, 0.5),
            "carbon_kg_per_mwh": self.series(50, 700),
            **({"demand_charge": self.between(5, 50)} if self.has("demand", index) else {}),
        }

    def pue(self) -> dict[str, Any]:
        return {"kind": "pue", "pue": self.series(1.05, 1.5)}

    def room(self) -> dict[str, Any]:
        """Cooling can always remove more heat than leaks into a room at ``max_c``: the room is operable."""
        return {
            "kind": "thermal",
            "cop": self.series(2.5, 5.0),
            "max_power_mw": 0.6 * self.site_mw,
            "heat_capacity_mwh_per_c": self.site_mw * self.between(0.2, 0.5),
            "leak_mw_per_c": self.site_mw * 0.006,
            "outside_c": self.series(-5, 32),
            "min_c": 16.0,
            "max_c": 27.0,
            "initial_c": self.between(17, 26),
        }

    def battery(self, energy_mwh: float) -> dict[str, Any]:
        return {
            "energy_mwh": energy_mwh,
            "power_mw": 0.3 * self.site_mw,
            "charge_efficiency": 0.95,
            "discharge_efficiency": 0.94,
            "soc_min": 0.1,
            "soc_max": 0.95,
            "soc_initial": self.between(0.1, 0.95),
            "wear_cost": self.between(0, 12),
        }

    def generator(self, index: int) -> dict[str, Any]:
        return {
            "max_mw": 0.4 * self.site_mw,
            "min_mw": 0.12 * self.site_mw if self.has("generator_minimum", index) else 0.0,
            "fuel_cost": self.between(20, 110),
            "no_load_cost": self.site_mw * self.between(0, 8),
            "startup_cost": self.site_mw * self.between(0, 15),
            "carbon_kg_per_mwh": 500.0,
        }
