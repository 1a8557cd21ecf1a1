"""The slot's best response to prices, as a request to the plant, with what it earns and what bounds it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.state import PlantState, Request

from .interior_point.solution import GOOD, Solution
from .interior_point.solving import solve
from .programs.rows import Rows
from .programs.slot_program import GPU, POWER, Program, slot_program
from .programs.standing import Standing, standing_of
from .slot_prices import SlotPrices, at_the_end

Numbers = NDArray[Any]
_Batched = TypeVar("_Batched", Program, Solution)

#: A share of an option in the mix below this is noise of the interior point.
_NOISE = 1e-7


@dataclass(frozen=True)
class Plan:
    """A response: the request, what it was planned to bring, and a bound on what any response brings.

    ``objective`` (B,) USD: slot utility and worth of the state after it (:func:`.worth`; in the last
    slot the utility alone). ``bound`` (B,) USD holds whatever the accuracy; with generators it is that of the
    relaxed on/off decision. ``power`` (B,J) USD/MWh and ``gpu_time`` (B,J) USD per GPU-hour are the prices at
    which the site's last MWh and GPU-hour balance; ``it_power`` (B,J) USD/MWh is that of power for jobs, with
    what it takes to run and cool the site. ``relaxed``: what the bound was proved with.
    """

    request: Request
    objective: Numbers
    bound: Numbers
    power: Numbers
    it_power: Numbers
    gpu_time: Numbers
    relaxed: tuple[Program, Solution]

    @property
    def gap(self) -> Numbers:
        """(B,) (bound − objective)/max(|bound|, 1e-9)."""
        found: Numbers = (self.bound - self.objective) / np.maximum(np.abs(self.bound), 1e-9)
        return found


def best_response(
    problem: Problem, t: int, state: PlantState, prices: SlotPrices, standing: Standing | None = None
) -> Plan:
    """What maximises the slot's utility and the priced worth of what it leaves (fluid jobs).

    In the last slot the true terminal values replace the prices. Generators: the on/off decision is relaxed,
    then rounded (on from half of the minimum), and the better of that and all off is planned exactly.

    The plant counts only IT power where it asks whether a generator's minimum can be got rid of (rule 5), not
    PUE or cooling: at a small load it may keep a generator off that the plan has on. The certificate is then
    of the plan, not of what happens.

    ``standing`` is what the programs of all slots of the problem share, if that is at hand.
    """
    kind, offset, hours = problem.gpus.dtype, np.zeros(len(problem)), problem.shape.slot_hours
    if t == problem.shape.n_slots - 1:
        prices = at_the_end(problem, prices, state)
        missing = (problem.energy_reference - problem.energy_min).astype(float)
        offset = (problem.terminal_price.astype(float) * missing).sum(-1)
    standing = standing or standing_of(problem)
    program = slot_program(problem, t, state, prices, standing=standing)
    solution = solve(program)
    bound, relaxed = solution.bound, (program, solution)
    if (problem.generator_max > 0).any():
        program, solution = _committed(problem, t, state, prices, standing, program, solution)
    sites = Rows(program).split(solution.multipliers)[2]
    scale = program.money / program.row_unit
    return Plan(
        request=_request(problem, program, solution),
        objective=(solution.value - offset).astype(kind),
        bound=(bound - offset).astype(kind),
        power=(sites[POWER] * scale[POWER] / hours).T.astype(kind),
        it_power=(-(program.power_entry * sites[POWER:]).sum(0) * program.money / hours).T.astype(kind),
        gpu_time=(-sites[GPU] * scale[GPU] * 3600).T.astype(kind),
        relaxed=relaxed,
    )


def _committed(
    problem: Problem,
    t: int,
    state: PlantState,
    prices: SlotPrices,
    standing: Standing,
    relaxed: Program,
    found: Solution,
) -> tuple[Program, Solution]:
    """The better of generators as rounded and all off, instance by instance."""
    level = Rows(relaxed).boxes(found.box)[3][relaxed.names["generator"]].sum(0).T
    share = problem.generator_min / np.maximum(problem.generator_max, 1e-30)
    rounded = (level >= 0.5 * share) & (level > 1e-3) & (problem.generator_max > 0)
    off = slot_program(problem, t, state, prices, np.zeros_like(rounded), standing)
    without = solve(off)
    if not rounded.any():
        return off, without
    on = slot_program(problem, t, state, prices, rounded, standing)
    with_some = solve(on)
    worse = (with_some.residual > GOOD) | (with_some.value < without.value)
    worse = worse & (without.residual <= GOOD)
    return _either(worse, off, on), _either(worse, without, with_some)


def _either(first: NDArray[np.bool_], a: _Batched, b: _Batched) -> _Batched:
    """``a`` where ``first`` (B,), else ``b``."""
    chosen: dict[str, Any] = {
        f.name: np.where(first, getattr(a, f.name), getattr(b, f.name))
        for f in fields(a)
        if isinstance(getattr(a, f.name), np.ndarray)
    }
    return replace(b, **chosen)


def _request(problem: Problem, p: Program, found: Solution) -> Request:
    transfers, _, _, sites, _ = Rows(p).boxes(found.box)
    kind = problem.gpus.dtype

    def first(values: Numbers) -> Numbers:
        return values.transpose(-1, *range(values.ndim - 1)).astype(kind, copy=False)

    def total(name: str) -> Numbers:
        place = p.names.get(name, slice(0))
        found: Numbers = (sites[place] * p.site_unit[place]).sum(0)
        return found

    runs = found.options * (p.open[:, :, None] * p.features.usable())
    share = runs / np.maximum(runs.sum(2, keepdims=True), 1e-30)
    share = np.where(share > _NOISE, share, 0.0)
    total_share = share.sum(2, keepdims=True)
    share = share / np.maximum(total_share, 1e-30)
    # where nothing is sent: the first option there is
    row = problem.row.transpose(1, 2, 3, 0)
    fallback = np.arange(row.shape[2])[:, None] == (row >= 0).argmax(2)[:, :, None]
    return Request(
        transfers=first(transfers * p.transfer_unit),
        mix=first(np.where(total_share > 0, share, fallback)),
        battery=first(total("charge") - total("discharge")),
        cooling=first(total("cooling")),
        generator=first(total("generator") + p.generator_floor),
        imported=first(total("below") + total("above")),
    )
