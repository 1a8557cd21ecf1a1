"""``sw.rules``: today's practice in a line, wherever a policy is asked for."""

from __future__ import annotations

from typing import Literal

from stepwatt.solvers.planners.practice import Rules


def rules(
    *,
    model: str | None = None,
    steps: int = 30,
    clock: str | None = None,
    route: Literal["home", "nearest", "cheapest"] = "home",
    charge: str | None = None,
    discharge: str | None = None,
    setpoint: float | None = None,
) -> Rules:
    """A policy of fixed rules, for :func:`stepwatt.compare`; every job runs as soon as it can.

    Args:
        model: runs all jobs; if not given, the first that a site has for the class.
        steps: of every job; the nearest count that class and model allow.
        clock: by name; if not given, or a site has none of the name, the one whose speed is nearest 1.
        route: ``home``; ``nearest``: where moving costs least, of sites with free GPUs; ``cheapest``:
            where moving and power together do.
        charge: hours of the local day in which batteries charge, such as ``"23:00-05:00"``.
        discharge: hours in which they discharge; if not given, all that are not for charging.
        setpoint: °C to which rooms are cooled; if not given, no more than their ceiling asks for.

    Raises:
        InputError: an unknown route, or hours that are none; an unknown model or clock when it plays.
    """
    return Rules(model, steps, clock, route, charge, discharge, setpoint)
