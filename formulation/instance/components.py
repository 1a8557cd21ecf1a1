"""What an instance is made of: classes, models, clocks, sites with their grid, cooling and machines."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..records import (
    AtLeastOne,
    Efficiency,
    Finite,
    Name,
    NonNegative,
    NumberOrList,
    Positive,
    Record,
    Share,
)
from .curves import Curve

NonNegativeSeries = list[NonNegative]

#: A number a slot, or one number that holds in every slot.
SiteSeries = NumberOrList[Finite]
NonNegativeSiteSeries = NumberOrList[NonNegative]
PositiveSiteSeries = NumberOrList[Positive]
PueSeries = NumberOrList[AtLeastOne]


class JobClass(Record):
    """Jobs that are alike: what they pay (USD), may do and must meet."""

    base_price: NonNegative
    quality_price: NonNegative
    step_price: NonNegative = 0.0
    quality_floor: Share
    max_execution_s: Positive | None = None
    models: list[Name] | None = None
    deadline_slots: Annotated[int, Field(ge=0, le=10_000_000)]
    miss_penalty: NonNegative
    payload_gb: NonNegative


class GenerationModel(Record):
    """A generative model: allowed denoising steps, GPU-seconds and joules affine in them, quality."""

    steps: Annotated[list[Annotated[int, Field(ge=1, le=1_000_000)]], Field(min_length=1)]
    seconds_fixed: NonNegative
    seconds_per_step: NonNegative
    joules_fixed: NonNegative
    joules_per_step: NonNegative
    quality: Annotated[dict[Name, Curve], Field(min_length=1)]


class Clock(Record):
    """A GPU clock level (DVFS): speed and energy relative to the base clock."""

    name: Name
    speed: Positive
    energy: Positive


class Grid(Record):
    """The grid connection: prices in USD/MWh per slot, limits in MW, demand charge in USD/MW.

    The meter averages imports over ``demand_interval_slots``, counted from slot 0; ``peak_so_far_mw`` of the
    billing period is paid for.
    """

    import_price: SiteSeries
    export_price: SiteSeries
    import_limit_mw: NonNegative
    export_limit_mw: NonNegative
    carbon_kg_per_mwh: NonNegativeSiteSeries
    demand_charge: NonNegative = 0.0
    demand_interval_slots: Annotated[int, Field(ge=1, le=10_000_000)] = 1
    peak_so_far_mw: NonNegative = 0.0


class PueCooling(Record):
    """Facility power is a known multiple of IT power."""

    kind: Literal["pue"]
    pue: PueSeries


class ThermalCooling(Record):
    """Cooling power is a decision; the room stores heat."""

    kind: Literal["thermal"]
    cop: PositiveSiteSeries
    max_power_mw: NonNegative
    heat_capacity_mwh_per_c: Positive
    leak_mw_per_c: NonNegative
    outside_c: SiteSeries
    min_c: Finite
    max_c: Finite
    initial_c: Finite


class Battery(Record):
    """Storage; soc_* are shares of ``energy_mwh``, wear is USD per MWh discharged."""

    energy_mwh: NonNegative
    power_mw: NonNegative
    charge_efficiency: Efficiency
    discharge_efficiency: Efficiency
    soc_min: Share
    soc_max: Share
    soc_initial: Share
    wear_cost: NonNegative


class Generator(Record):
    """A dispatchable generator; fuel in USD/MWh, no-load in USD/h, ``initially_on`` before slot 0."""

    max_mw: NonNegative
    min_mw: NonNegative
    fuel_cost: NonNegative
    no_load_cost: NonNegative
    startup_cost: NonNegative
    carbon_kg_per_mwh: NonNegative
    initially_on: bool = False


def _base_clock() -> list[Clock]:
    return [Clock(name="base", speed=1.0, energy=1.0)]


class Site(Record):
    """A data centre: GPUs, models on them, and how it is powered and cooled."""

    gpus: Annotated[int, Field(ge=0, le=10_000_000)]
    gpu_idle_watts: NonNegative
    max_utilisation: Efficiency = 1.0
    models: list[Name]
    clocks: Annotated[list[Clock], Field(min_length=1)] = Field(default_factory=_base_clock)
    grid: Grid
    renewable_mw: NonNegativeSiteSeries
    cooling: Annotated[PueCooling | ThermalCooling, Field(discriminator="kind")]
    battery: Battery | None = None
    generator: Generator | None = None
    terminal_price: NonNegative | None = None
