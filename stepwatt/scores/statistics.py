"""The rows of ``Comparison.statistics``: policies over a test set, with their intervals."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .intervals import Interval, difference_interval, iqm_interval, mean_interval, probability_of_improvement

Floats = NDArray[np.float64]

#: Seed of the bootstrap, so that a table comes out the same every time.
SEED = 0
_UNKNOWN = Interval(float("nan"), float("nan"), float("nan"))


class Results(Protocol):
    """Results of policies on cases (:class:`.scores.Scores`)."""

    @property
    def policies(self) -> list[str]:
        """Names."""
        ...

    @property
    def reference(self) -> str:
        """The policy that others are held against."""
        ...

    @property
    def results(self) -> pd.DataFrame:
        """One row per instance and run of a policy."""
        ...

    @property
    def table(self) -> pd.DataFrame:
        """One row per policy."""
        ...


def score_matrix(comparison: Results, policy: str, score: str) -> Floats | None:
    """A column of ``results`` as (S,N), runs × instances; None where the policy lacks any of it."""
    rows = comparison.results[comparison.results["policy"] == policy]
    if score not in rows:
        return None
    found = rows.pivot(index="seed", columns="number", values=score).to_numpy(dtype=float)
    return found if np.isfinite(found).all() else None


def statistics_table(comparison: Results) -> pd.DataFrame:
    """One row per policy; columns and meaning as in ``Comparison.statistics``."""
    rows = [_row(comparison, policy) for policy in comparison.policies]
    return pd.DataFrame(rows).set_index("policy")


def _row(comparison: Results, policy: str) -> dict[str, Any]:
    summary: dict[Any, Any] = comparison.table.loc[policy].to_dict()
    scores = {name: score_matrix(comparison, policy, name) for name in ("gap", "captured_share", "miss_rate")}
    gaps, shares, misses = scores.values()
    against = score_matrix(comparison, comparison.reference, "gap")
    better = difference = _UNKNOWN
    if gaps is not None and against is not None and policy != comparison.reference:
        better = probability_of_improvement(gaps, against, SEED)
        difference = difference_interval(gaps, against, SEED)
    latency = score_matrix(comparison, policy, "seconds_per_slot")
    return {
        "policy": policy,
        "kind": summary["kind"],
        "seeds": summary["seeds"],
        "instances": summary["instances"],
        **_columns("gap", iqm_interval(gaps, SEED) if gaps is not None else _UNKNOWN, least=0.0),
        **_columns(
            "captured_share", iqm_interval(shares, SEED) if shares is not None else _UNKNOWN, most=1.0
        ),
        **_columns("miss_rate", mean_interval(misses, SEED) if misses is not None else _UNKNOWN, 0.0, 1.0),
        "seconds_per_slot": float("nan") if latency is None else float(latency.mean()),
        **_columns("improvement", better),
        **_columns("difference", difference),
        "infeasible": summary["infeasible"],
        "flag": summary["flag"],
        "stopped": summary["stopped"],
    }


def _columns(
    name: str, interval: Interval, least: float = -math.inf, most: float = math.inf
) -> dict[str, float]:
    """Three columns; what no policy can have is cut off the interval, which covers no less without it."""
    point = interval.estimate
    low = np.maximum(interval.low, min(least, point))
    high = np.minimum(interval.high, max(most, point))
    return {name: point, f"{name}_low": float(low), f"{name}_high": float(high)}
