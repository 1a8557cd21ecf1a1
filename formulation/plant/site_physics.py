"""One site in one slot: what it can carry, and how it is then cooled and powered.

The formulas are elementwise and written once: they work on all sites of a batch (B,J) at a time, or, of few
sites on numpy, on plain numbers, one site after the other, because an array operation on three sites costs as
much as one on a thousand. Power MW, energy MWh, money USD, temperature °C.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .engine import PLAIN, Array, Elementwise, Engine
from .site_numbers import Parts, Site
from .stacked import site_arrays

if TYPE_CHECKING:
    from .stacked import Problem
    from .state import PlantState

#: So small beside powers and times that it only keeps 0/0 from arising; a normal number in single precision.
TINY = 1e-30

#: A generator below this is off (evaluate.py has the same limit), MW.
OFF_MW = 1e-9

#: Up to so many sites in all, plain numbers are sooner done than numpy's arrays.
FEW = 6

#: Of a site's headroom: fluid jobs leave a hair's breadth free; where jobs are whole, rounding must not cost
#: one that fits exactly.
FLUID_MARGIN, WHOLE_MARGIN = 1.0, -1e-3


class Ability(NamedTuple):
    """What a site can carry of the jobs it was sent.

    ``share`` of the jobs in time and power, ``most`` MW of IT power that can be fed and cooled,
    ``most_without`` the same without the generator, ``generates`` 1 if that runs, ``level`` MW asked of it
    within its rating; ``take`` and ``give``: MW of the battery.
    """

    share: Any
    most: Any
    most_without: Any
    generates: Any
    level: Any
    take: Any
    give: Any


class Operation(NamedTuple):
    """The flows of a site in a slot (MW), what it leaves behind, and what its energy cost (USD)."""

    imported: Any
    exported: Any
    renewable: Any
    charge: Any
    discharge: Any
    generator: Any
    cooling: Any
    cut_mw: Any
    energy: Any
    temperature: Any
    restart: Any
    peak: Any
    metered: Any
    cost: Any


def ability(e: Engine, problem: Problem, t: int, state: PlantState, asked: tuple[Array, ...]) -> Ability:
    """(B,J) each, of whole jobs; ``asked``: GPU-seconds, MW of IT power and MW of the generator."""
    inputs = (state.energy, state.temperature, *asked)
    return Ability(*_everywhere(e, problem, t, _ability, inputs, (WHOLE_MARGIN,)))


def operate(
    e: Engine,
    problem: Problem,
    t: int,
    state: PlantState,
    asked: tuple[Array, ...],
    can: Ability,
    as_shares: tuple[bool, bool],
) -> Operation:
    """(B,J) each; ``asked``: IT power, cooling, battery, largest import; ``as_shares``: cooling, battery."""
    inputs = (state.energy, state.temperature, state.restart, state.peak, state.metered)
    inputs = (*inputs, *asked, can.generates, can.level, can.take, can.give)
    last = t == problem.shape.n_slots - 1
    return Operation(
        *_everywhere(e, problem, t, _operate, inputs, (problem.shape.slot_hours, last, *as_shares))
    )


def operate_fluid(
    e: Engine,
    problem: Problem,
    t: int,
    state: PlantState,
    jobs: tuple[Array, ...],
    asked: tuple[Array, ...],
    as_shares: tuple[bool, bool],
) -> tuple[Array, Array, Operation]:
    """Both at once for fluid jobs: their share that runs, its IT power, and the flows, (B,J) each.

    ``jobs``: GPU-seconds and MW of IT power of what was sent; ``asked``: generator, cooling, battery, import.
    """
    inputs = (state.energy, state.temperature, state.restart, state.peak, state.metered, *jobs, *asked)
    last = t == problem.shape.n_slots - 1
    constants = (problem.shape.slot_hours, last, *as_shares)
    share, it_mw, *did = _everywhere(e, problem, t, _operate_fluid, inputs, constants)
    return share, it_mw, Operation(*did)


def ratio(e: Elementwise, most: Array, asked: Array) -> Array:
    """min(1, most / asked), 1 where nothing is asked; both at least 0."""
    return (most + TINY) / (e.maximum(asked, most) + TINY)


def battery_limits(e: Elementwise, s: Site | Problem, energy: Array) -> tuple[Array, Array]:
    """MW that the battery can take up and give over the slot."""
    take = e.minimum(s.battery_power, e.positive(s.energy_max - energy) * s.fill_mw)
    give = e.minimum(s.battery_power, e.positive(energy - s.energy_min) * s.drain_mw)
    return take, give


def heat_loss(s: Site, temperature: Array) -> Array:
    """MW that leak out of the room: θ' = θ + rate·(P − cop·p − loss), rate in °C per MW."""
    return s.leak * (temperature - s.outside)


