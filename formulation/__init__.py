"""The scheduling model: instance, options, schedule, evaluator, and the model in three statements.

This package knows nothing of solvers, learning or data sources.
"""

from .arrays import InstanceArrays, State, instance_arrays
from .errors import InputError
from .evaluate import TOLERANCE, Evaluation, evaluate
from .instance import Instance, load
from .options import Options, enumerate_options
from .schedule import SITE_FLOWS, Schedule, load_schedule

__all__ = [
    "SITE_FLOWS",
    "TOLERANCE",
    "Evaluation",
    "InputError",
    "Instance",
    "InstanceArrays",
    "Options",
    "Schedule",
    "State",
    "enumerate_options",
    "evaluate",
    "instance_arrays",
    "load",
    "load_schedule",
]
