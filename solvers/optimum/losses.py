"""What each decision of a schedule loses at the optimum's prices: nothing less than zero, all of it the gap.

For maximise c·x with rows row_lower ≤ Ax ≤ row_upper and boxes, any y splits the distance of its bound from
the utility of a feasible x, c·x = (c − Aᵀy)·x + y·Ax, into what each column and each row misses:

    bound(y) − c·x = Σ (max over the box of r·z − r·x) + Σ (y·side − y·(Ax)),   r = c − Aᵀy,

complementary slackness in money (Dantzig 1963, ch. 6). No term is negative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Evaluation, InstanceArrays, Schedule
from stepwatt.formulation.milp.linear_problem import LinearProblem

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Losses:
    """USD that each column and each row misses; together ``bound`` less the utility of the schedule.

    ``x`` is the whole solution vector of the schedule.
    """

    columns: Floats
    rows: Floats
    bound: float
    x: Floats


def losses(
    p: LinearProblem, a: InstanceArrays, row_dual: Floats, schedule: Schedule, judged: Evaluation
) -> Losses:
    """The distance of a feasible schedule from the bound of the duals, term by term."""
    x = whole_vector(p, a, schedule, judged)
    y = np.where((row_dual > 0) & ~np.isfinite(p.row_upper), 0.0, row_dual)
    y = np.where((y < 0) & ~np.isfinite(p.row_lower), 0.0, y)
    sides = np.where(y == 0, 0.0, np.where(y > 0, p.row_upper, p.row_lower))
    reduced = p.cost - p.matrix.T @ y
    best = np.maximum(reduced * p.lower, reduced * p.upper)
    bound = float((y * sides).sum() + best.sum() + p.offset)
    return Losses(best - reduced * x, y * (sides - p.matrix @ x), bound, x)


def whole_vector(p: LinearProblem, a: InstanceArrays, schedule: Schedule, judged: Evaluation) -> Floats:
    """The solution vector of a judged schedule, with all that follows from its decisions."""
    at, x = p.members, p.vector(a, schedule)
    starts = judged.generator_on & ~np.concatenate(
        [a.state.generator_on[:, None], judged.generator_on[:, :-1]], axis=1
    )
    importing = schedule.import_mw > schedule.export_mw
    follows = {
        "lost": judged.lost[at.queue_origin, at.queue_class],
        "waiting": judged.waiting[at.queue_origin, at.queue_class],
        "it_mw": judged.it_mw,
        "peak_mw": judged.peak_mw[at.peaks],
        "metered_mw": judged.metered_mw[at.meters],
        "importing": importing[at.feeds_in],
        "charging": (schedule.charge_mw > schedule.discharge_mw)[at.batteries],
        "energy_mwh": judged.energy_mwh[at.batteries, 1:],
        "energy_missing_mwh": np.maximum(a.energy_reference_mwh - judged.energy_mwh[:, -1], 0.0)[
            at.batteries
        ],
        "generator_on": judged.generator_on[at.generators],
        "generator_start": starts[at.generators],
        "temperature_c": judged.temperature_c[at.rooms, 1:],
        "heat_leftover_c": np.maximum(judged.temperature_c[:, -1] - a.temperature_reference_c, 0.0)[at.rooms],
    }
    for name, values in follows.items():
        x[p.columns[name].ids] = values
    return x