def cooling_limits(
    e: Elementwise, s: Site, temperature: Array, loss: Array, it_mw: Array
) -> tuple[Array, Array]:
    """MW of cooling that keeps the room below its ceiling, and that reaches its minimum."""
    heat = it_mw - loss
    low = (heat - (s.ceiling - temperature) * s.mw_per_degree) / s.cop
    high = (heat - (s.min_c - temperature) * s.mw_per_degree) / s.cop
    low = e.minimum(e.positive(low), s.cooling_max)
    return low, e.maximum(low, e.minimum(high, s.cooling_max))


def _everywhere(
    e: Engine, problem: Problem, t: int, formula: Any, inputs: tuple[Array, ...], constants: tuple[Any, ...]
) -> Any:
    """The outputs of ``formula(e, parts, site, *constants, *inputs)`` at all sites, (B,J) each."""
    if e.site_by_site and inputs[0].size <= FEW:
        rows = np.concatenate(inputs).reshape(len(inputs), -1).T.tolist()
        here = zip(problem.plain_sites[t], rows, strict=True)
        found = [formula(PLAIN, problem.parts, site, *constants, *row) for site, row in here]
        return np.ascontiguousarray(np.array(found).T).reshape(-1, *inputs[0].shape)
    return formula(e, problem.parts, site_arrays(problem, t), *constants, *inputs)


def _ability(
    e: Elementwise,
    parts: Parts,
    s: Site,
    margin: float,
    energy: Array,
    temperature: Array,
    seconds: Array,
    it_mw: Array,
    generator: Array,
) -> tuple[Array, ...]:
    timely = ratio(e, s.fleet_seconds, seconds)
    take = give = energy * 0.0
    if parts.batteries:
        take, give = battery_limits(e, s, energy)
    own = s.from_outside + give
    to_ceiling = own
    if parts.rooms:
        to_ceiling = (s.ceiling - temperature) * s.mw_per_degree + heat_loss(s, temperature)
    without = _most_it(e, parts, s, to_ceiling, own)
    most = without
    generates = level = generator * 0.0
    if parts.generators:
        level = e.minimum(e.maximum(generator, s.generator_min), s.generator_max)
        level = e.where(generator > 0, level, level * 0.0)
        most_with = _most_it(e, parts, s, to_ceiling, own + level)
        # the generator runs only if its minimum can be got rid of, whatever else throttles the site
        outlet = s.export_limit + take
        runs = (level > 0) & (s.generator_min <= e.minimum(it_mw * timely, most_with) + outlet)
        generates = e.real(runs, level)
        most = e.where(runs, most_with, without)
    most = e.positive(most - margin * s.headroom)
    return e.minimum(timely, ratio(e, most, it_mw)), most, without, generates, level, take, give


def _most_it(e: Elementwise, parts: Parts, s: Site, to_ceiling: Array, supply: Array) -> Array:
    """MW of IT load that can be fed and cooled."""
    if not parts.rooms:
        return e.positive(supply / s.pue)
    both = (supply * s.cop + to_ceiling) / (s.cop + 1.0)
    cooled = e.minimum(to_ceiling + s.cop * s.cooling_max, e.minimum(supply, both))
    if parts.fixed_cooling:
        cooled = e.where(s.thermal > 0, cooled, supply / s.pue)
    return e.positive(cooled)


