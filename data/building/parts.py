"""What an instance is built from: the records of the file with defaults, series for lists, names for figures.

Field names, units and meanings are those of the instance file (docs/fields.md). Where the file counts in
slots, a part counts in minutes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import BeforeValidator, ConfigDict, Field

from stepwatt.formulation import InputError
from stepwatt.formulation.errors import one_of
from stepwatt.formulation.instance import components
from stepwatt.formulation.instance.components import Clock
from stepwatt.formulation.instance.curves import Curve
from stepwatt.formulation.records import (
    Capacity,
    Efficiency,
    Factor,
    Finite,
    Name,
    NonNegative,
    Positive,
    Record,
    SettingsRecord,
    Share,
    about,
    defect,
)

from ..catalogue import load_catalogue
from .slots import Slots

__all__ = ["Battery", "Clock", "Cooling", "Generator", "Gpus", "Grid", "JobClass", "Model", "Part", "Site"]


def _profile(value: Any) -> Any:
    """A number, numbers, or a series; nothing else."""
    if isinstance(value, pd.Series) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    if isinstance(value, np.number):
        return value.item()
    if isinstance(value, np.ma.MaskedArray):  # what is masked is none
        value = np.ma.filled(value.astype(float), np.nan)
    if isinstance(value, np.ndarray | list | tuple):
        array = np.asarray(value)
        if array.ndim == 1 and array.dtype.kind in "iuf":
            return array
    raise defect((), value, "a number, numbers one a slot, or a pandas Series")


#: One number for every slot, numbers one a slot, or a pandas Series whose index has a time zone.
Profile = Annotated[Any, BeforeValidator(_profile)]


def like(record: type[Record], name: str, *default: Any) -> Any:
    """A field with the unit and the meaning of a record's, and a default of its own (or none)."""
    info = record.model_fields[name]
    extra: Any = info.json_schema_extra
    return Field(*(default or (...,)), description=info.description, json_schema_extra=extra)


