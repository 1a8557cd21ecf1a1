"""The numbers of a site that formulas of the plant read."""

from __future__ import annotations

from typing import Any, NamedTuple


class Parts(NamedTuple):
    """What at least one of the instances has; formulas leave out the rest."""

    links: bool
    closed_ways: bool
    generators: bool
    batteries: bool
    rooms: bool
    fixed_cooling: bool
    """Sites whose cooling is a factor on IT power."""
    odd_prices: bool
    """Slots that pay for import or ask money for export."""
    demand_charges: bool
    meters: bool
    """Meters that average over several slots."""
    feeds_in: bool
    """Slots where export pays more than import costs."""
    uneven_steps: bool
    """Options whose GPU time does not rise evenly."""


class Site(NamedTuple):
    """The numbers of a site in a slot, named as in ``Problem``: arrays (B,J), or plain ones."""

    # over the horizon
    fleet_seconds: Any
    idle_mw: Any
    per_gpu: Any
    import_limit: Any
    export_limit: Any
    demand_charge: Any
    thermal: Any
    cooling_max: Any
    heat_rate: Any
    mw_per_degree: Any
    leak: Any
    min_c: Any
    energy_min: Any
    energy_max: Any
    battery_power: Any
    fill_mw: Any
    drain_mw: Any
    filled: Any
    drained: Any
    wear_cost: Any
    generator_max: Any
    generator_min: Any
    generator_cost: Any
    no_load_cost: Any
    startup_cost: Any
    idle_cost: Any
    terminal_price: Any
    terminal_heat_price: Any
    energy_reference: Any
    temperature_reference: Any
    headroom: Any
    # in the slot
    import_cost: Any
    export_price: Any
    renewable: Any
    from_outside: Any
    pue: Any
    cop: Any
    outside: Any
    ceiling: Any
    either_way: Any
    meter_share: Any
    meter_goes_on: Any


#: What is another number in every slot.
SLOT_SERIES = (
    "import_cost", "export_price", "renewable", "from_outside", "pue", "cop", "outside", "ceiling",
    "either_way", "meter_share", "meter_goes_on",
)  # fmt: skip

#: What is the same in all slots.
FIXED = tuple(name for name in Site._fields if name not in SLOT_SERIES)
