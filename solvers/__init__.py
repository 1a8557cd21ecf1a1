"""Oracle, bounds, rolling horizon and rules: from an instance to a judged schedule.

What works on tables is loaded on first use: who plans from a file does not wait for pandas.
"""

from typing import TYPE_CHECKING

from stepwatt.formulation.lazy import on_first_use

from .batch import BatchError, solve_each, solve_many
from .highs.session import SolverError
from .interface.dual_prices import Prices
from .interface.result import Result, Seconds, Status, relative_gap
from .interface.settings import Progress, Settings
from .methods import METHODS, solve

if TYPE_CHECKING:
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
        "Distribution": "distributed.coordination",
        "Explanation": "infeasibility.explanation",
        "accounts": "distributed.accounts",
        "distribute": "distributed.coordination",
        "explain": "infeasibility.explain",
    },
)
