"""The model of model.md as a Pyomo ConcreteModel, for reading, changing and solving with any solver.

Every function below states one part; its docstring is the mathematics. Sets are indexed by the names in the
instance file and slots 0..T-1, units are those of model.md (MW, MWh, USD, seconds, hours, kg, °C, jobs, GB).
Columns and rows carry the names of :mod:`.matrices`; a test proves that both are the same matrix problem, but
for what is there for prices to come.

Params that hold money (prices, charges, penalties, ``option_revenue``), ``carbon_kg_per_mwh`` and
``renewable_available_mw`` are mutable: set them and solve again (``terminal_price``, too, which holds the
highest import price at building where the file gives none). Prices that change may come to pay more for
export than import costs, and a peak may come to cost: the model has what it then needs. Everything else sizes
variable bounds, so change it in the instance and build again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.environ as pyo

from ..instance.arrays import InstanceArrays
from ..instance.instance import Instance
from ..schedule.schedule import SITE_FLOWS, Schedule
from .pyomo_data import add_job_data, add_power_data, add_sets, option_names
from .pyomo_docs import document

TERMS = (
    "revenue", "transfer", "miss_penalty", "import", "export", "carbon",
    "wear", "fuel", "startup", "demand", "terminal",
)  # fmt: skip


def pyomo_model(inst: Instance | InstanceArrays, *, prices_change: bool = True) -> pyo.ConcreteModel:
    """The mixed-integer linear model of an instance, or of a window of it (arrays with a ``state``).

    Args:
        inst: the instance, or its arrays.
        prices_change: whether prices and charges will be set anew. If not, the model has a peak and modes of
            the grid only where the prices of ``inst`` need them, as the matrices have.
    """
    a = inst.arrays() if isinstance(inst, Instance) else inst
    m = pyo.ConcreteModel(name="stepwatt")
    add_sets(m, a, prices_change=prices_change)
    add_job_data(m, a)
    add_power_data(m, a)
    whole = pyo.NonNegativeIntegers if a.integral_jobs else pyo.NonNegativeReals
    _jobs(m, whole)
    _gpus(m, a, whole)
    _network(m)
    _grid(m, a)
    if prices_change:
        _one_way_at_a_time(m, a)
    else:
        _one_way_where_it_pays(m, a)
    _battery(m, a)
    _generator(m, a)
    _cooling(m, a)
    _balance(m)
    _objective(m, a)
    document(m)
    return m


def breakdown(m: pyo.ConcreteModel) -> dict[str, float]:
    """The value of every money term (USD) under the names of ``Evaluation.breakdown``."""
    return {name: float(pyo.value(m.component(name + "_" * (name == "import")))) for name in TERMS}


def schedule_from_pyomo(m: pyo.ConcreteModel, inst: Instance | InstanceArrays) -> Schedule:
    """The decisions in a solved model; solver noise below zero is cut off.

    Raises:
        ValueError: the model holds no solution.
    """
    a = inst.arrays() if isinstance(inst, Instance) else inst
    site = {name: j for j, name in enumerate(a.sites)}
    job_class = {name: k for k, name in enumerate(a.classes)}
    schedule = Schedule.idle(a)
    for (i, j, k, t), var in m.transfers.items():
        schedule.transfers[site[i], site[j], job_class[k], t] = _solved(var)
    rows = {option: row for row, option in enumerate(option_names(a))}
    for (*option, t), var in m.runs.items():
        schedule.runs[rows[tuple(option)], t] = _solved(var)
    for flow in SITE_FLOWS:
        values = getattr(schedule, flow)
        for (j, t), var in getattr(m, flow).items():
            values[site[j], t] = _solved(var)
    return schedule


def _solved(var: Any) -> float:
    if var.value is None:
        raise ValueError(f"{var.name} has no value: solve the model first")
    return max(0.0, float(var.value))


# --- jobs and GPUs ---------------------------------------------------------------------------------------


def _jobs(m: pyo.ConcreteModel, whole: Any) -> None:
    """FIFO queues, one per origin i and class k (``waiting_balance``; backlog is what waits before slot 0):

        waiting[i,k,t] + lost[i,k,t] + Σ_j transfers[i,j,k,t] = waiting[i,k,t−1] + arrivals[i,k,t]

    0 ≤ waiting ≤ the arrivals of the last ``deadline_slots`` slots (0 at the end of the horizon), which is
    the deadline; transfers and lost ≤ present.
    """
    m.transfers = pyo.Var(
        m.ROUTES, m.SLOTS, domain=whole, bounds=lambda m, i, j, k, t: (0, m.present[i, k, t])
    )
    m.lost = pyo.Var(m.QUEUES, m.SLOTS, domain=whole, bounds=lambda m, i, k, t: (0, m.present[i, k, t]))
    m.waiting = pyo.Var(m.QUEUES, m.SLOTS, bounds=lambda m, i, k, t: (0, m.waiting_limit[i, k, t]))
    targets: dict[Any, list[str]] = {queue: [] for queue in m.QUEUES}
    for i, j, k in m.ROUTES:
        targets[i, k].append(j)

    def waiting_balance(m: Any, i: str, k: str, t: int) -> Any:
        before = m.waiting[i, k, t - 1] if t > 0 else m.backlog[i, k]
        sent = pyo.quicksum(m.transfers[i, j, k, t] for j in targets[i, k])
        return m.waiting[i, k, t] + m.lost[i, k, t] + sent == before + m.arrivals[i, k, t]

    m.waiting_balance = pyo.Constraint(m.QUEUES, m.SLOTS, rule=waiting_balance)


def _gpus(m: pyo.ConcreteModel, a: InstanceArrays, whole: Any) -> None:
    """Jobs that come to a site run there with some option o (``assignment``), on GPUs that are on
    (``gpu_time``, h_o seconds each), and draw power (``it_power``, ε_o MWh each above idle):

        Σ_{o of site j, class k} runs[o,t] = Σ_i transfers[i,j,k,t]
        Σ_{o of site j} h_o runs[o,t] ≤ 3600 Δ u_j gpus_on[j,t],   0 ≤ gpus_on ≤ G_j
        it_mw[j,t] = Σ_{o of site j} (ε_o/Δ) runs[o,t] + gpu_idle_mw_j gpus_on[j,t]

    A run is bounded by the jobs that can come and by what fits on all GPUs; ``it_mw`` accordingly.
    """
    hours = a.slot_hours
    seconds_per_gpu = {j: 3600 * hours * m.max_utilisation[j] for j in m.SITES}
    options: dict[Any, list[Any]] = {site: [] for site in m.SITES} | {served: [] for served in m.SERVED}
    for option in m.OPTIONS:
        options[option[0]].append(option)
        options[option[:2]].append(option)
    origins: dict[Any, list[str]] = {served: [] for served in m.SERVED}
    for i, j, k in m.ROUTES:
        origins[j, k].append(i)
    coming = {(k, t): sum(m.present[i, k, t] for i in m.SITES) for k in m.CLASSES for t in m.SLOTS}

    def run_bounds(m: Any, *index: Any) -> tuple[float, float]:
        *option, t = index
        seconds, most = m.option_seconds[tuple(option)], coming[option[1], t]
        fits = m.gpus[option[0]] * seconds_per_gpu[option[0]] / seconds if seconds > 0 else most
        return 0, min(most, fits)

    def it_bounds(m: Any, j: str, t: int) -> tuple[float, float]:
        timed = [o for o in options[j] if m.option_seconds[o] > 0]
        hottest = max((m.option_energy_mwh[o] / m.option_seconds[o] for o in timed), default=0.0)
        jobs = float(a.arrivals.sum() + a.state.backlog.sum())
        timeless = sum(m.option_energy_mwh[o] * jobs / hours for o in options[j] if m.option_seconds[o] == 0)
        return 0, m.gpus[j] * (hottest * seconds_per_gpu[j] / hours + m.gpu_idle_mw[j]) + timeless

    m.runs = pyo.Var(m.OPTIONS, m.SLOTS, domain=whole, bounds=run_bounds)
    m.gpus_on = pyo.Var(m.SITES, m.SLOTS, domain=whole, bounds=lambda m, j, t: (0, m.gpus[j]))
    m.it_mw = pyo.Var(m.SITES, m.SLOTS, bounds=it_bounds)

    def assignment(m: Any, j: str, k: str, t: int) -> Any:
        sent = pyo.quicksum(m.transfers[i, j, k, t] for i in origins[j, k])
        return pyo.quicksum(m.runs[o, t] for o in options[j, k]) == sent

    m.assignment = pyo.Constraint(m.SERVED, m.SLOTS, rule=assignment)

    def gpu_time(m: Any, j: str, t: int) -> Any:
        used = pyo.quicksum(m.option_seconds[o] * m.runs[o, t] for o in options[j])
        return used - seconds_per_gpu[j] * m.gpus_on[j, t] <= 0

    m.gpu_time = pyo.Constraint(m.SITES, m.SLOTS, rule=gpu_time)

    def it_power(m: Any, j: str, t: int) -> Any:
        busy = pyo.quicksum(m.option_energy_mwh[o] / m.slot_hours * m.runs[o, t] for o in options[j])
        return m.it_mw[j, t] == busy + m.gpu_idle_mw[j] * m.gpus_on[j, t]

    m.it_power = pyo.Constraint(m.SITES, m.SLOTS, rule=it_power)


def _network(m: pyo.ConcreteModel) -> None:
    """Links of limited capacity (``link``, GB per slot): Σ_k payload_k transfers[i,j,k,t] ≤ capacity_ij Δ."""
    classes: dict[Any, list[str]] = {link: [] for link in m.LINKS}
    for i, j, k in m.ROUTES:
        if (i, j) in classes and m.payload_gb[k] > 0:
            classes[i, j].append(k)

    def link(m: Any, i: str, j: str, t: int) -> Any:
        if not classes[i, j]:
            return pyo.Constraint.Feasible
        moved = pyo.quicksum(m.payload_gb[k] * m.transfers[i, j, k, t] for k in classes[i, j])
        return moved <= m.link_gb_per_hour[i, j] * m.slot_hours

    m.link = pyo.Constraint(m.LINKS, m.SLOTS, rule=link)


# --- power and cooling -----------------------------------------------------------------------------------


def _grid(m: pyo.ConcreteModel, a: InstanceArrays) -> None:
    """Grid and renewables within their limits; the highest metered import of the horizon (``peak``), metered
    by slot or as the mean of the interval so far (``metering``; ``meter_share`` = 1 / slots of the interval):

        import_mw[j,t] or metered_mw[j,t] ≤ peak_mw[j],   peak_mw ≥ the peak so far
        metered_mw[j,t] = meter_share[j,t] import_mw[j,t] + metered_mw[j,t−1], the latter within an interval
    """
    so_far = dict(zip(a.sites, a.state.peak_mw.tolist(), strict=True))
    m.import_mw = pyo.Var(m.SITES, m.SLOTS, bounds=lambda m, j, t: (0, m.import_limit_mw[j]))
    m.export_mw = pyo.Var(m.SITES, m.SLOTS, bounds=lambda m, j, t: (0, m.export_limit_mw[j]))
    m.renewable_mw = pyo.Var(m.SITES, m.SLOTS, bounds=lambda m, j, t: (0, m.renewable_available_mw[j, t]))
    m.peak_so_far_mw = pyo.Param(m.SITES, initialize=so_far)
    m.peak_mw = pyo.Var(
        m.PEAKS, bounds=lambda m, j: (m.peak_so_far_mw[j], max(m.peak_so_far_mw[j], m.import_limit_mw[j]))
    )

    metered_so_far = dict(zip(a.sites, a.state.metered_mw.tolist(), strict=True))
    goes_on = {(j, t): bool(a.meter_goes_on[a.sites.index(j), t]) for j in m.METERS for t in m.SLOTS}
    m.metered_mw = pyo.Var(m.METERS, m.SLOTS, bounds=lambda m, j, t: (0, m.import_limit_mw[j]))

    def metering(m: Any, j: str, t: int) -> Any:
        added = m.metered_mw[j, t] - m.meter_share[j, t] * m.import_mw[j, t]
        if not goes_on[j, t]:
            return added == 0
        return added == metered_so_far[j] if t == 0 else added - m.metered_mw[j, t - 1] == 0

    m.metering = pyo.Constraint(m.METERS, m.SLOTS, rule=metering)

    def peak(m: Any, j: str, t: int) -> Any:
        return (m.metered_mw if j in m.METERS else m.import_mw)[j, t] <= m.peak_mw[j]

    m.peak = pyo.Constraint(m.PEAKS, m.SLOTS, rule=peak)


def _one_way_where_it_pays(m: pyo.ConcreteModel, a: InstanceArrays) -> None:
    """Where export pays more than import costs, one of both with z = importing (``import_mode``,
    ``export_mode``): import ≤ limit z, export ≤ limit (1 − z). In the other slots of such a site both rows
    have a limit of room.
    """
    either_way = {(j, t): bool(a.either_way[a.sites.index(j), t]) for j in m.FEEDS_IN for t in m.SLOTS}
    m.importing = pyo.Var(m.FEEDS_IN, m.SLOTS, domain=pyo.Binary)

    def import_mode(m: Any, j: str, t: int) -> Any:
        room = 0 if either_way[j, t] else m.import_limit_mw[j]
        return m.import_mw[j, t] <= m.import_limit_mw[j] * m.importing[j, t] + room

    m.import_mode = pyo.Constraint(m.FEEDS_IN, m.SLOTS, rule=import_mode)

    def export_mode(m: Any, j: str, t: int) -> Any:
        room = 0 if either_way[j, t] else m.export_limit_mw[j]
        return m.export_mw[j, t] <= m.export_limit_mw[j] * (1 - m.importing[j, t]) + room

    m.export_mode = pyo.Constraint(m.FEEDS_IN, m.SLOTS, rule=export_mode)


def _one_way_at_a_time(m: pyo.ConcreteModel, a: InstanceArrays) -> None:
    """One of both in every slot: whatever the prices, where export pays no more than import costs the
    optimum is the same. Rows hold what the site can use or give, as limits may mean "none":

        import ≤ (pue it_mw + cooling_mw + charge_mw at their most) z
        export ≤ (discharge_mw + generator_mw at their most + renewables) (1 − z)
    """
    m.importing = pyo.Var(m.FEEDS_IN, m.SLOTS, domain=pyo.Binary)
    stored = dict(zip(a.sites, np.where(a.battery, a.battery_power_mw, 0.0).tolist(), strict=True))
    made = dict(zip(a.sites, np.where(a.generator, a.generator_max_mw, 0.0).tolist(), strict=True))
    cooled = dict(zip(a.sites, np.where(a.thermal, a.cooling_max_mw, 0.0).tolist(), strict=True))

    def import_mode(m: Any, j: str, t: int) -> Any:
        used = m.pue[j, t] * m.it_mw[j, t].ub + cooled[j] + stored[j]
        return m.import_mw[j, t] <= min(m.import_limit_mw[j], used) * m.importing[j, t]

    m.import_mode = pyo.Constraint(m.FEEDS_IN, m.SLOTS, rule=import_mode)

    def export_mode(m: Any, j: str, t: int) -> Any:
        given = min(m.export_limit_mw[j], stored[j] + made[j]) + m.renewable_available_mw[j, t]
        return m.export_mw[j, t] <= given * (1 - m.importing[j, t])

    m.export_mode = pyo.Constraint(m.FEEDS_IN, m.SLOTS, rule=export_mode)


def _battery(m: pyo.ConcreteModel, a: InstanceArrays) -> None:
    """Energy content e at the end of the slot (``state_of_charge``), one direction per slot with z = charging
    (``charge_mode``, ``discharge_mode``), content missing at the end (``terminal_energy``):

        e[j,t] = e[j,t−1] + Δ η_c c[j,t] − (Δ/η_d) d[j,t]
        c ≤ power z,   d ≤ power (1 − z)
        energy_missing_mwh[j] + e[j,T−1] ≥ reference content
    """
    start = dict(zip(a.sites, a.state.energy_mwh.tolist(), strict=True))
    last = a.n_slots - 1
    m.charge_mw = pyo.Var(m.BATTERIES, m.SLOTS, bounds=lambda m, j, t: (0, m.battery_power_mw[j]))
    m.discharge_mw = pyo.Var(m.BATTERIES, m.SLOTS, bounds=lambda m, j, t: (0, m.battery_power_mw[j]))
    m.charging = pyo.Var(m.BATTERIES, m.SLOTS, domain=pyo.Binary)
    m.energy_mwh = pyo.Var(
        m.BATTERIES, m.SLOTS, bounds=lambda m, j, t: (m.energy_min_mwh[j], m.energy_max_mwh[j])
    )
    m.energy_missing_mwh = pyo.Var(
        m.BATTERIES, bounds=lambda m, j: (0, max(m.energy_reference_mwh[j] - m.energy_min_mwh[j], 0.0))
    )

    def state_of_charge(m: Any, j: str, t: int) -> Any:
        before = m.energy_mwh[j, t - 1] if t > 0 else start[j]
        stored = m.slot_hours * m.charge_efficiency[j] * m.charge_mw[j, t]
        drawn = m.slot_hours / m.discharge_efficiency[j] * m.discharge_mw[j, t]
        return m.energy_mwh[j, t] == before + stored - drawn

    m.state_of_charge = pyo.Constraint(m.BATTERIES, m.SLOTS, rule=state_of_charge)

    def charge_mode(m: Any, j: str, t: int) -> Any:
        return m.charge_mw[j, t] <= m.battery_power_mw[j] * m.charging[j, t]

    m.charge_mode = pyo.Constraint(m.BATTERIES, m.SLOTS, rule=charge_mode)

    def discharge_mode(m: Any, j: str, t: int) -> Any:
        return m.discharge_mw[j, t] <= m.battery_power_mw[j] * (1 - m.charging[j, t])

    m.discharge_mode = pyo.Constraint(m.BATTERIES, m.SLOTS, rule=discharge_mode)

    def terminal_energy(m: Any, j: str) -> Any:
        return m.energy_missing_mwh[j] + m.energy_mwh[j, last] >= m.energy_reference_mwh[j]

    m.terminal_energy = pyo.Constraint(m.BATTERIES, rule=terminal_energy)


def _generator(m: pyo.ConcreteModel, a: InstanceArrays) -> None:
    """A generator that is on gives between min and max (``generator_minimum``, ``generator_maximum``);
    going on is a start (``generator_starting``):

        min on[j,t] ≤ generator_mw[j,t] ≤ max on[j,t],   on[j,t] − on[j,t−1] ≤ start[j,t]
    """
    was_on = dict(zip(a.sites, a.state.generator_on.astype(float).tolist(), strict=True))
    m.generator_mw = pyo.Var(m.GENERATORS, m.SLOTS, bounds=lambda m, j, t: (0, m.generator_max_mw[j]))
    m.generator_on = pyo.Var(m.GENERATORS, m.SLOTS, domain=pyo.Binary)
    m.generator_start = pyo.Var(m.GENERATORS, m.SLOTS, bounds=(0, 1))

    def generator_maximum(m: Any, j: str, t: int) -> Any:
        return m.generator_mw[j, t] <= m.generator_max_mw[j] * m.generator_on[j, t]

    m.generator_maximum = pyo.Constraint(m.GENERATORS, m.SLOTS, rule=generator_maximum)

    def generator_minimum(m: Any, j: str, t: int) -> Any:
        return m.generator_mw[j, t] - m.generator_min_mw[j] * m.generator_on[j, t] >= 0

    m.generator_minimum = pyo.Constraint(m.GENERATORS, m.SLOTS, rule=generator_minimum)

    def generator_starting(m: Any, j: str, t: int) -> Any:
        before = m.generator_on[j, t - 1] if t > 0 else was_on[j]
        return m.generator_on[j, t] - before <= m.generator_start[j, t]

    m.generator_starting = pyo.Constraint(m.GENERATORS, m.SLOTS, rule=generator_starting)


def _cooling(m: pyo.ConcreteModel, a: InstanceArrays) -> None:
    """Room temperature θ at the end of the slot (``room_heat``; above it, cool air is recirculated, hence ≥)
    and heat left over at the end (``terminal_heat``):

        θ[j,t] ≥ (1 − ΔU/C) θ[j,t−1] + (Δ/C) (it_mw − cop cooling_mw) + (ΔU/C) outside,   min ≤ θ ≤ max
        heat_leftover_c[j] ≥ θ[j,T−1] − reference temperature
    """
    start = dict(zip(a.sites, a.state.temperature_c.tolist(), strict=True))
    last = a.n_slots - 1
    m.cooling_mw = pyo.Var(m.ROOMS, m.SLOTS, bounds=lambda m, j, t: (0, m.cooling_max_mw[j]))
    m.temperature_c = pyo.Var(m.ROOMS, m.SLOTS, bounds=lambda m, j, t: (m.min_c[j], m.max_c[j]))
    m.heat_leftover_c = pyo.Var(
        m.ROOMS, bounds=lambda m, j: (0, max(m.max_c[j] - m.temperature_reference_c[j], 0.0))
    )

    def room_heat(m: Any, j: str, t: int) -> Any:
        per_mw = a.slot_hours / m.heat_capacity[j]
        leak = per_mw * m.leak_mw_per_c[j]
        heating = per_mw * m.it_mw[j, t] - per_mw * m.cop[j, t] * m.cooling_mw[j, t]
        if t == 0:
            known = leak * m.outside_c[j, t] + (1 - leak) * start[j]
            return m.temperature_c[j, t] - heating >= known
        kept = (1 - leak) * m.temperature_c[j, t - 1]
        return m.temperature_c[j, t] - kept - heating >= leak * m.outside_c[j, t]

    m.room_heat = pyo.Constraint(m.ROOMS, m.SLOTS, rule=room_heat)

    def terminal_heat(m: Any, j: str) -> Any:
        return m.heat_leftover_c[j] - m.temperature_c[j, last] >= -m.temperature_reference_c[j]

    m.terminal_heat = pyo.Constraint(m.ROOMS, rule=terminal_heat)


def _balance(m: pyo.ConcreteModel) -> None:
    """Power at each site and slot (``power_balance``), facility power being pue·P, or P + p_cool with pue 1:

    import_mw + renewable_mw + discharge_mw + generator_mw = pue it_mw + cooling_mw + charge_mw + export_mw
    """

    def power_balance(m: Any, j: str, t: int) -> Any:
        supply = m.import_mw[j, t] + m.renewable_mw[j, t]
        use = m.pue[j, t] * m.it_mw[j, t] + m.export_mw[j, t]
        if j in m.BATTERIES:
            supply += m.discharge_mw[j, t]
            use += m.charge_mw[j, t]
        if j in m.GENERATORS:
            supply += m.generator_mw[j, t]
        if j in m.ROOMS:
            use += m.cooling_mw[j, t]
        return supply == use

    m.power_balance = pyo.Constraint(m.SITES, m.SLOTS, rule=power_balance)


def _objective(m: pyo.ConcreteModel, a: InstanceArrays) -> None:
    """Maximise utility = revenue + export − every other term (USD), the terms of ``Evaluation.breakdown``.

    One Expression per term; ``import_`` because ``import`` is a Python keyword.
    """
    dt, last, total = m.slot_hours, a.n_slots - 1, pyo.quicksum
    grid = [(j, t) for j in m.SITES for t in m.SLOTS]
    fuelled = [(j, t) for j in m.GENERATORS for t in m.SLOTS]
    per_kg = m.carbon_price / 1000
    terms = {
        "revenue": total(m.option_revenue[o] * m.runs[o, t] for o in m.OPTIONS for t in m.SLOTS),
        "transfer": total(
            m.transfer_cost[i, j] * m.payload_gb[k] * m.transfers[i, j, k, t]
            for i, j, k in m.ROUTES
            for t in m.SLOTS
        ),
        "miss_penalty": total(m.penalty_per_job[k] * m.lost[i, k, t] for i, k in m.QUEUES for t in m.SLOTS),
        "import_": total(m.import_price[at] * dt * m.import_mw[at] for at in grid),
        "export": total(m.export_price[at] * dt * m.export_mw[at] for at in grid),
        "carbon": total(per_kg * m.carbon_kg_per_mwh[at] * dt * m.import_mw[at] for at in grid)
        + total(per_kg * m.generator_carbon[j] * dt * m.generator_mw[j, t] for j, t in fuelled),
        "wear": total(m.wear_cost[j] * dt * m.discharge_mw[j, t] for j in m.BATTERIES for t in m.SLOTS),
        "fuel": total(m.fuel_cost[j] * dt * m.generator_mw[j, t] for j, t in fuelled)
        + total(m.no_load_cost[j] * dt * m.generator_on[j, t] for j, t in fuelled),
        "startup": total(m.startup_cost[j] * m.generator_start[j, t] for j, t in fuelled),
        "demand": total(m.demand_charge[j] * (m.peak_mw[j] - m.peak_so_far_mw[j]) for j in m.PEAKS),
        "terminal": total(m.terminal_price[j] * m.energy_missing_mwh[j] for j in m.BATTERIES)
        + total(
            m.heat_capacity[j] / m.cop[j, last] * m.terminal_price[j] * m.heat_leftover_c[j] for j in m.ROOMS
        ),
    }
    for name, term in terms.items():
        m.add_component(name, pyo.Expression(expr=term))
    income = m.revenue + m.export
    costs = total(m.component(name) for name in terms if name not in ("revenue", "export"))
    m.utility = pyo.Objective(expr=income - costs, sense=pyo.maximize)