class Part(SettingsRecord):
    """A part of an instance; whatever does not fit is an InputError."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    def content(self, slots: Slots, path: str) -> dict[str, Any]:
        """What the instance file has of it, with series laid on the slots; ``path`` is told in errors."""
        found = {}
        for name, info in type(self).model_fields.items():
            value = getattr(self, name)
            extra = info.json_schema_extra
            unit = str(extra.get("unit", "1")) if isinstance(extra, dict) else "1"
            if isinstance(value, pd.Series | np.ndarray):
                value = slots.lay(value, f"{path}.{name}", unit)
            if value is not None:
                found[name] = value
        return found


class Battery(Part):
    """Storage. Efficiencies and limits by default those of REopt (see ``python -m stepwatt.data``)."""

    energy_mwh: NonNegative = like(components.Battery, "energy_mwh")
    power_mw: Capacity = like(components.Battery, "power_mw")
    wear_cost: NonNegative = like(components.Battery, "wear_cost")
    charge_efficiency: Efficiency = like(components.Battery, "charge_efficiency", 0.948)
    discharge_efficiency: Efficiency = like(components.Battery, "discharge_efficiency", 0.948)
    soc_min: Share = like(components.Battery, "soc_min", 0.2)
    soc_max: Share = like(components.Battery, "soc_max", 1.0)
    soc_initial: Share = like(components.Battery, "soc_initial", 0.5)


class Generator(Part):
    """A dispatchable generator."""

    max_mw: Capacity = like(components.Generator, "max_mw")
    fuel_cost: NonNegative = like(components.Generator, "fuel_cost")
    min_mw: Capacity = like(components.Generator, "min_mw", 0.0)
    no_load_cost: NonNegative = like(components.Generator, "no_load_cost", 0.0)
    startup_cost: NonNegative = like(components.Generator, "startup_cost", 0.0)
    carbon_kg_per_mwh: NonNegative = like(components.Generator, "carbon_kg_per_mwh", 0.0)
    initially_on: bool = like(components.Generator, "initially_on", False)


class Grid(Part):
    """The grid connection. Without an export price nothing is fed in."""

    import_price: Profile = like(components.Grid, "import_price")
    import_limit_mw: Capacity = like(components.Grid, "import_limit_mw")
    export_price: Profile | None = like(components.Grid, "export_price", None)
    export_limit_mw: Annotated[
        Capacity | None, about("of the connection; none: the import limit, where there is a price", "MW")
    ] = None
    carbon_kg_per_mwh: Profile = like(components.Grid, "carbon_kg_per_mwh", 0.0)
    demand_charge: NonNegative = like(components.Grid, "demand_charge", 0.0)
    demand_interval_minutes: Annotated[
        Positive | None, about("time over which the meter averages; none: a slot", "min")
    ] = None
    peak_so_far_mw: Capacity = like(components.Grid, "peak_so_far_mw", 0.0)

    def content(self, slots: Slots, path: str) -> dict[str, Any]:
        """As for every part."""
        found = super().content(slots, path)
        minutes = found.pop("demand_interval_minutes", None)
        if minutes is not None:
            count = slots.whole(minutes, f"{path}.demand_interval_minutes")
            if count < 1 or count * slots.hours * 60 != minutes:
                expected = f"a multiple of the slot's {slots.hours * 60:g} minutes"
                name = f"{path}.demand_interval_minutes"
                raise InputError(field=name, value=minutes, expected=expected)
            found["demand_interval_slots"] = count
        if self.export_price is None:
            return found | {"export_price": 0.0, "export_limit_mw": 0.0}
        return {"export_limit_mw": self.import_limit_mw, **found}


class Cooling(Part):
    """A known ``pue``, or a room that stores heat: with ``outside_c``, and what else is known of the plant.

    What is not said of a room is that of the scenario "jemas", in proportion to the GPUs
    (``python -m stepwatt.data``, group ``constant``): coefficient of performance by outside temperature,
    greatest power, heat capacity, leak, 18 to 27 °C, 23 °C at the start.
    """

    pue: Annotated[Profile | None, about("power usage effectiveness; none: a room that stores heat", "1")] = (
        None
    )
    outside_c: Profile | None = like(components.ThermalCooling, "outside_c", None)
    cop: Profile | None = like(components.ThermalCooling, "cop", None)
    max_power_mw: Capacity | None = like(components.ThermalCooling, "max_power_mw", None)
    heat_capacity_mwh_per_c: Positive | None = like(
        components.ThermalCooling, "heat_capacity_mwh_per_c", None
    )
    leak_mw_per_c: NonNegative | None = like(components.ThermalCooling, "leak_mw_per_c", None)
    min_c: Finite | None = like(components.ThermalCooling, "min_c", None)
    max_c: Finite | None = like(components.ThermalCooling, "max_c", None)
    initial_c: Finite | None = like(components.ThermalCooling, "initial_c", None)

    def of(self, gpus: int, slots: Slots, path: str) -> dict[str, Any]:
        """What the instance file has of it at a site of so many GPUs.

        Raises:
            InputError: both a PUE and a room, or neither.
        """
        found = self.content(slots, path)
        if self.pue is not None:
            others = [name for name in found if name != "pue"]
            if others:
                expected = "no pue where a room is described"
                raise InputError(field=f"{path}.{others[0]}", value=found[others[0]], expected=expected)
            return {"kind": "pue", **found}
        if self.outside_c is None:
            raise InputError(
                field=path, value=found, expected="pue, or outside_c and what is known of the room"
            )
        c = {name: number.value for name, number in load_catalogue().constants.items()}
        megawatts = gpus * c["cap_kw_per_gpu"] / 1e3
        outside = np.asarray(found["outside_c"], dtype=float)
        cop = c["cop_reference"] - c["cop_slope"] * (outside - c["temperature_mean"])
        usual = {
            "cop": cop.tolist(),
            "max_power_mw": c["cooling_limit"] * megawatts,
            "heat_capacity_mwh_per_c": c["heat_capacity"] * max(megawatts, 1e-9),
            "leak_mw_per_c": c["heat_leak"] * megawatts,
            "min_c": c["room_min"],
            "max_c": c["room_max"],
            "initial_c": c["room_initial"],
        }
        return {"kind": "thermal", **usual, **found}


class Gpus(Part):
    """GPUs of a site, by a ``kind`` of the catalogue or by their idle draw.

    ``speed`` and ``energy`` are those of these GPUs against the ones that the models were measured on.
    """

    count: Annotated[int, Field(ge=0, le=10_000_000), about("number of GPUs", "GPUs", "n ≤ G")]
    kind: Annotated[Name | None, about("of the catalogue: its idle draw, with a share of the server")] = None
    idle_watts: Annotated[
        NonNegative | None,
        about("drawn by a GPU that is on, with its share of the server; none: by kind", "W"),
    ] = None
    max_utilisation: Efficiency = like(components.Site, "max_utilisation", 1.0)
    speed: Annotated[Factor, about("against the GPU that models were measured on", "1", "φ")] = 1.0
    energy: Annotated[Factor, about("of a job against that GPU", "1", "ψ")] = 1.0
    clocks: Annotated[
        Sequence[Clock | str], about("levels, of your own or ``eco``, ``base``, ``boost`` of the catalogue")
    ] = ("base",)

    def fields(self, path: str) -> dict[str, Any]:
        """What the instance file has of it, in the table of the site.

        Raises:
            InputError: no such kind or clock, or no idle draw.
        """
        book = load_catalogue()
        clocks = []
        for number, clock in enumerate(self.clocks):
            if isinstance(clock, str):
                if clock not in book.clocks:
                    field = f"{path}.clocks[{number}]"
                    raise InputError(field=field, value=clock, expected=one_of(book.clocks, clock))
                known = book.clocks[clock]
                clock = Clock(name=clock, speed=known.speed.value, energy=known.energy.value)
            clocks.append(
                {"name": clock.name, "speed": clock.speed * self.speed, "energy": clock.energy * self.energy}
            )
        if self.kind is not None and self.kind not in book.gpus:
            raise InputError(field=f"{path}.kind", value=self.kind, expected=one_of(book.gpus, self.kind))
        idle = self.idle_watts
        if idle is None and self.kind is None:
            expected = "the watts of an idle GPU, or a kind of the catalogue"
            raise InputError(field=f"{path}.idle_watts", value=None, expected=expected)
        if idle is None:
            idle = book.gpus[str(self.kind)].idle_watts.value + book.server_idle_watts.value
        return {
            "gpus": self.count,
            "gpu_idle_watts": idle,
            "max_utilisation": self.max_utilisation,
            "clocks": clocks,
        }


class Site(Part):
    """A data centre."""

    gpus: Annotated[Gpus, about("its GPUs")]
    grid: Annotated[Grid, about("the grid connection")]
    cooling: Annotated[Cooling, about("how heat is taken away")]
    models: Annotated[Sequence[Name] | None, about("generative models that run there; none: all")] = None
    renewable_mw: Profile = like(components.Site, "renewable_mw", 0.0)
    battery: Annotated[Battery | None, about("storage; none: there is none")] = None
    generator: Annotated[Generator | None, about("dispatchable generator; none: there is none")] = None
    terminal_price: NonNegative | None = like(components.Site, "terminal_price", None)

    def of(self, models: Sequence[str], slots: Slots, path: str) -> dict[str, Any]:
        """What the instance file has of it, where those models are known."""
        found: dict[str, Any] = self.gpus.fields(f"{path}.gpus")
        found["models"] = list(models if self.models is None else self.models)
        found["renewable_mw"] = slots.lay(self.renewable_mw, f"{path}.renewable_mw", "MW")
        found["grid"] = self.grid.content(slots, f"{path}.grid")
        found["cooling"] = self.cooling.of(self.gpus.count, slots, f"{path}.cooling")
        for name, part in (("battery", self.battery), ("generator", self.generator)):
            if part is not None:
                found[name] = part.content(slots, f"{path}.{name}")
        if self.terminal_price is not None:
            found["terminal_price"] = self.terminal_price
        return found


class JobClass(Part):
    """Jobs that are alike: what they pay, may do and must meet."""

    base_price: NonNegative = like(components.JobClass, "base_price", 0.0)
    quality_price: NonNegative = like(components.JobClass, "quality_price", 0.0)
    step_price: NonNegative = like(components.JobClass, "step_price", 0.0)
    quality_floor: Share = like(components.JobClass, "quality_floor", 0.0)
    deadline_minutes: Annotated[
        NonNegative, about("a job must run by so long after it came, in whole slots rounded down", "min")
    ] = 0.0
    miss_penalty: NonNegative = like(components.JobClass, "miss_penalty", 0.0)
    payload_gb: NonNegative = like(components.JobClass, "payload_gb", 0.0)
    max_execution_s: Positive | None = like(components.JobClass, "max_execution_s", None)
    models: Sequence[Name] | None = like(components.JobClass, "models", None)

    def content(self, slots: Slots, path: str) -> dict[str, Any]:
        """As for every part."""
        found = super().content(slots, path)
        minutes = found.pop("deadline_minutes")
        found["deadline_slots"] = slots.whole(minutes, f"{path}.deadline_minutes")
        if self.models is not None:
            found["models"] = list(self.models)
        return found


class Model(Part):
    """A generative model: GPU-seconds and joules affine in its steps, and quality."""

    steps: Annotated[Sequence[int], about("the step counts with which it may run", "steps")]
    seconds_per_step: NonNegative = like(components.GenerationModel, "seconds_per_step")
    joules_per_step: Capacity = like(components.GenerationModel, "joules_per_step")
    quality: Annotated[
        Curve | Mapping[str, Any] | Mapping[int, float] | float,
        about("a curve, points (steps: quality), one number, or curves by class", "1", "q(s)"),
    ]
    seconds_fixed: NonNegative = like(components.GenerationModel, "seconds_fixed", 0.0)
    joules_fixed: Capacity = like(components.GenerationModel, "joules_fixed", 0.0)

    @classmethod
    def named(cls, name: str, steps: Sequence[int] | None = None) -> Model:
        """A published model of the catalogue, with energy above idle.

        Args:
            name: for instance sdxl-base; ``python -m stepwatt.data`` lists all with their sources.
            steps: by default every fourth from 6 to 50 that it may run with, or all where there are few.

        Raises:
            InputError: no such model.
        """
        models = load_catalogue().models
        if name not in models:
            raise InputError(field="model", value=name, expected=one_of(models, name))
        known = models[name].to_dict()
        few = [s for s in known["steps"] if len(known["steps"]) < 10 or s in range(6, 51, 4)]
        return cls(**{**known, "steps": list(steps or few)})

    def content(self, slots: Slots, path: str) -> dict[str, Any]:
        """As for every part."""
        found = super().content(slots, path)
        return found | {"steps": list(self.steps), "quality": self._curves()}

    def _curves(self) -> Any:
        quality: Any = self.quality
        if isinstance(quality, int | float):
            quality = {1: float(quality)}
        if not isinstance(quality, Mapping):
            return {"default": quality.model_dump()}
        if "kind" in quality:
            return {"default": dict(quality)}
        if all(isinstance(steps, int) for steps in quality):
            points = dict(sorted(quality.items()))
            return {
                "default": {
                    "kind": "tabulated",
                    "steps": [float(steps) for steps in points],
                    "values": [float(value) for value in points.values()],
                }
            }
        return {
            name: curve.model_dump() if isinstance(curve, Record) else curve
            for name, curve in quality.items()
        }
