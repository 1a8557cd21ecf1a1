"""Oracle, bounds, rolling horizon and rules: from an instance to a judged schedule."""

from .accounts import Accounts, accounts
from .batch import BatchError, solve_each, solve_many
from .distributed import Distribution, distribute
from .explain import explain
from .explanation import Explanation
from .highs import SolverError
from .methods import METHODS, solve
from .prices import Prices
from .result import Result, Seconds, Status, relative_gap
from .settings import Progress, Settings

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
