"""A whole training: settings, loop, logs, checkpoints, families of days."""

from typing import TYPE_CHECKING

from stepwatt.formulation.lazy import on_first_use

if TYPE_CHECKING:
    from .loop import AsksForPolicy, TrainingOutcome, build_agent, train_agent

__all__ = ["AsksForPolicy", "TrainingOutcome", "build_agent", "train_agent"]

__getattr__ = on_first_use(
    __name__,
    {
        "AsksForPolicy": "loop",
        "TrainingOutcome": "loop",
        "build_agent": "loop",
        "train_agent": "loop",
    },
)
