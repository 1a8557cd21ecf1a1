"""What a policy answers, by name and in natural units: ``{"steps": 20, "battery_mw": {"oslo": -0.1}}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InputError, InstanceArrays
from stepwatt.formulation.errors import one_of
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.state import PlantState, Request
from stepwatt.formulation.plant.step import must_run
from stepwatt.solvers.planners.practice import nearest_clock, setpoint_cooling

Floats = NDArray[np.float64]

#: Steps of a job where nothing is said, as in :func:`stepwatt.rules`.
USUAL_STEPS = 30

#: What can be said: name → what it means, and what is done where it is not said.
SAID = {
    "route": "site to which jobs go, or {site: share}, by origin and class; home",
    "hold": "share of the jobs that may wait which do, by origin and class, 0 to 1; 0",
    "steps": "denoising steps, by site and class: two step counts are mixed to the mean that is said; 30",
    "model": "model, by site and class; the first that the site has for the class",
    "clock": "name of the clock, by site and class; the one whose speed is nearest 1",
    "battery_mw": "by site, above 0 charges, below 0 discharges; 0",
    "setpoint_c": "temperature to which the room is cooled, by site; no cooler than the ceiling asks for",
    "cooling_mw": "power of the cooling, by site, instead of a set point; no more than the ceiling asks for",
    "generator_mw": "by site; 0, which is off",
}


def request_of(
    a: InstanceArrays, problem: Problem, t: int, state: PlantState, said: Mapping[str, Any]
) -> Request:
    """The request (batch of one) that a named action makes in slot ``t``.

    Everything may be one value for all, ``{site: value}``, or by class ``{site: {class: value}}``.

    Raises:
        InputError: an unknown name, site, class, model or clock, other than a finite number where one is
            expected, a route to a site that does not serve the class.
    """
    for name in said:
        if name not in SAID:
            raise InputError(field="action", value=name, expected=one_of(SAID, str(name)))
    if "setpoint_c" in said and "cooling_mw" in said:
        raise InputError(field="action", value="setpoint_c and cooling_mw", expected="one of both")
    transfers = _sent(a, problem, t, state, said)
    mix = _mix(a, problem, said)
    cooling = _numbers(a, said, "cooling_mw", 0.0, low=0.0)
    if "setpoint_c" in said:
        setpoint = _numbers(a, said, "setpoint_c", np.nan)
        sent = transfers.sum(axis=1).swapaxes(1, 2)  # (1,J,K)
        it_mw = (np.asarray(problem.power * mix).sum(axis=-1) * sent).sum(axis=-1)
        wanted = np.where(np.isnan(setpoint), a.max_c, setpoint)
        cooled = setpoint_cooling(problem, t, state, it_mw, wanted[None])[0]
        cooling = np.where(np.isnan(setpoint), 0.0, cooled)
    return Request(
        transfers=transfers,
        mix=mix,
        cooling=cooling[None],
        battery=_numbers(a, said, "battery_mw", 0.0)[None],
        generator=_numbers(a, said, "generator_mw", 0.0, low=0.0)[None],
    )


def _sent(a: InstanceArrays, problem: Problem, t: int, state: PlantState, said: Mapping[str, Any]) -> Floats:
    """(1,I,K,J) jobs."""
    at_hand, must = (np.asarray(jobs)[0] for jobs in must_run(numpy_engine(), problem, t, state))
    hold = np.zeros((len(a.sites), len(a.classes)))
    for (i, k), value in _spread(a, said, "hold"):
        hold[i, k] = _number(value, f"action.hold.{a.sites[i]}.{a.classes[k]}", low=0.0, high=1.0)
    share = np.array(np.asarray(problem.home)[0])
    for (i, k), value in _spread(a, said, "route"):
        share[i, k] = _route(a, i, k, value)
    sent: Floats = (at_hand - hold * (at_hand - must))[..., None] * share
    return sent[None]


def _route(a: InstanceArrays, i: int, k: int, value: Any) -> Floats:
    """(J,) shares of the sites."""
    field = f"action.route.{a.sites[i]}.{a.classes[k]}"
    served = a.served()[:, k] & a.transfer_allowed[i]
    open_sites = [name for name, serves in zip(a.sites, served, strict=True) if serves]
    shares = np.zeros(len(a.sites))
    for site, share in value.items() if isinstance(value, Mapping) else [(value, 1.0)]:
        if site not in open_sites:
            raise InputError(field=field, value=site, expected=one_of(open_sites, site))
        shares[a.sites.index(site)] = _number(share, f"{field}.{site}", low=0.0)
    if abs(shares.sum() - 1.0) > 1e-6:
        raise InputError(field=field, value=value, expected="shares that add up to 1")
    shares /= shares.sum()
    return shares


def _mix(a: InstanceArrays, problem: Problem, said: Mapping[str, Any]) -> Floats:
    """(1,J,K,F·C) shares of the options."""
    row = np.asarray(problem.row)[0]
    n, k = len(a.sites), len(a.classes)
    steps = np.full((n, k), float(USUAL_STEPS))
    for (j, c), value in _spread(a, said, "steps"):
        steps[j, c] = _number(value, f"action.steps.{a.sites[j]}.{a.classes[c]}", low=0.0)
    model, clock = dict(_spread(a, said, "model")), dict(_spread(a, said, "clock"))
    mix = np.zeros(row.shape)
    for j, c in np.ndindex(n, k):
        rows = np.flatnonzero((a.options.site == j) & (a.options.job_class == c))
        if not len(rows):
            mix[j, c, 0] = 1.0
            continue
        for option, share in _shares(a, rows, float(steps[j, c]), model.get((j, c)), clock.get((j, c))):
            mix[j, c, int(np.argmax(row[j, c] == option))] += share
    return mix[None]


def _shares(
    a: InstanceArrays, rows: NDArray[np.int64], steps: float, model: str | None, clock: str | None
) -> list[tuple[int, float]]:
    """Rows of a site's options for a class, and the share of the jobs that each runs."""
    o = a.options
    j, c = int(o.site[rows[0]]), int(o.job_class[rows[0]])
    names = list(dict.fromkeys(a.models[m] for m in o.model[rows]))
    where = f"{a.sites[j]}.{a.classes[c]}"
    if model is not None and model not in names:
        raise InputError(field=f"action.model.{where}", value=model, expected=one_of(names, model))
    rows = rows[o.model[rows] == a.models.index(names[0] if model is None else model)]
    clocks = [a.clocks[j][f] for f in dict.fromkeys(o.clock[rows].tolist())]
    if clock is not None and clock not in clocks:
        raise InputError(field=f"action.clock.{where}", value=clock, expected=one_of(clocks, clock))
    level = nearest_clock(a, rows) if clock is None else a.clocks[j].index(clock)
    rows = rows[o.clock[rows] == level]
    rows = rows[np.argsort(o.steps[rows], kind="stable")]
    counts = o.steps[rows].astype(float)
    wanted = float(np.clip(steps, counts[0], counts[-1]))
    upper = int(np.searchsorted(counts, wanted))
    if counts[upper] == wanted:
        return [(int(rows[upper]), 1.0)]
    share = (wanted - counts[upper - 1]) / (counts[upper] - counts[upper - 1])
    return [(int(rows[upper]), share), (int(rows[upper - 1]), 1.0 - share)]


