"""One slot of every instance: what is asked for, what the plant can do of it, and what that brings.

The rules by which an impossible request is cut back (nothing is silently free):

1. Jobs go only where the class is served and transfers are open; a full link cuts its jobs in proportion.
2. A site that lacks GPU time, cooling or power runs the same share of every class it was sent.
3. Jobs not run wait, oldest first to go (FIFO); those past their deadline are lost at the miss penalty.
4. The room is cooled at least as much as its ceiling asks for, never below its minimum.
5. A generator that could not get rid of its minimum stays off; charging is cut when power is short, and the
   battery steps in beyond the request when grid, sun, wind and generator do not suffice.
6. Grid, export and curtailment follow from the merit order of the slot's prices, which is exact as long as
   export ≤ import price.

With ``integral`` jobs and GPUs are whole: requests are rounded by largest remainders, so that the queue a
policy sees is the one its schedule will have.
"""

from __future__ import annotations

from dataclasses import dataclass

from .engines import Array, Engine
from .problem import Problem


@dataclass(frozen=True)
class PlantState:
    """What one slot leaves to the next.

    ``energy`` (B,J) MWh, ``temperature`` (B,J) °C, ``waiting`` (B,I,K) jobs, ``restart`` (B,J) USD to generate
    in the next slot (0 while on), ``peak`` (B,J) MW imported at most so far.
    """

    energy: Array
    temperature: Array
    waiting: Array
    restart: Array
    peak: Array


@dataclass(frozen=True)
class Request:
    """What a codec asks for in a slot.

    ``transfers`` (B,I,K,J) jobs; either ``option`` (B,J,K) index into the option tables, or ``mix``
    (B,J,K,F·C) shares that sum to 1; ``cooling`` (B,J): MW, or the share of what brings the room from its
    ceiling to its minimum when ``cooling_is_share``; ``battery`` (B,J) MW, positive charges; ``generator``
    (B,J) MW, 0 is off. ``imported`` (B,J) MW, where given, is the most to import where that pays better than
    free renewables (negative prices) but raises the peak.
    """

    transfers: Array
    cooling: Array
    battery: Array
    generator: Array
    option: Array | None = None
    mix: Array | None = None
    cooling_is_share: bool = False
    imported: Array | None = None


@dataclass(frozen=True)
class Outcome:
    """What happened: flows (B,J) MW, jobs, money (B,) USD, and how much of the request was cut.

    ``transfers`` (B,I,K,J), ``jobs`` (B,J,K) run, ``lost`` (B,I,K), ``gpus`` (B,J). ``cut_jobs`` (B,J) were
    sent to the site but could not run; ``cut_mw`` (B,J) is the distance between asked and done of battery and
    generator. ``utility`` is the slot's share of the horizon's utility, so they add up to it. ``runs``
    (B,J,K,F·C) whole jobs by option, where a mix was asked for and jobs are whole.
    """

    transfers: Array
    jobs: Array
    lost: Array
    gpus: Array
    it_mw: Array
    imported: Array
    exported: Array
    renewable: Array
    charge: Array
    discharge: Array
    generator: Array
    cooling: Array
    cut_jobs: Array
    cut_mw: Array
    utility: Array
    revenue: Array
    energy_cost: Array
    runs: Array | None = None


def first_state(problem: Problem) -> PlantState:
    """How the instances begin."""
    return PlantState(
        energy=problem.first_energy,
        temperature=problem.first_temperature,
        waiting=problem.first_waiting,
        restart=problem.first_restart,
        peak=problem.first_peak,
    )


def must_run(engine: Engine, problem: Problem, t: int, state: PlantState) -> tuple[Array, Array]:
    """(B,I,K) jobs at hand in slot t, and those among them that would be lost if they waited (FIFO)."""
    at_hand = state.waiting + problem.arrivals[t]
    return at_hand, engine.positive(at_hand - problem.recent[t][..., 0])


def battery_interval(engine: Engine, problem: Problem, state: PlantState) -> tuple[Array, Array]:
    """(B,J) MW that the battery can take up and give over the slot."""
    hours = problem.shape.slot_hours
    room = engine.positive(problem.energy_max - state.energy) / (problem.charge_efficiency * hours)
    content = engine.positive(state.energy - problem.energy_min) * problem.discharge_efficiency / hours
    return engine.minimum(problem.battery_power, room), engine.minimum(problem.battery_power, content)


