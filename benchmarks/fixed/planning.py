"""Planners that see a forecast: rolling horizons and foresight, and the environment that policies see."""

from __future__ import annotations

from typing import Any

import numpy as np

import stepwatt as sw

from . import judged
from .digests import whole
from .instances import BEFORE, half_hours, instance
from .places import named
from .running import Items

FORECASTS = ("persistence", "day-ahead", "perfect")
PLANNED = ("half-hours", "five-minutes", "engines", "fluid", "example-5", "example-6")


def _past(name: str) -> sw.Instance | None:
    """The slots before, where there are any."""
    fluid = {"integral_jobs": False} if name == "fluid" else {}
    return half_hours(BEFORE, **fluid) if name in ("half-hours", "fluid") else None


def _rolling(name: str, forecast: str) -> dict[str, Any]:
    found = sw.solve(instance(name), "rolling", forecast=forecast, history=_past(name), seed=3)
    return judged.result(found)


def _rolling_short() -> dict[str, Any]:
    return judged.result(sw.solve(instance("half-hours"), "rolling", look_ahead_hours=4.0))


def _foresight(name: str, forecast: str, renewal_hours: float | None = None) -> dict[str, Any]:
    inst = instance(name)
    policy = sw.foresight(forecast, renewal_hours=renewal_hours, seed=3)
    return judged.schedule(inst, policy.schedule(inst, _past(name)))


def _episode() -> dict[str, Any]:
    """The environment as Gymnasium has it, under actions of a fixed pattern."""
    env = named("SchedulingGymEnv")([instance("fluid")])
    seen, info = env.reset(seed=0)
    box = env.action_space.shape
    assert box is not None
    paid: list[float] = []
    earned: list[float] = []
    observed, ended = [seen], False
    while not ended:
        action = np.sin(np.arange(box[0]) + len(paid)).astype(np.float32)
        seen, reward, ended, _, info = env.step(action)
        observed.append(seen)
        paid.append(float(reward))
        earned.append(info["utility"])
    return {
        "observations": whole(observed),
        "rewards": whole(paid),
        "utility": float(np.sum(earned)),
    }


ITEMS: Items = {
    **{
        f"{kind}/{name}/{forecast}": lambda plan=plan, name=name, forecast=forecast: plan(name, forecast)  # type: ignore[misc]
        for kind, plan in (("rolling", _rolling), ("foresight", _foresight))
        for name in PLANNED
        for forecast in FORECASTS
    },
    "rolling, four hours ahead": _rolling_short,
    "foresight, planned once": lambda: _foresight("half-hours", "day-ahead", 0.0),
    "foresight, planned every hour": lambda: _foresight("half-hours", "day-ahead", 1.0),
    "environment": _episode,
}