def _operate(
    e: Elementwise,
    parts: Parts,
    s: Site,
    hours: float,
    last: bool,
    cooling_is_share: bool,
    battery_is_share: bool,
    energy: Array,
    temperature: Array,
    restart: Array,
    peak: Array,
    metered: Array,
    it_mw: Array,
    cooling: Array,
    battery: Array,
    most_import: Array,
    generates: Array,
    level: Array,
    take: Array,
    give: Array,
) -> tuple[Array, ...]:
    none = it_mw * 0.0
    load = it_mw * s.pue if parts.fixed_cooling else it_mw
    fuel = level * generates if parts.generators else none
    if parts.rooms:
        loss = heat_loss(s, temperature)
        low, high = cooling_limits(e, s, temperature, loss, it_mw)
        wanted = low + cooling * (high - low) if cooling_is_share else cooling
        affordable = s.from_outside + give + fuel - it_mw
        cooling = e.maximum(low, e.minimum(e.minimum(wanted, s.cooling_max), affordable))
        if parts.fixed_cooling:
            cooling = cooling * s.thermal
        load = load + cooling
        # warm air is recirculated rather than let the room fall too cold
        warmed = e.maximum(s.min_c, temperature + s.heat_rate * (it_mw - s.cop * cooling - loss))
    else:
        cooling, warmed = none, temperature
    surplus = none
    if parts.generators:
        fuel = e.minimum(fuel, load + s.export_limit + take)
        surplus = e.positive(fuel - load - s.export_limit)
    charge, discharge, stored, cut_mw = none, none, energy, none
    if parts.batteries:
        net = load - fuel
        short = net - s.from_outside
        if battery_is_share:
            battery = e.where(battery > 0, battery * take, battery * give)
        charge = e.minimum(e.minimum(e.positive(battery), e.positive(-short)), take)
        charge = e.maximum(charge, surplus)
        discharge = e.minimum(e.minimum(e.positive(-battery), give), e.positive(net + s.export_limit))
        discharge = e.maximum(discharge, e.minimum(e.positive(short), give))
        charge = e.where(discharge > 0, none, charge)
        stored = energy + (s.filled * charge - s.drained * discharge)
        cut_mw = abs(battery - (charge - discharge))
    rest = load + charge - discharge - fuel
    need, forced = e.positive(rest), e.positive(-rest)

    # the cheapest way to cover what is needed, or to be rid of it
    imported = e.positive(need - s.renewable)
    if parts.odd_prices:
        eager = e.maximum(e.minimum(need, most_import), need - s.renewable)
        imported = e.where(s.import_cost < 0, e.positive(eager), imported)
    imported = e.minimum(imported, s.import_limit)
    if parts.feeds_in:
        over = e.positive(e.minimum(s.renewable - need, s.export_limit - forced))
        better = e.positive(s.export_price) * over + s.import_cost * imported
        sells = (s.either_way > 0) & (need <= s.renewable) & (better >= 0)
        buys = (s.either_way > 0) & ((need > s.renewable) | (better < 0))
        imported = e.where(sells, none, imported)
    used = e.minimum(need - imported, s.renewable)
    sold = e.positive(e.minimum(s.renewable - used, s.export_limit - forced))
    if parts.odd_prices:
        sold = e.where(s.export_price > 0, sold, none)
    if parts.feeds_in:
        sold = e.where(buys, none, sold)
    exported, renewable = forced + sold, used + sold
    counted = imported
    if parts.meters:
        counted = metered = s.meter_goes_on * metered + s.meter_share * imported
    highest = e.maximum(peak, counted)

    cost = s.import_cost * imported - s.export_price * exported
    if parts.batteries:
        cost = cost + s.wear_cost * discharge
    if parts.generators:
        on = e.real(fuel > OFF_MW, fuel)
        cost = cost + s.generator_cost * fuel + s.no_load_cost * on
    cost = cost * hours
    if parts.generators:
        cost = cost + restart * on
        restart = e.minimum(s.startup_cost, restart + s.idle_cost) * (1.0 - on)
        cut_mw = cut_mw + abs(level - fuel)
    if parts.demand_charges:
        cost = cost + s.demand_charge * (highest - peak)
    if last:
        cost = cost + s.terminal_price * e.positive(s.energy_reference - stored)
        if parts.rooms:
            warmer = e.positive(warmed - s.temperature_reference) * s.thermal
            cost = cost + s.terminal_heat_price * warmer
    flows = (imported, exported, renewable, charge, discharge, fuel, cooling, cut_mw)
    return (*flows, stored, warmed, restart, highest, metered, cost)


def _operate_fluid(
    e: Elementwise,
    parts: Parts,
    s: Site,
    hours: float,
    last: bool,
    cooling_is_share: bool,
    battery_is_share: bool,
    energy: Array,
    temperature: Array,
    restart: Array,
    peak: Array,
    metered: Array,
    seconds: Array,
    it_mw: Array,
    generator: Array,
    cooling: Array,
    battery: Array,
    most_import: Array,
) -> tuple[Array, ...]:
    can = _ability(e, parts, s, FLUID_MARGIN, energy, temperature, seconds, it_mw, generator)
    share, _, _, *rest = can
    it_mw = it_mw * share
    begun = (energy, temperature, restart, peak, metered)
    asked = (it_mw, cooling, battery, most_import)
    constants = (hours, last, cooling_is_share, battery_is_share)
    return share, it_mw, *_operate(e, parts, s, *constants, *begun, *asked, *rest)