def advance(
    engine: Engine, problem: Problem, t: int, state: PlantState, request: Request, *, integral: bool
) -> tuple[PlantState, Outcome]:
    """Slot ``t`` of every instance: the next state and what happened (model.md, all constraints)."""
    e, hours = engine, problem.shape.slot_hours
    at_hand, _ = must_run(e, problem, t, state)
    wanted = _within_links(e, problem, request.transfers)
    if integral:
        whole = _whole_jobs(e, wanted, at_hand)
        full = _moved(e, problem, whole) > problem.link
        wanted = e.where(full[:, :, None, :], e.floor(wanted), whole)
    sent = e.sum(wanted, -3).swapaxes(-1, -2)  # (B,J,K)
    runs = None
    seconds, energy, revenue = _per_job(e, problem, request, sent if integral else None)

    # what the site can carry of it
    take, give = battery_interval(e, problem, state)
    asked_seconds = e.sum(seconds * sent)
    asked_mw = e.sum(energy * sent) / hours + problem.idle_mw * asked_seconds / problem.per_gpu
    on_request = _generator_request(e, problem, request)
    heat = _Heat(problem, t, state)
    own = problem.renewable[t] + problem.import_limit + give
    most_with = _most_it(e, problem, t, heat, own + on_request)
    most_without = _most_it(e, problem, t, heat, own)
    # the generator runs only if its minimum can be got rid of, whatever else throttles the site
    timely = _ratio(e, problem.gpus * problem.per_gpu, asked_seconds)
    outlet = problem.export_limit + take
    generates = (on_request > 0) & (problem.generator_min <= e.minimum(asked_mw * timely, most_with) + outlet)
    most = e.where(generates, most_with, most_without) - 1e-9 * problem.site_power
    share = e.minimum(timely, _ratio(e, most, asked_mw))
    transfers = wanted * share[:, None, None, :]
    if integral:
        transfers, gpus = _whole_gpus(e, problem, request, wanted, transfers, share, most)
        jobs = e.sum(transfers, -3).swapaxes(-1, -2)
        seconds, energy, revenue = _per_job(e, problem, request, jobs)
        it_mw = _it_power(e, problem, energy, jobs, gpus)
        # whole jobs may weigh too little for the generator's minimum: then it stays off, and what needs it
        kept = generates & (problem.generator_min <= it_mw + outlet)
        stays = e.real(kept | ~generates | (it_mw <= most_without), it_mw)
        generates, gpus = kept, gpus * stays
        transfers, jobs = transfers * stays[:, None, None, :], jobs * stays[..., None]
        if request.mix is not None:
            runs = _whole_mix(e, problem, request.mix, jobs)
    else:
        jobs = sent * share[..., None]
        gpus = asked_seconds * share / problem.per_gpu
    it_mw = _it_power(e, problem, energy, jobs, gpus)

    # cooling, battery, generator, grid
    low, high = heat.cooling_interval(e, it_mw)
    asked_cooling = low + request.cooling * (high - low) if request.cooling_is_share else request.cooling
    fuel = e.where(generates, on_request, on_request * 0.0)
    affordable = own + fuel - it_mw
    asked_cooling = e.minimum(asked_cooling, problem.cooling_max)
    cooling = e.maximum(low, e.minimum(asked_cooling, affordable)) * problem.thermal
    load = it_mw * problem.pue[t] + cooling
    fuel = e.minimum(fuel, load + outlet)
    surplus = e.positive(fuel - load - problem.export_limit)
    supply = problem.renewable[t] + problem.import_limit + fuel
    charge = e.minimum(e.positive(request.battery), e.positive(supply - load))
    charge = e.maximum(e.minimum(charge, take), surplus)
    sink = e.positive(load + problem.export_limit - fuel)
    discharge = e.minimum(e.minimum(e.positive(-request.battery), give), sink)
    discharge = e.maximum(discharge, e.minimum(e.positive(load - supply), give))
    charge = e.where(discharge > 0, charge * 0.0, charge)
    rest = load + charge - discharge - fuel
    imported, exported, renewable = _merit_order(e, problem, t, rest, request.imported)

    # what it leaves behind
    ran = e.sum(transfers)
    left = at_hand - ran
    lost = e.positive(left - problem.recent[t][..., 0])
    generating = e.real(fuel > 1e-9, fuel)
    # a generator without a minimum may idle through a pause, where that is cheaper than a new start
    idle = e.where(problem.generator_min > 0, problem.startup_cost, hours * problem.no_load_cost)
    after = PlantState(
        energy=state.energy
        + hours * (problem.charge_efficiency * charge - discharge / problem.discharge_efficiency),
        temperature=heat.next_temperature(e, it_mw, cooling),
        waiting=e.positive(left - lost),
        restart=e.minimum(problem.startup_cost, state.restart + idle) * (1 - generating),
        peak=e.maximum(state.peak, imported),
    )
    income = e.sum(revenue * jobs, (-1, -2))
    moved = e.sum(problem.moving_cost * transfers, (-1, -2, -3))
    missed = e.sum(problem.miss_penalty * lost, (-1, -2))
    energy_cost = hours * (
        problem.import_cost[t] * imported
        - problem.export_price[t] * exported
        + problem.wear_cost * discharge
        + problem.generator_cost * fuel
        + problem.no_load_cost * generating
    )
    energy_cost = energy_cost + state.restart * generating
    energy_cost = energy_cost + problem.demand_charge * (after.peak - state.peak)
    if t == problem.shape.n_slots - 1:
        energy_cost = energy_cost + problem.terminal_price * e.positive(
            problem.energy_reference - after.energy
        )
        warmer = e.positive(after.temperature - problem.temperature_reference) * problem.thermal
        energy_cost = energy_cost + problem.terminal_heat_price * warmer
    paid = e.sum(energy_cost)
    return after, Outcome(
        transfers=transfers,
        jobs=jobs,
        lost=lost,
        gpus=gpus,
        it_mw=it_mw,
        imported=imported,
        exported=exported,
        renewable=renewable,
        charge=charge,
        discharge=discharge,
        generator=fuel,
        cooling=cooling,
        cut_jobs=e.sum(sent) - e.sum(jobs),
        cut_mw=abs(request.battery - (charge - discharge)) + abs(request.generator - fuel),
        utility=income - moved - missed - paid,
        revenue=income,
        energy_cost=paid,
        runs=runs,
    )


