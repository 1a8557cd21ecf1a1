"""The decision process: what is seen, done and paid, slot by slot."""

from typing import TYPE_CHECKING

from stepwatt.formulation.lazy import on_first_use

if TYPE_CHECKING:
    from .batched import SchedulingEnv
    from .task import TaskSettings
    from .world import Pool, World, make_pool

__all__ = ["Pool", "SchedulingEnv", "TaskSettings", "World", "make_pool"]

__getattr__ = on_first_use(
    __name__,
    {
        "Pool": "world",
        "SchedulingEnv": "batched",
        "TaskSettings": "task",
        "World": "world",
        "make_pool": "world",
    },
)