def _spread(a: InstanceArrays, said: Mapping[str, Any], name: str) -> list[tuple[tuple[int, int], Any]]:
    """What was said of sites (origins) and classes: ((site, class), value), of those of which it was."""
    if name not in said:
        return []
    everyone = range(len(a.classes))
    found: list[tuple[tuple[int, int], Any]] = []
    for j, value in _by(a.sites, said[name], f"action.{name}"):
        if isinstance(value, Mapping):
            inside = _by(a.classes, value, f"action.{name}.{a.sites[j]}")
            found += [((j, k), one) for k, one in inside]
        else:
            found += [((j, k), value) for k in everyone]
    return found


def _by(names: tuple[str, ...], value: Any, field: str) -> list[tuple[int, Any]]:
    if not isinstance(value, Mapping):
        return [(number, value) for number in range(len(names))]
    for name in value:
        if name not in names:
            raise InputError(field=field, value=name, expected=one_of(names, name))
    return [(names.index(name), one) for name, one in value.items()]


def _numbers(
    a: InstanceArrays, said: Mapping[str, Any], name: str, default: float, *, low: float = -np.inf
) -> Floats:
    """(J,) numbers by site."""
    found = np.full(len(a.sites), default)
    if name in said:
        for j, value in _by(a.sites, said[name], f"action.{name}"):
            found[j] = _number(value, f"action.{name}.{a.sites[j]}", low=low)
    return found


def _number(value: Any, field: str, *, low: float = -np.inf, high: float = np.inf) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not (np.isfinite(number) and low <= number <= high):
        ends = {f"{low:g} or more": low, f"{high:g} or less": high}
        named = [end for end, side in ends.items() if np.isfinite(side)]
        raise InputError(field=field, value=value, expected=", ".join(["a finite number", *named]))
    return number
