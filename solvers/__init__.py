"""Oracle, bounds, rolling horizon and rules: from an instance to a judged schedule."""

from .highs import SolverError
from .methods import METHODS, solve
from .prices import Prices
from .result import Result, Seconds, Status, relative_gap
from .settings import Progress, Settings

__all__ = [
    "METHODS",
    "Prices",
    "Progress",
    "Result",
    "Seconds",
    "Settings",
    "SolverError",
    "Status",
    "relative_gap",
    "solve",
]
