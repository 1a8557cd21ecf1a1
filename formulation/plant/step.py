"""One slot of every instance: what is asked for, what the plant can do of it, and what that brings.

The rules by which an impossible request is cut back (nothing is silently free):

1. Jobs go only where the class is served and transfers are open; a full link cuts its jobs in proportion.
2. A site that lacks GPU time, cooling or power runs the same share of every class it was sent.
3. Jobs not run wait, oldest first to go (FIFO); those past their deadline are lost at the miss penalty.
4. The room is cooled at least as much as its ceiling asks for, never below its minimum.
5. A generator that could not get rid of its minimum stays off; charging is cut when power is short, and the
   battery steps in beyond the request when grid, sun, wind and generator do not suffice.
6. Grid, export and curtailment follow from the merit order of the slot's prices. Where export pays more than
   import costs, the site sells what its own power leaves over, or imports, whichever is worth more.

With ``integral`` jobs and GPUs are whole: requests are rounded by largest remainders, so that the queue a
policy sees is the one its schedule will have.
"""

from __future__ import annotations

from collections.abc import Sequence

from .engine import Array, Engine, Tables
from .site_physics import ability, battery_limits, cooling_limits, heat_loss, operate, operate_fluid, ratio
from .stacked import Problem, site_arrays
from .state import Outcome, PlantState, Request


def must_run(engine: Engine, problem: Problem, t: int, state: PlantState) -> tuple[Array, Array]:
    """(B,I,K) jobs at hand in slot t, and those among them that would be lost if they waited (FIFO)."""
    at_hand = state.waiting + problem.arrivals[t]
    return at_hand, engine.positive(at_hand - problem.recent[t][..., 0])


def battery_interval(engine: Engine, problem: Problem, state: PlantState) -> tuple[Array, Array]:
    """(B,J) MW that the battery can take up and give over the slot."""
    return battery_limits(engine, problem, state.energy)


def cooling_interval(
    engine: Engine, problem: Problem, t: int, state: PlantState, it_mw: Array
) -> tuple[Array, Array]:
    """(B,J) MW of cooling that keeps the room below its ceiling, and that reaches its minimum."""
    site = site_arrays(problem, t)
    loss = heat_loss(site, state.temperature)
    return cooling_limits(engine, site, state.temperature, loss, it_mw)


def advance(
    engine: Engine, problem: Problem, t: int, state: PlantState, request: Request, *, integral: bool
) -> tuple[PlantState, Outcome]:
    """Slot ``t`` of every instance: the next state and what happened (model.md, all constraints)."""
    e = engine
    at_hand = state.waiting + problem.arrivals[t]
    wanted = _within_links(e, problem, request.transfers)
    # nobody runs jobs that are not there, whoever asks
    wanted = wanted * ratio(e, at_hand, e.sum(wanted))[..., None]
    if integral:
        whole = _whole_jobs(e, wanted, at_hand)
        full = _moved(e, problem, whole) > problem.link
        wanted = e.where(full[:, :, None, :], e.floor(wanted), whole)
    sent = e.batch_inside(e.sum(wanted, -3).swapaxes(-1, -2), 0)  # (B,J,K)
    runs = None
    whole_sent = sent if integral else None
    fastest = _fastest(e, problem, request.mix) if integral and request.mix is not None else None
    seconds, power, revenue = _per_job(e, request, problem.of_option, whole_sent, fastest)

    # what the sites can carry of it, and how they are cooled and powered
    asked_seconds = e.sum(seconds * sent)
    asked_mw = e.sum(power * sent)
    most_import = problem.import_limit if request.imported is None else request.imported
    asked = (request.cooling, request.battery, most_import)
    as_shares = (request.cooling_is_share, request.battery_is_share)
    if integral:
        can = ability(e, problem, t, state, (asked_seconds, asked_mw, request.generator))
        transfers = wanted * can.share[:, None, None, :]
        transfers, jobs, gpus, energy, revenue = _whole_gpus(
            e, problem, request, wanted, transfers, can.share, can.most, fastest
        )
        it_mw = _it_power(e, problem, energy, jobs, gpus)
        # whole jobs may weigh too little for the generator's minimum: then it stays off, and what needs it
        kept = (can.generates > 0) & (problem.generator_min <= it_mw + problem.export_limit + can.take)
        stays = e.real(kept | (can.generates <= 0) | (it_mw <= can.most_without), it_mw)
        can, gpus = can._replace(generates=e.real(kept, it_mw)), gpus * stays
        transfers, jobs = transfers * stays[:, None, None, :], jobs * stays[..., None]
        if request.mix is not None:
            runs = _whole_mix(e, request.mix, jobs, fastest)
        it_mw = _it_power(e, problem, energy, jobs, gpus)
        did = operate(e, problem, t, state, (it_mw, *asked), can, as_shares)
    else:
        share, it_mw, did = operate_fluid(
            e, problem, t, state, (asked_seconds, asked_mw), (request.generator, *asked), as_shares
        )
        transfers, jobs = wanted * share[:, None, None, :], sent * share[..., None]
        gpus = asked_seconds * share / problem.per_gpu

    longer = None
    if request.longer is not None:
        longer = _longer_jobs(e, request.longer, jobs) if integral else request.longer * jobs

    # what it leaves behind, and what it brings
    left = at_hand - e.sum(transfers)
    lost = e.positive(left - problem.recent[t][..., 0])
    after = PlantState(
        energy=did.energy,
        temperature=did.temperature,
        waiting=e.positive(left - lost),
        restart=did.restart,
        peak=did.peak,
        metered=did.metered,
    )
    income = e.sum(revenue * jobs, (-1, -2))
    moved = e.sum(problem.moving_cost * transfers, (-1, -2, -3))
    missed = e.sum(problem.miss_penalty * lost, (-1, -2))
    paid = e.sum(did.cost)
    return after, Outcome(
        transfers=transfers,
        jobs=jobs,
        lost=lost,
        gpus=gpus,
        it_mw=it_mw,
        imported=did.imported,
        exported=did.exported,
        renewable=did.renewable,
        charge=did.charge,
        discharge=did.discharge,
        generator=did.generator,
        cooling=did.cooling,
        cut_jobs=e.sum(sent - jobs),
        cut_mw=did.cut_mw,
        utility=income - moved - missed - paid,
        revenue=income,
        energy_cost=paid,
        longer=longer,
        runs=runs,
    )


