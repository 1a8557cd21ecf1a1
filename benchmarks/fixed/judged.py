"""What is kept of results, schedules and evaluations."""

from __future__ import annotations

from typing import Any

import numpy as np

import stepwatt as sw

from .digests import summary, whole


def schedule(inst: sw.Instance, made: sw.Schedule) -> dict[str, Any]:
    """A schedule and what it is worth."""
    found = sw.evaluate(inst, made)
    parts = {name: np.ravel(values) for name, values in vars(made).items()}
    jobs = [parts.pop(name) for name in ("transfers", "runs")]
    return {
        "feasible": found.feasible,
        "utility": found.utility,
        "money": whole(found.breakdown),
        "metrics": whole(found.metrics),
        "violations": whole(found.violations),
        "jobs": summary(np.concatenate(jobs)),
        "flows": summary(np.concatenate([parts[name] for name in sorted(parts)])),
    }


def result(found: sw.Result) -> dict[str, Any]:
    """A result of ``solve``."""
    made = {} if found.schedule is None else schedule(found.instance, found.schedule)
    return {
        "status": str(found.status),
        "bound": found.bound,
        "message": found.message,
        **made,
        "prices": None if found.prices is None else whole(vars(found.prices)),
    }