class _Heat:
    """The room over one slot: θ' = θ + rate·(P − cop·p − leak·(θ − outside)), rate in °C per MW."""

    def __init__(self, problem: Problem, t: int, state: PlantState):
        self.rate, self.cop, self.problem = problem.heat_rate, problem.cop[t], problem
        self.temperature = state.temperature
        self.loss = problem.leak * (state.temperature - problem.outside[t])
        safe_rate = problem.heat_rate + (1 - problem.thermal)
        self.to_ceiling = (problem.ceiling[t] - state.temperature) / safe_rate + self.loss
        self.to_floor = (problem.min_c - state.temperature) / safe_rate + self.loss

    def cooling_interval(self, e: Engine, it_mw: Array) -> tuple[Array, Array]:
        """(B,J) MW of cooling that keeps the room below its ceiling, and that reaches its minimum."""
        low = e.minimum(e.positive((it_mw - self.to_ceiling) / self.cop), self.problem.cooling_max)
        high = e.minimum(e.positive((it_mw - self.to_floor) / self.cop), self.problem.cooling_max)
        return low, e.maximum(low, high)

    def next_temperature(self, e: Engine, it_mw: Array, cooling: Array) -> Array:
        """(B,J) °C after the slot; warm air is recirculated rather than let the room fall too cold."""
        free = self.temperature + self.rate * (it_mw - self.cop * cooling - self.loss)
        return e.maximum(self.problem.min_c, free)


def _most_it(e: Engine, problem: Problem, t: int, heat: _Heat, supply: Array) -> Array:
    """(B,J) MW of IT load that can be fed and cooled."""
    cooled = e.minimum(
        heat.to_ceiling + heat.cop * problem.cooling_max,
        e.minimum(supply, (supply + heat.to_ceiling / heat.cop) / (1 + 1 / heat.cop)),
    )
    return e.positive(e.where(problem.thermal > 0, cooled, supply / problem.pue[t]))


def _ratio(e: Engine, most: Array, asked: Array) -> Array:
    """min(1, most / asked), 1 where nothing is asked."""
    safe = e.where(asked > 0, asked, asked * 0.0 + 1.0)
    share = e.where(asked > 0, most / safe, asked * 0.0 + 1.0)
    return e.minimum(share, share * 0.0 + 1.0)


def _within_links(e: Engine, problem: Problem, transfers: Array) -> Array:
    """Transfers along open ways, cut in proportion where a link is full."""
    wanted = transfers * problem.open
    return wanted * _ratio(e, problem.link, _moved(e, problem, wanted))[:, :, None, :]


def _moved(e: Engine, problem: Problem, transfers: Array) -> Array:
    """(B,I,J) GB."""
    return e.sum(transfers * problem.payload, -2)


def _it_power(e: Engine, problem: Problem, energy: Array, jobs: Array, gpus: Array) -> Array:
    """(B,J) MW."""
    return e.sum(energy * jobs) / problem.shape.slot_hours + problem.idle_mw * gpus


