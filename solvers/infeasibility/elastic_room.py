"""The elastic model of a room: every limit that may stand in its way can be overstepped, at a price.

One matrix answers three questions by changing bounds and costs in place: by how much the limits must give way
together, by how much one of them alone, and which of them cannot hold together (:mod:`.conflict`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InstanceArrays
from stepwatt.formulation.milp.linear_problem import LinearProblem
from stepwatt.formulation.milp.matrices import linear_problem

from ..highs.scaling import scaling_of
from ..highs.session import HighsSession, Outcome, Termination
from ..interface.deadline import Clock, Deadline
from ..interface.errors import SolverError
from .stretched import Stretched

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Limit:
    """A bound that a room or its power supply must keep in every slot, and the columns that overstep it.

    ``values`` (T,) what the instance allows, in ``unit``; ``sense`` +1 where giving way means more, −1 where
    it means less. ``field`` is the field of the site that holds the bound as one number, if one does.
    ``weight`` (T,) is the price of a unit in a slot, in °C; 0 where the limit does not give way when all do.
    ``over`` are the columns (T,), ``most`` that of the largest of them.
    """

    what: str
    field: str | None
    unit: str
    values: Floats
    sense: int
    weight: Floats
    over: Ints
    most: int


@dataclass(frozen=True)
class Relief:
    """The cheapest way to hold a room: its price in °C, what each limit gives (T,), cooling (T,) in MW.

    ``least_price`` is proven; it is below ``price`` only when time ran out.
    """

    price: float
    least_price: float
    amounts: list[Floats]
    cooling_mw: Floats


class ElasticRoom:
    """The room of site ``site`` and what feeds it; the limits of all other rooms are off.

    GPUs and modes are whole only where a generator has a minimum: else too much power can always be avoided.
    Jobs, where there are any, are fluid.

    Args:
        a: arrays with that room.
        time_limit: seconds for all questions together; one question takes a tenth at most.
    """

    def __init__(
        self, a: InstanceArrays, site: int, time_limit: float, clock: Clock = time.perf_counter
    ) -> None:
        self._time_limit = time_limit
        self._deadline = Deadline(time_limit, clock)
        p = linear_problem(a)
        stretched = Stretched(p, scaling_of(replace(p, upper=np.minimum(p.upper, _useful_mw(a, p)))))
        limits = {int(j): _limits(a, int(j), stretched) for j in np.flatnonzero(a.thermal)}
        problem = stretched.problem()
        whole = (a.generator_min_mw > 0).any()
        problem.integer[p.ids("transfers", "runs", "lost")] = False
        self._session = HighsSession(problem, relaxed=not whole, scaling=stretched.scaling())
        self.limits = limits.pop(site)
        self._cooling = p.columns["cooling_mw"].ids[int(np.flatnonzero(p.members.rooms == site)[0])]
        for limit in (limit for others in limits.values() for limit in others):
            self._allow(limit, np.ones(a.n_slots, dtype=bool))

    def together(self) -> Relief:
        """The cheapest way for all weighted limits to give way.

        Raises:
            SolverError: the time limit ends before a solution.
        """
        for limit in self.limits:
            self._allow(limit, limit.weight > 0)
            self._session.change_costs(limit.over, -limit.weight)
        outcome = self._solved()
        x = outcome.x
        if x is None or outcome.bound is None:
            raise SolverError(f"what would have to give way was not found within {self._time_limit:g} s")
        for limit in self.limits:
            self._session.change_costs(limit.over, 0 * limit.weight)
        amounts = [np.maximum(x[limit.over], 0.0) for limit in self.limits]
        price = sum(float(v.weight @ amount) for v, amount in zip(self.limits, amounts, strict=True))
        least = price if outcome.termination is Termination.OPTIMAL else -outcome.bound
        return Relief(price, least, amounts, x[self._cooling])

    def alone(self, limit: Limit) -> float | None:
        """How far one limit must give way in every slot, if no other does; None if that is not enough.

        The least, unless time ran out.

        Raises:
            SolverError: the solver failed.
        """
        for other in self.limits:
            self._allow(other, np.full(len(other.over), other is limit))
        at = np.array([limit.most])
        self._session.change_costs(at, np.array([-1.0]))
        outcome = self._solved()
        self._session.change_costs(at, np.zeros(1))
        return None if outcome.x is None else max(0.0, float(outcome.x[limit.most]))

    def conflicting(self, enforced: Iterable[Bools]) -> bool | None:
        """Whether the limits cannot hold together in the slots in which each is enforced (T,).

        None when time ran out before an answer.

        Raises:
            SolverError: the solver failed.
        """
        over = np.concatenate([limit.over for limit in self.limits])
        free = np.concatenate([np.where(slots, 0.0, np.inf) for slots in enforced])
        self._session.change_bounds(over, np.zeros(len(over)), free)
        outcome = self._solved()
        if outcome.termination is Termination.INFEASIBLE:
            return True
        return None if outcome.x is None else False

    def _allow(self, limit: Limit, slots: Bools) -> None:
        self._session.change_bounds(limit.over, np.zeros(len(slots)), np.where(slots, np.inf, 0.0))

    def _solved(self) -> Outcome:
        seconds = self._deadline.within(self._time_limit / 10)
        return self._session.solve(time_limit=seconds, gap=1e-4)


def _limits(a: InstanceArrays, j: int, s: Stretched) -> list[Limit]:
    """All limits that can keep the room of a site from being held, as columns of the stretched matrices."""
    p, at, n_slots = s.base, s.base.members, a.n_slots
    found: list[Limit] = []

    def ids(block: str, sites: Ints) -> Ints:
        found_at = int(np.flatnonzero(sites == j)[0])
        return np.asarray(p.columns[block].ids[found_at])

    def limit(
        what: str, field: str | None, unit: str, values: Floats, over: Ints, weight: Floats, sense: int = 1
    ) -> None:
        found.append(Limit(what, field, unit, values, sense, weight, over, s.most_of(over)))

    none, ones = np.zeros(n_slots), np.ones(n_slots)
    # 1 °C is worth the electricity that cools the room by it in a slot, and a little more, so that what power
    # can cure is told as power
    power = 0.9 * a.slot_hours * a.cop[j] / a.heat_capacity[j]
    balance, heat, content = "power_balance", "room_heat", "state_of_charge"

    def flow(
        what: str, field: str | None, block: str, seen_by: tuple[str, ...], weight: Floats = none
    ) -> Ints:
        columns = ids(block, at.of_flow(block))
        over = s.more(columns, seen_by)
        limit(what, field, "MW", p.upper[columns], over, weight)
        return over

    room = ids("temperature_c", at.rooms)
    limit("room temperature", "cooling.max_c", "°C", p.upper[room], s.more(room, (heat,)), ones)
    gain = none.copy()
    gain[0] = 1 - a.slot_hours / a.heat_capacity[j] * a.leak_mw_per_c[j]
    colder = s.relief(p.rows[heat].ids[int(np.flatnonzero(at.rooms == j)[0])], gain)
    start = np.full(n_slots, a.state.temperature_c[j])
    limit("start of the room", "cooling.initial_c", "°C", start, colder, none, -1)
    flow("cooling power", "cooling.max_power_mw", "cooling_mw", (balance, heat))
    flow("import", "grid.import_limit_mw", "import_mw", (balance,), power)
    flow("renewable power", None, "renewable_mw", (balance,))
    if a.battery[j]:
        energy = ids("energy_mwh", at.batteries)
        flow("battery discharge", None, "discharge_mw", (balance, content))
        less = s.more(energy, (content,), sign=-1)
        limit("battery minimum", "battery.soc_min", "MWh", p.lower[energy], less, power / a.slot_hours, -1)
    if a.generator[j]:
        more = flow("generator power", "generator.max_mw", "generator_mw", (balance,))
        s.only_while(more, ids("generator_on", at.generators), _useful_mw(a, p))
    if a.generator_min_mw[j] > 0:  # else no power can be too much
        flow("export", "grid.export_limit_mw", "export_mw", (balance,), power)
        it_mw = ids("it_mw", at.all_sites)
        limit("power of GPUs", None, "MW", p.upper[it_mw], s.more(it_mw, (balance, heat)), none)
        if a.battery[j]:
            flow("battery charge", None, "charge_mw", (balance, content))
            more = s.more(energy, (content,))
            limit("battery maximum", None, "MWh", p.upper[energy], more, power / a.slot_hours)
        rows = p.rows["generator_minimum"].ids[int(np.flatnonzero(at.generators == j)[0])]
        least = np.full(n_slots, a.generator_min_mw[j])
        limit("generator minimum", "generator.min_mw", "MW", least, s.relief(rows, ones), power, -1)
    return found


def _useful_mw(a: InstanceArrays, p: LinearProblem) -> float:
    """As much power as the hungriest site can use, without export."""
    it_mw = p.upper[p.columns["it_mw"].ids].max(axis=1)
    return float((it_mw * a.pue.max(axis=1) + a.cooling_max_mw + a.battery_power_mw).max()) + 1e-9
