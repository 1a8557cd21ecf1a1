"""What an instance is made of: classes, models, clocks, sites with their grid, cooling and machines."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..records import (
    Capacity,
    Celsius,
    Efficiency,
    Factor,
    Finite,
    HeatCapacity,
    Name,
    NonNegative,
    NumberOrList,
    Positive,
    Pue,
    Record,
    Share,
    about,
)
from .curves import Curve

NonNegativeSeries = list[NonNegative]

#: A number a slot, or one number that holds in every slot.
SiteSeries = NumberOrList[Finite]
NonNegativeSiteSeries = NumberOrList[NonNegative]
FactorSiteSeries = NumberOrList[Factor]
CelsiusSiteSeries = NumberOrList[Celsius]
PueSeries = NumberOrList[Pue]


class JobClass(Record):
    """Jobs that are alike: what they pay (USD), may do and must meet."""

    base_price: Annotated[
        NonNegative, about("paid for a finished job", "USD", "R = base + quality·q + step·s")
    ]
    quality_price: Annotated[
        NonNegative, about("paid for quality 1, in proportion below", "USD", "R = base + quality·q + step·s")
    ]
    step_price: Annotated[
        NonNegative, about("paid for each denoising step", "USD", "R = base + quality·q + step·s")
    ] = 0.0
    quality_floor: Annotated[Share, about("options of lower quality are not allowed", "1", "q ≥ floor")]
    max_execution_s: Annotated[
        Positive | None, about("options that take longer are not allowed; none: any may", "s", "h ≤ max")
    ] = None
    models: Annotated[list[Name] | None, about("models that may serve the class; none: all")] = None
    deadline_slots: Annotated[
        int,
        Field(ge=0, le=10_000_000),
        about(
            "a job that arrives in slot t must run in one of t … t + d",
            "slots",
            "queue: b[t] ≤ arrivals of the last d slots",
        ),
    ]
    miss_penalty: Annotated[
        NonNegative, about("paid for a job that is not run by then", "USD", "− miss·lost")
    ]
    payload_gb: Annotated[
        NonNegative, about("data moved when a job runs away from its origin", "GB", "− cost·payload·x")
    ]


class GenerationModel(Record):
    """A generative model: allowed denoising steps, GPU-seconds and joules affine in them, quality."""

    steps: Annotated[
        list[Annotated[int, Field(ge=1, le=1_000_000)]],
        Field(min_length=1),
        about("the step counts with which it may run", "steps"),
    ]
    seconds_fixed: Annotated[
        NonNegative,
        about("GPU time of a job whatever its steps, at clock 1", "s", "h = (fixed + per_step·s)/φ"),
    ]
    seconds_per_step: Annotated[
        NonNegative, about("GPU time of a step, at clock 1", "s/step", "h = (fixed + per_step·s)/φ")
    ]
    joules_fixed: Annotated[
        Capacity,
        about(
            "GPU energy above idle of a job whatever its steps, at clock 1", "J", "ε = (fixed + per_step·s)·ψ"
        ),
    ]
    joules_per_step: Annotated[
        Capacity,
        about("GPU energy above idle of a step, at clock 1", "J/step", "ε = (fixed + per_step·s)·ψ"),
    ]
    quality: Annotated[
        dict[Name, Curve],
        Field(min_length=1),
        about("quality against steps, by class; ``default`` for those that are not named", "1", "q(s)"),
    ]


class Clock(Record):
    """A GPU clock level (DVFS): speed and energy relative to the base clock."""

    name: Annotated[Name, about("of the level, unique at the site")]
    speed: Annotated[Factor, about("speed relative to that at which models were measured", "1", "φ")]
    energy: Annotated[Factor, about("energy of a job relative to that measured", "1", "ψ")]


class Grid(Record):
    """The grid connection: prices in USD/MWh per slot, limits in MW, demand charge in USD/MW.

    The meter averages imports over ``demand_interval_slots``, counted from slot 0; ``peak_so_far_mw`` of the
    billing period is paid for.
    """

    import_price: Annotated[
        SiteSeries,
        about("paid for energy from the grid, all charges included", "USD/MWh", "− price·Δ·import"),
    ]
    export_price: Annotated[
        SiteSeries,
        about(
            "earned by energy fed in; above the import price a slot imports or exports",
            "USD/MWh",
            "price·Δ·export",
        ),
    ]
    import_limit_mw: Annotated[Capacity, about("of the connection", "MW", "import ≤ limit")]
    export_limit_mw: Annotated[Capacity, about("of the connection", "MW", "export ≤ limit")]
    carbon_kg_per_mwh: Annotated[
        NonNegativeSiteSeries,
        about("carbon of energy from the grid", "kg/MWh", "− carbon_price/1000·carbon·Δ·import"),
    ]
    demand_charge: Annotated[
        NonNegative,
        about(
            "of the highest metered import of the horizon", "USD/MW", "− charge·max(0, peak − peak_so_far)"
        ),
    ] = 0.0
    demand_interval_slots: Annotated[
        int, Field(ge=1, le=10_000_000), about("slots over which the meter averages", "slots", "metering")
    ] = 1
    peak_so_far_mw: Annotated[
        Capacity, about("highest metered import of the billing period, already paid for", "MW", "peak")
    ] = 0.0


class PueCooling(Record):
    """Facility power is a known multiple of IT power."""

    kind: Annotated[Literal["pue"], about("facility power as a multiple of IT power")]
    pue: Annotated[PueSeries, about("power usage effectiveness", "1", "D = pue·P")]


class ThermalCooling(Record):
    """Cooling power is a decision; the room stores heat."""

    kind: Annotated[Literal["thermal"], about("cooling power is decided, the room stores heat")]
    cop: Annotated[
        FactorSiteSeries, about("heat taken away per energy used", "1", "room: − (Δ/C)·cop·p_cool")
    ]
    max_power_mw: Annotated[Capacity, about("of the cooling plant", "MW", "p_cool ≤ max")]
    heat_capacity_mwh_per_c: Annotated[
        HeatCapacity, about("of the room with what is in it", "MWh/°C", "room: C")
    ]
    leak_mw_per_c: Annotated[
        NonNegative,
        about("heat that leaves per degree above outside", "MW/°C", "room: − (Δ/C)·U·(θ − outside)"),
    ]
    outside_c: Annotated[CelsiusSiteSeries, about("outside temperature", "°C", "room: θ − outside")]
    min_c: Annotated[Celsius, about("the room is not cooled below", "°C", "θ ≥ min")]
    max_c: Annotated[Celsius, about("warmest allowed after any slot", "°C", "θ[t] ≤ max, t = 1 … T")]
    initial_c: Annotated[Celsius, about("temperature at the start of slot 0", "°C", "θ[0]")]


class Battery(Record):
    """Storage; soc_* are shares of ``energy_mwh``, wear is USD per MWh discharged."""

    energy_mwh: Annotated[NonNegative, about("capacity", "MWh", "soc_min·energy ≤ e ≤ soc_max·energy")]
    power_mw: Annotated[Capacity, about("most that it takes and gives", "MW", "c, d ≤ power")]
    charge_efficiency: Annotated[
        Efficiency, about("stored per energy taken", "1", "e[t+1] = e[t] + Δ(η_c·c − d/η_d)")
    ]
    discharge_efficiency: Annotated[
        Efficiency, about("given per energy taken from the store", "1", "e[t+1] = e[t] + Δ(η_c·c − d/η_d)")
    ]
    soc_min: Annotated[
        Share, about("least state of charge, a share of the capacity", "1", "e ≥ soc_min·energy")
    ]
    soc_max: Annotated[Share, about("highest state of charge", "1", "e ≤ soc_max·energy")]
    soc_initial: Annotated[Share, about("state of charge at the start of slot 0", "1", "e[0]")]
    wear_cost: Annotated[NonNegative, about("of energy discharged", "USD/MWh", "− wear·Δ·d")]


class Generator(Record):
    """A dispatchable generator; fuel in USD/MWh, no-load in USD/h, ``initially_on`` before slot 0."""

    max_mw: Annotated[Capacity, about("most when on", "MW", "min·v ≤ p ≤ max·v")]
    min_mw: Annotated[Capacity, about("least when on", "MW", "min·v ≤ p ≤ max·v")]
    fuel_cost: Annotated[NonNegative, about("of energy generated", "USD/MWh", "− fuel·Δ·p")]
    no_load_cost: Annotated[NonNegative, about("of being on", "USD/h", "− no_load·Δ·v")]
    startup_cost: Annotated[NonNegative, about("of going on", "USD", "− startup·y, y ≥ v[t] − v[t−1]")]
    carbon_kg_per_mwh: Annotated[
        NonNegative, about("carbon of energy generated", "kg/MWh", "− carbon_price/1000·carbon·Δ·p")
    ]
    initially_on: Annotated[bool, about("whether it runs before slot 0", "", "v[−1]")] = False


def _base_clock() -> list[Clock]:
    return [Clock(name="base", speed=1.0, energy=1.0)]


class Site(Record):
    """A data centre: GPUs, models on them, and how it is powered and cooled."""

    gpus: Annotated[int, Field(ge=0, le=10_000_000), about("number of GPUs", "GPUs", "n ≤ G")]
    gpu_idle_watts: Annotated[
        NonNegative,
        about("drawn by a GPU that is on, with its share of the server", "W", "P = Σ ε·w/Δ + idle·n/1e6"),
    ]
    max_utilisation: Annotated[
        Efficiency, about("share of the time that a GPU can compute", "1", "Σ h·w ≤ 3600·Δ·u·n")
    ] = 1.0
    models: Annotated[list[Name], about("generative models that run there")]
    clocks: Annotated[
        list[Clock],
        Field(min_length=1),
        about("GPU clock levels (DVFS); by default one of speed and energy 1"),
    ] = Field(default_factory=_base_clock)
    grid: Annotated[Grid, about("the grid connection")]
    renewable_mw: Annotated[
        NonNegativeSiteSeries,
        about("sun and wind at the site, free to curtail", "MW", "renewable_used ≤ available"),
    ]
    cooling: Annotated[
        PueCooling | ThermalCooling,
        Field(discriminator="kind"),
        about("how heat is taken away", "", "D = pue·P, or D = P + p_cool"),
    ]
    battery: Annotated[Battery | None, about("storage; none: there is none")] = None
    generator: Annotated[Generator | None, about("dispatchable generator; none: there is none")] = None
    terminal_price: Annotated[
        NonNegative | None,
        about(
            "of energy missing and heat left over at the end; none: the highest import price",
            "USD/MWh",
            "− price·max(0, e[0] − e[T])",
        ),
    ] = None
