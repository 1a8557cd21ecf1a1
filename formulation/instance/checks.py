"""What an instance's records must agree on (model.md, "Sets and data"): names, lengths, limits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..errors import listed
from ..records import ROUNDING
from .components import Battery, GenerationModel, PueCooling, Site, ThermalCooling

if TYPE_CHECKING:
    from .instance import Instance

#: The longest job and the hungriest, a billion seconds and the energy of a power station's minute.
_MOST_SECONDS, _MOST_JOULES = 1e9, 1e11

Defect = tuple[tuple[str | int, ...], Any, str]


def defects(inst: Instance) -> Iterator[Defect]:
    """(path, value, expectation) of everything that does not fit, in the order of the file."""
    yield from _check_start(inst)
    for name, model in inst.models.items():
        yield from _check_model(inst, name, model)
    for name, job_class in inst.classes.items():
        yield from _unknown_names(("classes", name, "models"), job_class.models or [], inst.models, "model")
    for name, site in inst.sites.items():
        yield from _check_site(inst, ("sites", name), site)
    yield from _check_arrivals(inst)
    yield from _check_backlog(inst)
    yield from _check_network(inst)


def _check_start(inst: Instance) -> Iterator[Defect]:
    try:
        if inst.timezone is not None:
            ZoneInfo(inst.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield ("timezone",), inst.timezone, "an IANA time zone such as Europe/Oslo"
        return
    try:
        moment = inst.start_time
    except ValueError:
        yield ("start",), inst.start, "an ISO 8601 date and time"
        return
    try:
        there_and_back = moment.astimezone(UTC).astimezone(moment.tzinfo)
        inst.end_time.isoformat()
    except OverflowError:
        yield ("start",), inst.start, "a start after the year 1 whose horizon ends before the year 10000"
        return
    if datetime.fromisoformat(inst.start).tzinfo is not None:
        return
    # of two instants with one name Python takes the first, and one that clocks skip it makes up
    if there_and_back.replace(tzinfo=None) != moment.replace(tzinfo=None):
        yield ("start",), inst.start, f"a time that clocks of {inst.timezone} show: they skip this one"
    elif moment.utcoffset() != moment.replace(fold=1).utcoffset():
        yield ("start",), inst.start, f"an offset from UTC: clocks of {inst.timezone} show this time twice"


def _check_model(inst: Instance, name: str, model: GenerationModel) -> Iterator[Defect]:
    path = ("models", name)
    if len(set(model.steps)) < len(model.steps):
        yield (*path, "steps"), model.steps, "every step count once"
    for used_by in model.quality:
        if used_by != "default" and used_by not in inst.classes:
            yield (*path, "quality", used_by), used_by, "a class of this instance or 'default'"
    if "default" not in model.quality:
        for class_name, job_class in inst.classes.items():
            if (job_class.models is None or name in job_class.models) and class_name not in model.quality:
                expected = f"a curve for class {class_name} or a default"
                yield (*path, "quality"), sorted(model.quality), expected


def _check_site(inst: Instance, path: tuple[str, ...], site: Site) -> Iterator[Defect]:
    yield from _unknown_names((*path, "models"), site.models, inst.models, "model")
    clocks = [clock.name for clock in site.clocks]
    if len(set(clocks)) < len(clocks):
        yield (*path, "clocks"), clocks, "every clock name once"
    grid, cooling = site.grid, site.cooling
    series: list[tuple[tuple[str, ...], list[float] | float]] = [
        ((*path, "grid", "import_price"), grid.import_price),
        ((*path, "grid", "export_price"), grid.export_price),
        ((*path, "grid", "carbon_kg_per_mwh"), grid.carbon_kg_per_mwh),
        ((*path, "renewable_mw"), site.renewable_mw),
    ]
    if isinstance(cooling, PueCooling):
        series.append(((*path, "cooling", "pue"), cooling.pue))
    else:
        series.append(((*path, "cooling", "cop"), cooling.cop))
        series.append(((*path, "cooling", "outside_c"), cooling.outside_c))
        yield from _check_thermal(inst, (*path, "cooling"), cooling)
    for where, values in series:
        if isinstance(values, list):
            yield from _check_length(where, values, inst.n_slots)
    if site.battery is not None:
        yield from _check_battery((*path, "battery"), site.battery)
    yield from _check_jobs(inst, path, site)
    unit = site.generator
    if unit is not None and _above(unit.min_mw, unit.max_mw):
        yield (*path, "generator", "min_mw"), unit.min_mw, f"at most max_mw, {unit.max_mw}"


def _check_jobs(inst: Instance, path: tuple[str, ...], site: Site) -> Iterator[Defect]:
    """Beside jobs of such a size no solver has digits left for the others."""
    for name in site.models:
        model = inst.models.get(name)
        for number, clock in enumerate(site.clocks if model else ()):
            assert model is not None
            steps = max(model.steps)
            seconds = (model.seconds_fixed + model.seconds_per_step * steps) / clock.speed
            joules = (model.joules_fixed + model.joules_per_step * steps) * clock.energy
            for amount, unit, most in ((seconds, "s", _MOST_SECONDS), (joules, "J", _MOST_JOULES)):
                if amount > most:
                    value = f"a job of {name} with {steps} steps takes {amount:g} {unit}"
                    yield (*path, "clocks", number), value, f"at most {most:g} {unit}"


def _check_thermal(inst: Instance, path: tuple[str, ...], room: ThermalCooling) -> Iterator[Defect]:
    if _above(room.min_c, room.max_c):
        yield (*path, "min_c"), room.min_c, f"at most max_c, {room.max_c}"
    # beyond this the explicit heat balance oscillates, and a warmer room could end up cooler
    most = room.heat_capacity_mwh_per_c / inst.slot_hours
    if _above(room.leak_mw_per_c, most):
        expected = f"at most heat_capacity_mwh_per_c / slot_hours, {most:g}"
        yield (*path, "leak_mw_per_c"), room.leak_mw_per_c, expected


def _check_battery(path: tuple[str, ...], battery: Battery) -> Iterator[Defect]:
    if _above(battery.soc_min, battery.soc_max):
        yield (*path, "soc_min"), battery.soc_min, f"at most soc_max, {battery.soc_max}"
    elif _above(battery.soc_min, battery.soc_initial) or _above(battery.soc_initial, battery.soc_max):
        yield (
            (*path, "soc_initial"),
            battery.soc_initial,
            f"a share between soc_min {battery.soc_min} and soc_max {battery.soc_max}",
        )


def _above(number: float, limit: float) -> bool:
    """Whether a number is above a limit by more than rounding."""
    return number > limit + ROUNDING * max(1.0, abs(limit))


def _check_arrivals(inst: Instance) -> Iterator[Defect]:
    yield from _unknown_keys(("arrivals",), inst.arrivals, inst.sites, "site")
    yield from _missing_keys(("arrivals",), inst.arrivals, inst.sites, "site")
    for origin, by_class in inst.arrivals.items():
        path = ("arrivals", origin)
        yield from _unknown_keys(path, by_class, inst.classes, "class")
        yield from _missing_keys(path, by_class, inst.classes, "class")
        for class_name, series in by_class.items():
            yield from _check_length((*path, class_name), series, inst.n_slots)
            if inst.integral_jobs:
                for t, jobs in enumerate(series):
                    if abs(jobs - round(jobs)) > ROUNDING:
                        yield (*path, class_name, t), jobs, "a whole number of jobs (integral_jobs is true)"
                        break


def _check_backlog(inst: Instance) -> Iterator[Defect]:
    yield from _unknown_keys(("backlog",), inst.backlog, inst.sites, "site")
    for origin, by_class in inst.backlog.items():
        yield from _unknown_keys(("backlog", origin), by_class, inst.classes, "class")
        for name, waiting in by_class.items():
            path = ("backlog", origin, name)
            most = inst.classes[name].deadline_slots if name in inst.classes else len(waiting)
            if len(waiting) > most:
                expected = f"at most {most} numbers, one per slot of the class's deadline"
                yield path, f"{len(waiting)} numbers", expected
            for age, jobs in enumerate(waiting):
                if inst.integral_jobs and abs(jobs - round(jobs)) > ROUNDING:
                    yield (*path, age), jobs, "a whole number of jobs (integral_jobs is true)"
                    break


def _check_network(inst: Instance) -> Iterator[Defect]:
    for field in ("transfer_cost", "link_gb_per_hour"):
        table: dict[str, dict[str, float]] = getattr(inst, field)
        yield from _unknown_keys((field,), table, inst.sites, "site")
        for origin, row in table.items():
            yield from _unknown_keys((field, origin), row, inst.sites, "site")
    for origin in inst.sites:
        row = inst.transfer_cost.get(origin, {})
        others = [name for name in inst.sites if name != origin]
        yield from _missing_keys(("transfer_cost", origin), row, others, "site")
        if row.get(origin, 0.0) != 0.0:
            yield ("transfer_cost", origin, origin), row[origin], "0 on the diagonal"


def _check_length(path: tuple[str, ...], values: list[float], n_slots: int) -> Iterator[Defect]:
    if len(values) != n_slots:
        yield path, f"{len(values)} numbers", f"{n_slots} numbers, one per slot"


def _unknown_names(path: tuple[str, ...], names: list[str], known: Any, what: str) -> Iterator[Defect]:
    for i, name in enumerate(names):
        if name not in known:
            yield (*path, i), name, f"a {what} of this instance ({listed(known)})"
    if len(set(names)) < len(names):
        yield path, names, f"every {what} once"


def _unknown_keys(path: tuple[str, ...], given: Any, known: Any, what: str) -> Iterator[Defect]:
    for name in given:
        if name not in known:
            yield (*path, name), name, f"a {what} of this instance ({listed(known)})"


def _missing_keys(path: tuple[str, ...], given: Any, known: Any, what: str) -> Iterator[Defect]:
    for name in known:
        if name not in given:
            yield path, sorted(given), f"an entry for {what} {name}"
