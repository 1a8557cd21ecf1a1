"""From a trajectory of the environment to a schedule that ``evaluate`` judges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..instance.arrays import InstanceArrays
from ..schedule.schedule import Schedule
from .engine import Array
from .stacked import Problem
from .state import Outcome, Request

Floats = NDArray[np.float64]

_FLOWS = {
    "gpus_on": "gpus",
    "import_mw": "imported",
    "export_mw": "exported",
    "renewable_mw": "renewable",
    "charge_mw": "charge",
    "discharge_mw": "discharge",
    "generator_mw": "generator",
    "cooling_mw": "cooling",
}


def schedules(
    arrays: Sequence[InstanceArrays],
    problem: Problem,
    requests: Sequence[Request],
    outcomes: Sequence[Outcome],
) -> list[Schedule]:
    """The schedules of B instances from what was asked for and done in each of their slots."""
    table = _numpy(problem.row)
    row = np.broadcast_to(table, (len(problem), *table.shape[1:]))
    transfers = np.stack([_numpy(o.transfers) for o in outcomes], axis=-1)  # (B,I,K,J,T)
    jobs = np.stack([_numpy(o.jobs) for o in outcomes], axis=-1)  # (B,J,K,T)
    runs = [_runs(row, request, outcome) for request, outcome in zip(requests, outcomes, strict=True)]
    flows = {
        name: np.stack([_numpy(getattr(o, own)) for o in outcomes], axis=-1) for name, own in _FLOWS.items()
    }
    made = []
    for b, a in enumerate(arrays):
        counts = np.zeros((len(a.options), jobs.shape[-1]))
        for t, (rows, amounts) in enumerate(runs):
            kept = rows[b] >= 0
            np.add.at(counts[:, t], rows[b][kept], amounts[b][kept])
        made.append(
            Schedule(
                transfers=transfers[b].transpose(0, 2, 1, 3),
                runs=counts,
                **{name: values[b] for name, values in flows.items()},
            )
        )
    return made


def _runs(row: NDArray[Any], request: Request, outcome: Outcome) -> tuple[NDArray[Any], Floats]:
    """Rows of the options and jobs that ran with them, (B,·) each."""
    jobs = _numpy(outcome.jobs)
    if request.option is not None:
        longer = _numpy(outcome.longer)
        spread = np.stack([jobs - longer, longer], axis=-1)
        # where no job runs with a longer option, there need not be one
        index = _numpy(request.option)[..., None] + np.array([0, 1])
        rows = np.take_along_axis(row, np.minimum(index, row.shape[-1] - 1), axis=-1)
        return rows.reshape(len(rows), -1), spread.reshape(len(spread), -1)
    spread = _numpy(outcome.runs) if outcome.runs is not None else _numpy(request.mix) * jobs[..., None]
    return row.reshape(len(row), -1), spread.reshape(len(row), -1)


def _numpy(values: Array) -> NDArray[Any]:
    return np.asarray(values.cpu() if hasattr(values, "cpu") else values)
