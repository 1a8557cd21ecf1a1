"""The scheduling model: instance, options, schedule, evaluator, and the model in three statements.

This package knows nothing of solvers, learning or data sources.
"""

from .errors import InputError
from .instance.arrays import InstanceArrays, State
from .instance.conversion import instance_arrays
from .instance.instance import Instance, load
from .instance.options import Options, enumerate_options
from .schedule.evaluate import TOLERANCE, Evaluation, evaluate
from .schedule.schedule import SITE_FLOWS, Schedule, load_schedule

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
