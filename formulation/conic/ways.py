"""What to try where the interior-point solver Clarabel gets stuck."""

from __future__ import annotations

from typing import Any

#: Ends that say nothing about the problem.
STUCK = frozenset({"InsufficientProgress", "NumericalError", "MaxIterations"})

#: Settings to try one after the other: as they are, shorter steps, rows as they are, both.
WAYS: tuple[dict[str, Any], ...] = (
    {},
    {"max_step_fraction": 0.9},
    {"equilibrate_enable": False},
    {"max_step_fraction": 0.8, "equilibrate_enable": False},
)
