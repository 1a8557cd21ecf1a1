"""The main job in one go: a real day in three countries, its optimum, bounds, baselines, learned policies."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from importlib.util import find_spec
from typing import Any

from stepwatt.formulation import Instance

from .comparing.comparison import Comparison
from .comparing.running import compare
from .learned import foresight, train

ZONES = ("DE", "FR", "DK")
DAY = date(2018, 6, 12)

#: Seconds that one method may search. Most need a few; the whole demonstration is to end within five minutes.
TIME_LIMIT = 20.0

#: Name in the table → method.
POLICIES = {
    "oracle": "oracle",
    "lp": "lp",
    "conic": "conic",
    "rolling, perfect": "rolling:perfect",
    "rolling, day-ahead": "rolling:day-ahead",
    "rolling, persistence": "rolling:persistence",
    "greedy": "greedy",
    "random": "random",
    "all-off": "all-off",
    "local": "local",
    "fixed-steps": "fixed-steps",
    "no-dvfs": "no-dvfs",
    "no-renewables": "no-renewables",
    "no-storage": "no-storage",
    "no-deferral": "no-deferral",
}


#: Five training days, solved and cloned, then a little reinforcement learning: well below a minute.
SHORT_TRAINING = (
    "family.slot_minutes=5",
    "family.every=40",
    "warm_start.updates=1500",
    "env_steps=2000",
    "warmup_steps=1000",
    "agent.cloning_weight=10.0",
)


def demonstration(
    slots: int = 288, progress: Callable[[float, str], None] | None = None
) -> tuple[Instance, Comparison]:
    """The instance, and all policies on it; ``slots`` of five minutes, a day by default.

    Yesterday's instance serves as history for the persistence forecast.
    """
    from stepwatt.data import scenario

    inst = scenario("jemas", start=DAY.isoformat(), zones=ZONES, n_slots=slots)
    minutes = 5 * slots
    before = inst.start_time - timedelta(minutes=minutes)
    past = scenario("jemas", start=before.isoformat(), zones=ZONES, n_slots=slots)
    policies: dict[str, Any] = dict(POLICIES)
    if find_spec("torch") is not None:
        # what its first use on a machine compiles is not to count as time of planning
        foresight().schedule(scenario("jemas", start=DAY.isoformat(), zones=ZONES, n_slots=6))
        policies |= {
            f"foresight, {forecast}": f"foresight:{forecast}" for forecast in ("day-ahead", "persistence")
        }
        policies["learned"] = train(settings=SHORT_TRAINING, warm_start="clone", reward="dense")
    return inst, compare(inst, policies, history=past, gap=1e-4, time_limit=TIME_LIMIT, progress=progress)
