"""Instances of one shape stacked as arrays, with what follows from their numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..instance.arrays import InstanceArrays
from ..instance.useful import largest_power_mw
from ..schedule.windows import safe_temperature
from .engine import Engine
from .site_numbers import Parts
from .stacked import SERIES, TABLES, UNLIMITED, URGENCY, Problem, Shape

Floats = NDArray[np.float64]


def stack(instances: Sequence[InstanceArrays], engine: Engine) -> Problem:
    """Instances as one problem on the engine.

    Raises:
        InputError: instances that differ in sites, classes, slots, clocks, or in what sites have at all.
    """
    shapes = [shape_of(a) for a in instances]
    # tables are as wide as the most options there are
    first = replace(shapes[0], choices=max(shape.choices for shape in shapes))
    for number, shape in enumerate(shapes):
        if replace(shape, choices=first.choices) != first:
            raise InputError(
                field=f"instances[{number}]", value=str(shape), expected=f"the first's shape, {first}"
            )
    parts = [numbers_of(a, first) for a in instances]
    stacked: dict[str, Any] = {}
    for name in parts[0]:
        axis = 1 if name in SERIES else 0
        values = np.stack([part[name] for part in parts], axis=axis)
        if name in TABLES and (values == values[:1]).all():
            values = values[:1]
        stacked[name] = engine.batch_inside(engine.asarray(values), axis)
    return Problem(shape=first, parts=_parts(instances), **stacked)


def _parts(instances: Sequence[InstanceArrays]) -> Parts:
    def anywhere(has: Callable[[InstanceArrays], Any]) -> bool:
        return any(bool(np.any(has(a))) for a in instances)

    return Parts(
        links=anywhere(lambda a: np.isfinite(a.link_gb_per_hour)),
        closed_ways=anywhere(lambda a: ~a.transfer_allowed) or anywhere(lambda a: ~a.served()),
        generators=anywhere(lambda a: a.generator),
        batteries=anywhere(lambda a: a.battery),
        rooms=anywhere(lambda a: a.thermal),
        fixed_cooling=anywhere(lambda a: ~a.thermal),
        odd_prices=anywhere(lambda a: (a.import_cost < 0) | (a.export_price <= 0)),
        demand_charges=anywhere(lambda a: a.demand_charge),
        meters=anywhere(lambda a: a.meters),
        feeds_in=anywhere(lambda a: a.feeds_in),
        uneven_steps=anywhere(_uneven),
    )


def shape_of(a: InstanceArrays) -> Shape:
    """The shape of one instance."""
    choices = _choices(a)
    return Shape(
        sites=len(a.sites),
        classes=len(a.classes),
        n_slots=a.n_slots,
        slot_hours=a.slot_hours,
        choices=max((len(rows) for rows in choices.values()), default=1),
        clocks=max(len(clocks) for clocks in a.clocks),
        has_generator=bool(a.generator.any()),
        has_demand_charge=bool((a.demand_charge > 0).any()),
    )


def _choices(a: InstanceArrays) -> dict[tuple[int, int, int], NDArray[np.int64]]:
    """(site, class, clock) → rows of the options, by rising GPU time."""
    o = a.options
    found: dict[tuple[int, int, int], NDArray[np.int64]] = {}
    for j in range(len(a.sites)):
        for k in range(len(a.classes)):
            for f in range(len(a.clocks[j])):
                rows = np.flatnonzero((o.site == j) & (o.job_class == k) & (o.clock == f))
                if len(rows):
                    found[j, k, f] = rows[np.lexsort((o.quality[rows], o.seconds[rows]))]
    return found


def numbers_of(a: InstanceArrays, shape: Shape) -> dict[str, NDArray[Any]]:
    """The arrays of :class:`.stacked.Problem` for one instance, without the axis N."""
    n, k = shape.sites, shape.classes
    tables = {
        name: np.zeros((n, k, shape.clocks, shape.choices)) for name in ("seconds", "energy", "revenue")
    }
    row = np.full((n, k, shape.clocks, shape.choices), -1, dtype=np.int64)
    count = np.ones((n, k, shape.clocks), dtype=np.int64)
    source = {"seconds": a.options.seconds, "energy": a.options.energy_mwh, "revenue": a.options.revenue}
    for (j, c, f), rows in _choices(a).items():
        row[j, c, f, : len(rows)] = rows
        count[j, c, f] = len(rows)
        for name, values in source.items():
            tables[name][j, c, f, : len(rows)] = values[rows]
    # a clock without an option for the class stands in for the nearest one that has some
    for j in range(n):
        for c in range(k):
            has = np.flatnonzero(row[j, c, :, 0] >= 0)
            for f in range(shape.clocks):
                if len(has) and row[j, c, f, 0] < 0:
                    near = has[np.argmin(np.abs(has - f))]
                    row[j, c, f], count[j, c, f] = row[j, c, near], count[j, c, near]
                    for table in tables.values():
                        table[j, c, f] = table[j, c, near]
    served = a.served()
    open_to = (a.transfer_allowed[:, None, :] & served.T[None, :, :]).astype(float)
    at_home = np.eye(n)[:, None, :] * open_to
    spread = open_to / np.maximum(open_to.sum(axis=2, keepdims=True), 1.0)
    per_gpu = a.seconds_per_gpu
    middle = tables["seconds"][:, :, 0, shape.choices // 2]
    least = np.where(row[..., 0] >= 0, tables["seconds"][..., 0], np.inf).min(axis=2)
    typical = np.maximum(np.where(middle > 0, middle, np.where(np.isfinite(least), least, 1.0)), 1e-3)
    fleet = (a.gpus * per_gpu)[:, None] / typical
    runnable = (fleet * served).sum(axis=0) / (n * k)
    # jobs that no site can run are nobody's concern: they are seen as none, however many come
    job_scale = np.where(runnable > 0, runnable, UNLIMITED)
    best = np.array([a.options.revenue[a.options.job_class == c].max(initial=0.0) for c in range(k)])
    idle_per_second = a.gpu_idle_mw / per_gpu
    tables["power"] = (
        tables["energy"] / a.slot_hours + idle_per_second[:, None, None, None] * tables["seconds"]
    )
    income = float((runnable * best).sum() * n)
    equipped = a.most_it_mw > 0
    usual_power = a.most_it_mw[equipped].mean() if equipped.any() else 1.0
    power = np.where(equipped, a.most_it_mw, usual_power)
    link = a.link_gb_per_hour * a.slot_hours
    heat_rate = np.where(a.thermal, a.slot_hours / a.heat_capacity, 0.0)
    import_limit = np.minimum(a.import_limit_mw, UNLIMITED)
    recent = np.stack([_recent(a, share) for share in URGENCY], axis=-1)
    return {
        "arrivals": a.arrivals.transpose(2, 0, 1),
        "recent": recent.transpose(2, 0, 1, 3),
        "import_cost": a.import_cost.T,
        "export_price": a.export_price.T,
        "renewable": a.renewable_mw.T,
        "from_outside": a.renewable_mw.T + import_limit,
        "pue": a.pue.T,
        "cop": a.cop.T,
        "outside": a.outside_c.T,
        "ceiling": safe_temperature(a)[:, 1:].T,
        "either_way": a.either_way.T.astype(float),
        "meter_share": a.meter_share.T,
        "meter_goes_on": a.meter_goes_on.T.astype(float),
        "miss_penalty": a.miss_penalty[None, :],
        "payload": a.payload_gb[None, :, None],
        "moving_cost": a.transfer_cost[:, None, :] * a.payload_gb[:, None],
        "link": np.where(np.isfinite(link), link, UNLIMITED),
        "open": open_to,
        "closed": (open_to - 1) * 1e3,
        "home": np.where(at_home.sum(axis=2, keepdims=True) > 0, at_home, spread),
        **{name: table.reshape(n, k, -1) for name, table in tables.items()},
        **{f"more_{name}": _more(table, count).reshape(n, k, -1) for name, table in tables.items()},
        "row": row.reshape(n, k, -1),
        "shortest": tables["seconds"][..., 0],
        "span": _more(tables["seconds"], count).sum(axis=-1),
        "last_choice": count - 1.0,
        "gpus": a.gpus.astype(float),
        "idle_mw": a.gpu_idle_mw,
        "per_gpu": per_gpu,
        "fleet_seconds": a.gpus * per_gpu,
        "import_limit": import_limit,
        "export_limit": np.minimum(a.export_limit_mw, UNLIMITED),
        "demand_charge": a.demand_charge,
        "thermal": a.thermal.astype(float),
        "cooling_max": a.cooling_max_mw,
        "heat_rate": heat_rate,
        "mw_per_degree": 1 / np.where(a.thermal, heat_rate, 1.0),
        "leak": a.leak_mw_per_c,
        "min_c": a.min_c,
        "max_c": a.max_c,
        "energy_min": a.energy_min_mwh,
        "energy_max": a.energy_max_mwh,
        "battery_power": a.battery_power_mw,
        "fill_mw": 1 / (a.charge_efficiency * a.slot_hours),
        "drain_mw": a.discharge_efficiency / a.slot_hours,
        "filled": a.slot_hours * a.charge_efficiency,
        "drained": a.slot_hours / a.discharge_efficiency,
        "charge_efficiency": a.charge_efficiency,
        "discharge_efficiency": a.discharge_efficiency,
        "wear_cost": a.wear_cost,
        "generator_max": a.generator_max_mw,
        "generator_min": a.generator_min_mw,
        "generator_cost": a.generator_cost,
        "no_load_cost": a.no_load_cost,
        "startup_cost": a.startup_cost,
        # a generator without a minimum may idle through a pause, where that is cheaper than a new start
        "idle_cost": np.where(a.generator_min_mw > 0, a.startup_cost, a.slot_hours * a.no_load_cost),
        "terminal_price": a.terminal_price,
        "terminal_heat_price": a.terminal_heat_price,
        "energy_reference": a.energy_reference_mwh,
        "temperature_reference": a.temperature_reference_c,
        "first_energy": a.state.energy_mwh,
        "first_temperature": a.state.temperature_c,
        "first_waiting": a.state.backlog.sum(axis=2),
        "first_restart": np.where(a.state.generator_on, 0.0, a.startup_cost),
        "first_peak": a.state.peak_mw,
        "first_metered": a.state.metered_mw,
        # machines that nobody can use leave nothing free
        "headroom": 1e-9 * np.minimum(power, largest_power_mw(a)),
        "site_power": power,
        "per_power": 1 / power,
        "per_energy": 1 / np.maximum(a.energy_max_mwh - a.energy_min_mwh, 1e-6 * power),
        "per_warmth": a.thermal / np.maximum(np.where(a.thermal, a.max_c - a.min_c, 1.0), 1e-6),
        "per_job": 1 / job_scale[None, :],
        "job_scale": job_scale[None, :],
        "money_scale": np.array(income if income > 0 else 1.0),
    }


def _more(table: Floats, count: NDArray[np.int64]) -> Floats:
    """(J,K,F,C) what the next longer choice has more; 0 for the last of ``count`` (J,K,F)."""
    more = np.diff(table, axis=-1, append=0.0)
    more[np.arange(table.shape[-1]) >= count[..., None] - 1] = 0.0
    return more


def _uneven(a: InstanceArrays) -> bool:
    """Whether GPU time rises by different steps along the options of some site, class and clock."""
    rises = (np.diff(a.options.seconds[rows]) for rows in _choices(a).values())
    return any(bool((np.abs(rise - rise[:1]) > 1e-9 * rise[:1]).any()) for rise in rises)


def _recent(a: InstanceArrays, share: float) -> Floats:
    """(I,K,T) the newest of the waiting jobs: those that need not run within ``share`` of their deadline.

    Share 0: how many may wait after the slot at all (FIFO); nothing may after the last slot of a horizon that
    closes.
    """
    past = a.state.backlog[:, :, ::-1]
    history = np.concatenate([past, a.arrivals], axis=2)
    total = np.concatenate([np.zeros((*history.shape[:2], 1)), np.cumsum(history, axis=2)], axis=2)
    last = np.arange(past.shape[2] + 1, history.shape[2] + 1)
    age = np.maximum(a.deadline - np.floor(share * a.deadline).astype(np.int64), 0)
    start = np.maximum(last[None, :] - age[:, None], 0)
    newest: Floats = total[:, :, last] - total[:, np.arange(len(a.deadline))[:, None], start]
    if a.closes:
        newest[:, :, -1] = 0.0
    return newest
