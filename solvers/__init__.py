"""Oracle, bounds, rolling horizon and rules: from an instance to a judged schedule.

What works on tables or on many instances is loaded on first use, and so are methods: who plans from a file
waits for neither pandas nor HiGHS.
"""

from typing import TYPE_CHECKING

from stepwatt.formulation.lazy import on_first_use

from .interface.dual_prices import Prices
from .interface.errors import SolverError
from .interface.result import Result, Seconds, Status, relative_gap
from .interface.settings import Progress, Settings
from .methods import METHODS, solve

if TYPE_CHECKING:
    from .batch import BatchError, solve_each, solve_many
    from .distributed.accounts import Accounts, accounts
    from .distributed.coordination import Distribution, distribute
    from .infeasibility.explain import explain
    from .infeasibility.explanation import Explanation

__all__ = [
    "METHODS",
    "Accounts",
    "BatchError",
    "Distribution",
    "Explanation",
    "Prices",
    "Progress",
    "Result",
    "Seconds",
    "Settings",
    "SolverError",
    "Status",
    "accounts",
    "distribute",
    "explain",
    "relative_gap",
    "solve",
    "solve_each",
    "solve_many",
]

__getattr__ = on_first_use(
    __name__,
    {
        "Accounts": "distributed.accounts",
        "BatchError": "batch",
        "Distribution": "distributed.coordination",
        "Explanation": "infeasibility.explanation",
        "accounts": "distributed.accounts",
        "distribute": "distributed.coordination",
        "explain": "infeasibility.explain",
        "solve_each": "batch",
        "solve_many": "batch",
    },
)
