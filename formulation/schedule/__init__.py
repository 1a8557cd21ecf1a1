"""What is decided, and what it is worth: the schedule and its one judge."""

from .evaluate import TOLERANCE, Evaluation, evaluate
from .schedule import SITE_FLOWS, Schedule, load_schedule

__all__ = ["SITE_FLOWS", "TOLERANCE", "Evaluation", "Schedule", "evaluate", "load_schedule"]
