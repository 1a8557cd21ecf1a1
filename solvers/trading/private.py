"""What one provider (ASP) knows of a problem, as a problem of its own.

Everybody's own problems stand side by side in one batch, provider by provider: that of provider i in instance
b of N is number i·N + b. In it the other places are bare: they have no GPUs, power, jobs or prices. As hosts
they take any job without time or energy; as origins they have jobs that may come. What that costs is the
price of a job run at a host, so trade looks like transfers in an ordinary problem.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.plant.site_numbers import SLOT_SERIES
from stepwatt.formulation.plant.stacked import UNLIMITED, Problem
from stepwatt.formulation.plant.state import PlantState

Numbers = NDArray[Any]

_OPTIONS = tuple(more + name for more in ("", "more_") for name in ("seconds", "energy", "power", "revenue"))
_CLOCKS = ("shortest", "span", "last_choice")
#: By place (N,J): what a bare place has instead of 0.
_ONES = (
    "meter_share",
    "per_gpu",
    "charge_efficiency",
    "discharge_efficiency",
    "mw_per_degree",
    "per_power",
    "per_energy",
)
#: By origin: the first axis behind the batch is the one whose data it is.
_BY_ORIGIN = ("arrivals", "recent", "moving_cost", "link", "open", "first_waiting")


def own_place(n: int, batch: int) -> Numbers:
    """(n·N,n) 1 at the place of each provider."""
    return np.eye(n).repeat(batch, 0)


def own_rows(values: Numbers, n: int) -> Numbers:
    """(N,n,...) of values (n·N,n,...): what each provider says of its own place."""
    batch = len(values) // n
    return np.stack([values[i * batch : (i + 1) * batch, i] for i in range(n)], axis=1)


def private(problem: Problem) -> Problem:
    """The own problems of all providers, before any trade: no price, and nothing to come."""
    n, batch = problem.shape.sites, len(problem)
    index, at = np.tile(np.arange(batch), n), own_place(n, batch)
    found: dict[str, Any] = {}
    for f in fields(problem):
        values = getattr(problem, f.name)
        if f.name in ("shape", "parts"):
            continue
        if f.name in (*SLOT_SERIES, "arrivals", "recent"):
            found[f.name] = _kept(values[:, index], at, 1)
        elif f.name in (*_OPTIONS, *_CLOCKS, "row"):
            found[f.name] = _kept(values[index if len(values) > 1 else np.zeros_like(index)], at, 0)
        elif f.name in _BY_ORIGIN or values.shape == problem.gpus.shape:
            found[f.name] = _kept(values[index], at, 0)
        else:
            found[f.name] = values[index]
    for name in _ONES:
        found[name] = found[name] + (1 - at)
    # a bare place takes a job by its only option
    found["row"] = np.where(at[..., None, None] > 0, found["row"], -1)
    found["row"][..., 0] = np.where(at[..., None] > 0, found["row"][..., 0], 0)
    found["miss_penalty"] = problem.miss_penalty[index] * at[..., None]
    found["link"] = found["link"] + UNLIMITED * (1 - at[..., None])
    served = np.broadcast_to((problem.row >= 0).any(-1), (batch, *problem.row.shape[1:3]))[index]
    comes = (served * at[..., None]).sum(1)  # (n·N,K) whether it serves the class
    into = (1 - at)[:, :, None, None] * comes[:, None, :, None] * at[:, None, None, :]
    found["open"] = found["open"] + into
    found["closed"] = (found["open"] - 1) * 1e3
    found["home"] = np.zeros_like(found["open"])
    best = np.where(found["row"] >= 0, found["revenue"], 0.0).max((1, 3))  # (n·N,K)
    earned = (found["arrivals"].sum(2).max(0) * (best + problem.miss_penalty[index][:, 0])).sum(-1)
    found["money_scale"] = np.where(earned > 0, earned, 1.0)
    found["job_scale"] = np.ones_like(problem.job_scale[index])
    found["per_job"] = np.ones_like(problem.per_job[index])
    return replace(problem, **found)


def private_state(state: PlantState, n: int) -> PlantState:
    """What each provider knows of the state."""
    batch = len(state.energy)
    index, at = np.tile(np.arange(batch), n), own_place(n, batch)
    return PlantState(**{f.name: _kept(getattr(state, f.name)[index], at, 0) for f in fields(state)})


def _kept(values: Numbers, at: Numbers, axis: int) -> Numbers:
    """Values (...,A,n,...) where ``at`` (A,n), 0 elsewhere; the axis of A is given."""
    shape = [1] * axis + list(at.shape) + [1] * (values.ndim - axis - 2)
    return np.where(at.reshape(shape) > 0, values, np.zeros((), values.dtype))
