"""How much is measured: the full benchmark, a quick look, and a smoke test."""

from __future__ import annotations

from dataclasses import dataclass, field

from .cases import Case, hourly


@dataclass(frozen=True)
class Profile:
    """Sizes, repetitions and time limits (seconds) of every part.

    ``sizes`` (slots of five minutes) run at three sites from each of ``starts``, ``wide_sizes`` at six sites
    from the first start; ``time_limit`` is for the largest of them, ``short_limit`` for the others.
    ``rolling_*``: slots decided, their length, look-ahead, every how many slots a model
    is built anew. ``growth``: cases that differ in length only.
    """

    name: str
    sizes: tuple[int, ...]
    wide_sizes: tuple[int, ...]
    starts: tuple[str, ...]
    repetitions: int
    time_limit: float
    small: int
    build_size: int
    build_times: int
    rolling_slots: int
    rolling_minutes: int
    rolling_hours: float
    rolling_every: int
    short_limit: float = 90.0
    growth: tuple[Case, ...] = ()
    large: tuple[Case, ...] = ()
    scale_limit: float = 1800.0
    gap: float = 1e-4
    scale_gap: float = 1e-3
    small_batch: int = 10
    small_limit: float = 5.0
    layers: tuple[str, ...] = field(default=("raw", "ours", "linopy", "pyomo"))


def _growth(sites: int, **lengths: int) -> tuple[Case, ...]:
    return tuple(
        hourly(f"{name} at one hour, {sites} sites", slots, sites) for name, slots in lengths.items()
    )


FULL = Profile(
    name="full",
    sizes=(12, 24, 96, 288),
    wide_sizes=(96, 288),
    starts=("2018-06-12", "2018-01-15", "2018-10-03"),
    repetitions=3,
    time_limit=600.0,
    small=200,
    build_size=288,
    build_times=7,
    rolling_slots=288,
    rolling_minutes=5,
    rolling_hours=24.0,
    rolling_every=25,
    growth=_growth(10, day=24, week=168, month=720, year=8760),
    large=(
        Case("week at five minutes, 3 sites", 2016),
        hourly("288 slots, 20 sites, 10 classes", 288, 20, classes=10),
    ),
)

QUICK = Profile(
    name="quick",
    sizes=(4, 12, 24),
    wide_sizes=(12,),
    starts=("2018-06-12",),
    repetitions=2,
    time_limit=10.0,
    short_limit=10.0,
    small=20,
    build_size=96,
    build_times=3,
    rolling_slots=48,
    rolling_minutes=30,
    rolling_hours=24.0,
    rolling_every=7,
    growth=_growth(3, day=24, half_week=84, week=168),
    large=(hourly("12 slots, 15 sites, 5 classes", 12, 15, classes=5),),
    scale_limit=60.0,
)

TINY = Profile(
    name="tiny",
    sizes=(3,),
    wide_sizes=(),
    starts=("2018-06-12",),
    repetitions=1,
    time_limit=2.0,
    small=2,
    build_size=3,
    build_times=1,
    rolling_slots=3,
    rolling_minutes=60,
    rolling_hours=2.0,
    rolling_every=1,
    growth=_growth(2, two=2, three=3, four=4),
    scale_limit=20.0,
)

PROFILES = {profile.name: profile for profile in (FULL, QUICK, TINY)}
