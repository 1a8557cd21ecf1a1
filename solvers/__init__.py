"""Oracle, bounds, rolling horizon and rules: from an instance to a judged schedule."""

from .batch import BatchError, solve_each, solve_many
from .distributed.accounts import Accounts, accounts
from .distributed.coordination import Distribution, distribute
from .highs.session import SolverError
from .infeasibility.explain import explain
from .infeasibility.explanation import Explanation
from .interface.dual_prices import Prices
from .interface.result import Result, Seconds, Status, relative_gap
from .interface.settings import Progress, Settings
from .methods import METHODS, solve

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
