"""A day played by trade between providers."""

from __future__ import annotations

from typing import Any

import stepwatt as sw

from . import judged
from .digests import summary, whole
from .instances import half_hours
from .places import named
from .running import Items

SLOTS = 4


def _days(start: str) -> list[sw.Instance]:
    return [half_hours(start, SLOTS, integral_jobs=False)]


def _played(speaker: Any) -> dict[str, Any]:
    days = _days("2018-06-12T16:00")
    played = named("play")(days, speaker)
    schedules = zip(days, played.schedules, strict=True)
    return {
        "days": [judged.schedule(inst, made) for inst, made in schedules],
        "utility": whole(played.utility),
        "certificate": summary(played.gap),
        "rounds": summary(played.rounds),
        "numbers": summary(played.numbers),
    }


def _rehearsed() -> dict[str, Any]:
    ready = named("rehearse")(_days("2018-06-12T16:00"), "day-ahead", seed=5, rehearsals=1)
    return {"opening": whole(ready.opening), **_played(ready)}


def _networks() -> dict[str, Any]:
    policy = named("teach")(_days("2018-06-11T16:00"), "day-ahead", seed=5, updates=40)
    return _played(named("networks")(policy, _days("2018-06-12T16:00"), "day-ahead", seed=5))


ITEMS: Items = {"rehearsed": _rehearsed, "networks": _networks}
