"""What must hold however time is cut: into finer slots, into one horizon after the other."""

from __future__ import annotations

import copy

import numpy as np

from stepwatt.formulation import Instance, Schedule, evaluate
from stepwatt.solvers import solve

from .case import Case
from .finer import PARTS, exact_room, finer_file, finer_schedule, with_options_of


def finer_slots(case: Case, tolerance: float) -> list[str]:
    """The same powers at 60, 30, 15, 5 minutes: money and batteries alike, rooms within Euler's error."""
    found = []
    for name, (schedule, judged) in list(case.schedules.items())[:2]:
        for parts in (int(case.rng(8).choice(PARTS)),):
            fine = Instance.from_dict(finer_file(case.file, parts))
            again = evaluate(fine, with_options_of(finer_schedule(schedule, parts), case.a, fine.arrays()))
            for term, value in judged.breakdown.items():
                if term == "terminal":
                    continue
                off = case.apart("finer slots: money", again.breakdown[term] - value, value)
                if not off <= tolerance:
                    found.append(f"{name} in {parts} parts: {term} {again.breakdown[term]!r} for {value!r}")
            ends = again.energy_mwh[:, ::parts]
            if not np.abs(ends - judged.energy_mwh).max() <= 1e-9 * (1 + np.abs(ends).max()):
                found.append(f"{name} in {parts} parts: stored {ends.tolist()}")
            found += _rooms(case, schedule, again.temperature_c[:, ::parts], judged.it_mw, parts, name)
    return found


def _rooms(case: Case, schedule: Schedule, theta: object, it_mw: object, parts: int, name: str) -> list[str]:
    found = []
    warm, power = np.asarray(theta), np.asarray(it_mw)
    for j in np.flatnonzero(case.a.thermal):
        site = case.a.sites[j]
        exact = exact_room(case.inst, site, power[j], schedule.cooling_mw[j])
        if exact is None:
            continue
        apart = float(np.abs(warm[j] - np.array(exact[0])).max())
        if not apart <= exact[1] / parts + 1e-7:
            found.append(f"{name} in {parts} parts: {site} is {apart} °C off, at most {exact[1] / parts}")
    return found


def finer_worth(case: Case, tolerance: float) -> list[str]:
    """Finer slots only add choices, where no room's heat is stepped: the relaxation is worth no less."""
    if case.a.thermal.any() or "lp" not in case.bounds or case.infeasible:
        return []
    fine = solve(Instance.from_dict(finer_file(case.file, 2)), "lp")
    coarse = solve(Instance.from_dict({**finer_file(case.file, 1)}), "lp")
    if fine.bound is None or coarse.bound is None:
        return [f"no bound: {fine.status}, {coarse.status}"]
    short = case.above("lp: whole slots above halves", coarse.bound, fine.bound)
    return [] if short <= tolerance else [f"{coarse.bound!r}, in halves {fine.bound!r}"]


def parts_of_a_day(case: Case, tolerance: float) -> list[str]:
    """Cut in two, one after the other books what the whole books for the same schedule."""
    file = case.file
    every = int(np.lcm.reduce([s["grid"].get("demand_interval_slots", 1) for s in file["sites"].values()]))
    cuts = [t for t in range(1, case.inst.n_slots) if t % every == 0]
    if not cuts or not case.schedules:
        return []
    cut = int(case.rng(5).choice(cuts))
    whole = copy.deepcopy(file)
    for site in whole["sites"].values():
        site["terminal_price"] = 0.0
    first, second = _sliced(whole, 0, cut), _sliced(whole, cut, case.inst.n_slots)
    first["closes"] = False
    one = Instance.from_dict(first)
    second["start"] = one.end_time.isoformat()
    found = []
    for name, (schedule, _) in list(case.schedules.items())[:3]:
        if any(not _known_pause(site, schedule, j, cut) for j, site in enumerate(file["sites"].values())):
            continue
        early, late = (_cut(schedule, part) for part in (slice(0, cut), slice(cut, None)))
        early = with_options_of(early, case.a, one.arrays())
        two = one.after(early, Instance.from_dict({**second}))
        late = with_options_of(late, case.a, two.arrays())
        booked = evaluate(one, early), evaluate(two, late)
        together = evaluate(Instance.from_dict(whole), schedule)
        for term, value in together.breakdown.items():
            parts = sum(e.breakdown[term] for e in booked)
            if not case.apart("day in two, whole: money", parts - value, value) <= tolerance:
                found.append(f"{name} cut at {cut}: {term} {parts!r}, whole {value!r}")
        if booked[1].broken:
            found.append(f"{name} cut at {cut}: the second part breaks {booked[1].broken}")
    return found


def _known_pause(site: dict[str, object], schedule: Schedule, j: int, cut: int) -> bool:
    """Whether a generator's pause at the cut is the same cut or whole: it cannot idle, or it runs."""
    unit = site.get("generator")
    if not isinstance(unit, dict) or unit["min_mw"] > 0:
        return True
    return bool(schedule.generator_mw[j, cut - 1] > 1e-9)


def _sliced(file: dict[str, object], begin: int, end: int) -> dict[str, object]:
    part = copy.deepcopy(file)
    part["n_slots"] = end - begin

    def cut(series: object) -> object:
        return series[begin:end] if isinstance(series, list) else series

    sites: dict[str, dict[str, dict[str, object]]] = part["sites"]  # type: ignore[assignment]
    for site in sites.values():
        for table, names in (
            ("grid", ("import_price", "export_price", "carbon_kg_per_mwh")),
            ("cooling", ("pue", "cop", "outside_c")),
        ):
            for name in names:
                if name in site[table]:
                    site[table][name] = cut(site[table][name])
        site["renewable_mw"] = cut(site["renewable_mw"])  # type: ignore[assignment]
    arrivals: dict[str, dict[str, object]] = part["arrivals"]  # type: ignore[assignment]
    for by_class in arrivals.values():
        for name in by_class:
            by_class[name] = cut(by_class[name])
    return part


def _cut(schedule: Schedule, part: slice) -> Schedule:
    return Schedule(**{name: values[..., part] for name, values in vars(schedule).items()})