def _generator_request(e: Engine, problem: Problem, request: Request) -> Array:
    """(B,J) MW: off, or between minimum and maximum."""
    level = e.minimum(e.maximum(request.generator, problem.generator_min), problem.generator_max)
    return e.where(request.generator > 0, level, level * 0.0)


def _per_job(
    e: Engine, problem: Problem, request: Request, whole: Array | None
) -> tuple[Array, Array, Array]:
    """GPU-seconds, MWh and USD per job, each (B,J,K); of that many ``whole`` jobs (B,J,K) if given."""
    tables = (problem.seconds, problem.energy, problem.revenue)
    if whole is not None and request.mix is not None:
        runs, count = _whole_mix(e, problem, request.mix, whole), e.maximum(whole, whole * 0.0 + 1.0)
        a, b, c = (e.sum(table * runs) / count for table in tables)
        return a, b, c
    if request.option is not None:
        a, b, c = (e.look_up(table, request.option) for table in tables)
    else:
        a, b, c = (e.sum(table * request.mix) for table in tables)
    return a, b, c


def _whole_mix(e: Engine, problem: Problem, mix: Array, jobs: Array) -> Array:
    """(B,J,K,F·C) whole jobs by option: shares rounded down, the rest to the fastest of the mix.

    So they never take more GPU time than the mix itself.
    """
    runs = e.floor(mix * jobs[..., None] + 1e-9)
    return runs + _fastest(e, problem, mix) * (jobs - e.sum(runs))[..., None]


def _fastest(e: Engine, problem: Problem, mix: Array) -> Array:
    """(B,J,K,F·C) 1 at the option of the mix that takes least GPU time."""
    slowness = e.where(mix > 0, problem.seconds + mix * 0.0, mix * 0.0 + 1e15)
    return e.real(e.rank(-slowness) < 1, mix)


def _merit_order(
    e: Engine, problem: Problem, t: int, rest: Array, most: Array | None
) -> tuple[Array, Array, Array]:
    """Cheapest way to cover (or to be rid of) ``rest`` MW: import, export and used renewables."""
    cost, price, sun = problem.import_cost[t], problem.export_price[t], problem.renewable[t]
    need = e.positive(rest)
    paid_to_import = cost < 0
    eager = need if most is None else e.maximum(e.minimum(need, most), need - sun)
    imported = e.where(paid_to_import, e.positive(eager), e.positive(need - sun))
    imported = e.minimum(imported, problem.import_limit)
    used = e.minimum(need - imported, sun)
    forced = e.positive(-rest)
    sold = e.minimum(sun - used, problem.export_limit - forced)
    sold = e.where(price > 0, e.positive(sold), sold * 0.0)
    return imported, forced + sold, used + sold


def _whole_jobs(e: Engine, wanted: Array, at_hand: Array) -> Array:
    """(B,I,K,J) whole jobs near the wanted ones: totals to the nearest, destinations by largest remainders."""
    total = e.minimum(e.floor(e.sum(wanted) + 0.5), at_hand)
    floor = e.floor(wanted + 1e-9)
    missing = total - e.sum(floor)
    order = e.rank(wanted - floor)
    return e.positive(floor + e.real(order < missing[..., None], floor))


def _whole_gpus(
    e: Engine,
    problem: Problem,
    request: Request,
    wanted: Array,
    transfers: Array,
    share: Array,
    most: Array,
) -> tuple[Array, Array]:
    """Whole jobs and GPUs that fit: cut sites round down, again where whole GPUs ask for more power."""
    fits = share >= 1.0
    jobs_in = e.where(fits[:, None, None, :], wanted, e.floor(transfers + 1e-9))
    jobs = e.sum(jobs_in, -3).swapaxes(-1, -2)
    seconds, energy, _ = _per_job(e, problem, request, jobs)
    gpus = e.ceil(e.sum(seconds * jobs) / problem.per_gpu - 1e-9)
    power = _it_power(e, problem, energy, jobs, gpus)
    spare = problem.idle_mw
    if request.mix is not None:
        # what is left over of the mix runs with its fastest option, which may draw more than the mix
        left = e.sum(e.real(request.mix > 0, request.mix)) * e.sum(
            _fastest(e, problem, request.mix) * problem.energy
        )
        spare = spare + e.sum(left) / problem.shape.slot_hours
    again = _ratio(e, e.positive(most - spare), power)
    over = power > most
    jobs_in = e.where(over[:, None, None, :], e.floor(jobs_in * again[:, None, None, :]), jobs_in)
    jobs = e.sum(jobs_in, -3).swapaxes(-1, -2)
    seconds, _, _ = _per_job(e, problem, request, jobs)
    return jobs_in, e.ceil(e.sum(seconds * jobs) / problem.per_gpu - 1e-9)