def _within_links(e: Engine, problem: Problem, transfers: Array) -> Array:
    """Transfers along open ways, cut in proportion where a link is full."""
    wanted = transfers * problem.open if problem.parts.closed_ways else transfers
    if not problem.parts.links:
        return wanted
    return wanted * ratio(e, problem.link, _moved(e, problem, wanted))[:, :, None, :]


def _moved(e: Engine, problem: Problem, transfers: Array) -> Array:
    """(B,I,J) GB."""
    return e.sum(transfers * problem.payload, -2)


def _it_power(e: Engine, problem: Problem, energy: Array, jobs: Array, gpus: Array) -> Array:
    """(B,J) MW."""
    return e.sum(energy * jobs) / problem.shape.slot_hours + problem.idle_mw * gpus


def _per_job(
    e: Engine, request: Request, tables: Tables, whole: Array | None, fastest: Array | None
) -> Sequence[Array]:
    """What the tables say of an option, per job (B,J,K) each; of that many ``whole`` jobs if given."""
    if request.option is not None and request.longer is not None:
        share = request.longer
        if whole is not None:
            share = _longer_jobs(e, share, whole) / e.maximum(whole, whole * 0.0 + 1.0)
        return e.interpolate(tables, request.option, share)
    if request.mix is None:
        raise ValueError("a request needs options or a mix of them")
    own = tables.parts[: len(tables.parts) // 2]
    if whole is None:
        return [e.sum(table * request.mix) for table in own]
    runs, count = _whole_mix(e, request.mix, whole, fastest), e.maximum(whole, whole * 0.0 + 1.0)
    return [e.sum(table * runs) / count for table in own]


def _longer_jobs(e: Engine, share: Array, jobs: Array) -> Array:
    """(B,J,K) whole jobs that run with the longer option: rounded down, so that they never take more time."""
    return e.floor(share * jobs + 1e-9)


def _whole_mix(e: Engine, mix: Array, jobs: Array, fastest: Array) -> Array:
    """(B,J,K,F·C) whole jobs by option: shares rounded down, the rest to the ``fastest`` of the mix.

    So they never take more GPU time than the mix itself.
    """
    runs = e.floor(mix * jobs[..., None] + 1e-9)
    return runs + fastest * (jobs - e.sum(runs))[..., None]


def _fastest(e: Engine, problem: Problem, mix: Array) -> Array:
    """(B,J,K,F·C) 1 at the option of the mix that takes least GPU time."""
    slowness = e.where(mix > 0, problem.seconds + mix * 0.0, mix * 0.0 + 1e15)
    return e.real(e.rank(-slowness) < 1, mix)


def _whole_jobs(e: Engine, wanted: Array, at_hand: Array) -> Array:
    """(B,I,K,J) whole jobs near the wanted ones: totals to the nearest, places by largest remainders."""
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
    fastest: Array | None,
) -> tuple[Array, Array, Array, Array, Array]:
    """Whole jobs that fit, by way and by site, GPUs, and energy and revenue per job: cut sites round down,
    again where whole GPUs ask for more power."""
    fits = share >= 1.0
    jobs_in = e.where(fits[:, None, None, :], wanted, e.floor(transfers + 1e-9))
    jobs = e.sum(jobs_in, -3).swapaxes(-1, -2)
    seconds, energy, _ = _per_job(e, request, problem.of_run, jobs, fastest)
    gpus = e.ceil(e.sum(seconds * jobs) / problem.per_gpu - 1e-9)
    power = _it_power(e, problem, energy, jobs, gpus)
    spare = problem.idle_mw
    if request.mix is not None:
        # what is left over of the mix runs with its fastest option, which may draw more than the mix
        left = e.sum(e.real(request.mix > 0, request.mix)) * e.sum(fastest * problem.energy)
        spare = spare + e.sum(left) / problem.shape.slot_hours
    if request.longer is not None:
        # of each class one job less may run with the longer option, which may draw less than the shorter
        _, less, _ = e.look_up(problem.of_run, request.option)[3:]
        spare = spare + e.sum(e.positive(-less)) / problem.shape.slot_hours
    again = ratio(e, e.positive(most - spare), power)
    over = power > most
    jobs_in = e.where(over[:, None, None, :], e.floor(jobs_in * again[:, None, None, :]), jobs_in)
    jobs = e.sum(jobs_in, -3).swapaxes(-1, -2)
    seconds, energy, revenue = _per_job(e, request, problem.of_run, jobs, fastest)
    return jobs_in, jobs, e.ceil(e.sum(seconds * jobs) / problem.per_gpu - 1e-9), energy, revenue
