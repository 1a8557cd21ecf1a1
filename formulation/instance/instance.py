"""The instance file ``stepwatt.instance/1``: every number of model.md ("Sets and data"), validated.

Units: MW, MWh, USD, seconds, hours, kg CO2, °C, jobs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from ..errors import InputError, listed
from ..records import (
    ROUNDING,
    Name,
    NonNegative,
    Positive,
    Record,
    Text,
    about,
    as_input_error,
    defect,
    read_json,
    write_json,
)
from .arrays import InstanceArrays, State
from .components import (
    Battery,
    GenerationModel,
    JobClass,
    NonNegativeSeries,
    PueCooling,
    Site,
    ThermalCooling,
)
from .options import enumerate_options
from .replacing import put

if TYPE_CHECKING:
    from ..schedule.schedule import Schedule

Defect = tuple[tuple[str | int, ...], Any, str]


class Instance(Record):
    """One scheduling problem. Read with :func:`load`, build with :meth:`from_dict`.

    ``closes`` is False where the horizon goes on in another instance: then jobs within their deadline wait
    for that one (:meth:`after`) instead of being lost with the last slot.
    """

    schema_: Annotated[Literal["stepwatt.instance/1"], about("format and version")] = Field(alias="schema")
    name: Annotated[Text, about("told in tables and reports")] = ""
    start: Annotated[
        Text, about("start of slot 0: ISO 8601, UTC or the clock of ``timezone`` without an offset")
    ]
    n_slots: Annotated[
        int, Field(ge=1, le=10_000_000), about("length of the horizon", "slots", "t = 0 … T−1")
    ]
    slot_hours: Annotated[Positive, about("length of a slot", "h", "Δ")]
    timezone: Annotated[
        Text | None, about("IANA name of the clock of labels and days; none: the offset of ``start``")
    ] = None
    currency: Annotated[Text, Field(min_length=1, max_length=20), about("label of all money in the file")] = (
        "USD"
    )
    integral_jobs: Annotated[
        bool,
        about(
            "jobs and GPUs are whole; false: the fluid model, with real numbers of both", "", "x, w, lost, n"
        ),
    ] = True
    closes: Annotated[
        bool, about("jobs left after the last slot are lost; false: they wait for the next horizon")
    ] = True
    carbon_price: Annotated[
        NonNegative, about("of carbon from grid and generators", "USD/t", "− carbon_price/1000·kg")
    ] = 0.0
    models: Annotated[dict[Name, GenerationModel], Field(min_length=1), about("generative models, by name")]
    classes: Annotated[dict[Name, JobClass], Field(min_length=1), about("job classes, by name")]
    sites: Annotated[dict[Name, Site], Field(min_length=1), about("data centres, by name")]
    arrivals: Annotated[
        dict[Name, dict[Name, NonNegativeSeries]],
        about("jobs that arrive, by origin (a site), class and slot", "jobs", "queue: + arrivals[i,k,t]"),
    ]
    backlog: Annotated[
        dict[Name, dict[Name, NonNegativeSeries]],
        about(
            "jobs that arrived 1, 2, … slots before slot 0 and still wait, by origin and class",
            "jobs",
            "queue: b[−1]",
        ),
    ] = Field(default_factory=dict)
    transfer_cost: Annotated[
        dict[Name, dict[Name, NonNegative]],
        about("of data moved, by origin and site; 0 on the diagonal", "USD/GB", "− cost·payload·x"),
    ]
    link_gb_per_hour: Annotated[
        dict[Name, dict[Name, NonNegative]],
        about(
            "capacity of links, by origin and site; unlimited where absent", "GB/h", "Σ payload·x ≤ link·Δ"
        ),
    ] = Field(default_factory=dict)

    def __repr__(self) -> str:
        minutes = 60 * self.slot_hours
        return (
            f"<Instance {self.name!r}: {self.n_slots} slots of {minutes:g} min from {self.start}, "
            f"sites {', '.join(self.sites)}, classes {', '.join(self.classes)}>"
        )

    __str__ = __repr__

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        defects = list(_defects(self))
        if defects:
            path, value, expected = defects[0]
            raise defect(path, value, expected, more=len(defects) - 1)
        return self

    @classmethod
    def from_dict(cls, data: Any) -> Instance:
        """An instance from the parsed file.

        Raises:
            InputError: the first defect found, with the number of further ones.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise as_input_error(error, data) from None

    def to_dict(self) -> dict[str, Any]:
        """The file's content: what was given, with counts of jobs as integers where jobs are integral."""
        data = self.model_dump(by_alias=True, exclude_unset=True)
        if self.integral_jobs:
            for jobs in (data["arrivals"], data.get("backlog", {})):
                for by_class in jobs.values():
                    for name, series in by_class.items():
                        by_class[name] = [round(number) for number in series]
        return data

    def save(self, path: str | Path) -> None:
        """Write the instance file; an interrupted write leaves the old file."""
        write_json(path, self.to_dict())

    @property
    def start_time(self) -> datetime:
        """Start of slot 0 on the clock of ``timezone``; without one, of the offset of ``start``, or UTC."""
        moment = datetime.fromisoformat(self.start)
        clock: tzinfo = UTC if self.timezone is None else ZoneInfo(self.timezone)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=clock)
        return moment if self.timezone is None else moment.astimezone(clock)

    @property
    def end_time(self) -> datetime:
        """End of the last slot."""
        begun = self.start_time
        return (begun.astimezone(UTC) + timedelta(hours=self.n_slots * self.slot_hours)).astimezone(
            begun.tzinfo
        )

    def after(self, schedule: Schedule, following: Instance | None = None) -> Instance:
        """The instance that begins where this one ends, run by a schedule.

        It takes over what is stored, how warm rooms are, which generators run, the peak that is paid for, and
        the jobs that still wait.

        Jobs only wait where ``closes`` is False: at the end of a horizon that closes they are lost. With
        generators that cannot idle (``min_mw`` above 0, or off at the end) and a ``terminal_price`` of 0, the
        parts book what the whole books.

        Args:
            schedule: a feasible one of this instance.
            following: what comes next; by default the same again.

        Raises:
            InputError: a schedule that is not feasible, a following instance that does not begin when this
                one ends or has other sites or classes, or a metering interval that the end would cut.
        """
        from ..schedule.continuation import continued

        return continued(self, schedule, following)

    def replace(self, changes: Mapping[str, Any]) -> Instance:
        """The instance with other values, by path, checked like every instance.

        ``inst.replace({"sites.oslo.battery.energy_mwh": 2.0, "sites.*.grid.demand_charge": 0.0})``. ``[3]``
        at the end is an entry of a list, ``*`` every name of a table. What may be absent (a battery, say) is
        put in as a record or a table, and taken away by None.

        Raises:
            InputError: a path that leads nowhere, with the names known there; a value that does not fit.
        """
        data = self.to_dict()
        put(data, type(self), changes)
        return type(self).from_dict(data)

    def arrays(self) -> InstanceArrays:
        """The instance as numpy arrays, the form that models and evaluator compute with."""
        return instance_arrays(self)


def load(path: str | Path) -> Instance:
    """Read an instance file.

    Raises:
        InputError: the file is unreadable or breaks the format; the error names file, field and value.
    """
    try:
        return Instance.from_dict(read_json(path))
    except InputError as error:
        raise (error if error.file else error.in_file(str(path))) from None


def _defects(inst: Instance) -> Iterator[Defect]:
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
        moment + timedelta(hours=inst.n_slots * inst.slot_hours)
    except OverflowError:
        yield ("start",), inst.start, "a start whose horizon ends before the year 10000"


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
    unit = site.generator
    if unit is not None and _above(unit.min_mw, unit.max_mw):
        yield (*path, "generator", "min_mw"), unit.min_mw, f"at most max_mw, {unit.max_mw}"


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


Floats = NDArray[np.float64]


def instance_arrays(inst: Instance) -> InstanceArrays:
    """The arrays of an instance file."""
    sites, classes = list(inst.sites), list(inst.classes)
    specs = list(inst.sites.values())
    class_specs = list(inst.classes.values())
    rooms = [site.cooling if site.cooling.kind == "thermal" else None for site in specs]
    batteries = [site.battery for site in specs]
    generators = [site.generator for site in specs]
    grids = [site.grid for site in specs]

    def per_site(values: list[float]) -> Floats:
        return np.array(values, dtype=float)

    def per_slot(series: list[list[float] | float]) -> Floats:
        return np.array([np.broadcast_to(values, inst.n_slots) for values in series], dtype=float)

    import_price = per_slot([grid.import_price for grid in grids])
    export_price = per_slot([grid.export_price for grid in grids])
    interval = np.array([grid.demand_interval_slots for grid in grids], dtype=np.int64)

    def whole(jobs: Floats) -> Floats:
        return np.rint(jobs) if inst.integral_jobs else jobs

    # limits that rounding has crossed meet
    energy_min = per_site([b.soc_min * b.energy_mwh if b else 0.0 for b in batteries])
    energy_max = np.maximum(energy_min, [b.soc_max * b.energy_mwh if b else 0.0 for b in batteries])
    initial_energy = per_site([b.soc_initial * b.energy_mwh if b else 0.0 for b in batteries])
    initial_energy = np.clip(initial_energy, energy_min, energy_max)
    initial_c = per_site([room.initial_c if room else 0.0 for room in rooms])
    start = State(
        energy_mwh=initial_energy,
        temperature_c=initial_c,
        backlog=whole(_backlog(inst, sites, classes)),
        generator_on=np.array([g is not None and g.initially_on for g in generators]),
        peak_mw=per_site([grid.peak_so_far_mw for grid in grids]),
        metered_mw=np.zeros(len(sites)),
    )
    return InstanceArrays(
        sites=tuple(sites),
        classes=tuple(classes),
        models=tuple(inst.models),
        clocks=tuple(tuple(clock.name for clock in site.clocks) for site in specs),
        clock_speeds=tuple(tuple(clock.speed for clock in site.clocks) for site in specs),
        n_slots=inst.n_slots,
        slot_hours=inst.slot_hours,
        integral_jobs=inst.integral_jobs,
        options=enumerate_options(inst),
        arrivals=whole(np.array([[inst.arrivals[i][k] for k in classes] for i in sites], dtype=float)),
        deadline=np.array([k.deadline_slots for k in class_specs], dtype=np.int64),
        miss_penalty=per_site([k.miss_penalty for k in class_specs]),
        payload_gb=per_site([k.payload_gb for k in class_specs]),
        transfer_cost=_network(inst.transfer_cost, sites, missing=0.0),
        link_gb_per_hour=_network(inst.link_gb_per_hour, sites, missing=np.inf),
        transfer_allowed=np.ones((len(sites), len(sites)), dtype=bool),
        gpus=np.array([site.gpus for site in specs], dtype=np.int64),
        gpu_idle_mw=per_site([site.gpu_idle_watts / 1e6 for site in specs]),
        max_utilisation=per_site([site.max_utilisation for site in specs]),
        import_price=import_price,
        export_price=export_price,
        feeds_in=np.any(export_price > import_price, axis=1),
        import_limit_mw=per_site([grid.import_limit_mw for grid in grids]),
        export_limit_mw=per_site([grid.export_limit_mw for grid in grids]),
        carbon_kg_per_mwh=per_slot([grid.carbon_kg_per_mwh for grid in grids]),
        carbon_price=inst.carbon_price,
        demand_charge=per_site([grid.demand_charge for grid in grids]),
        meters=interval > 1,
        meter_share=_meter_share(interval, inst.n_slots),
        meter_goes_on=np.arange(inst.n_slots) % interval[:, None] > 0,
        renewable_mw=per_slot([site.renewable_mw for site in specs]),
        pue=per_slot([site.cooling.pue if site.cooling.kind == "pue" else 1.0 for site in specs]),
        thermal=np.array([room is not None for room in rooms]),
        cop=per_slot([room.cop if room else 1.0 for room in rooms]),
        cooling_max_mw=per_site([room.max_power_mw if room else 0.0 for room in rooms]),
        heat_capacity=per_site([room.heat_capacity_mwh_per_c if room else 1.0 for room in rooms]),
        leak_mw_per_c=per_site([room.leak_mw_per_c if room else 0.0 for room in rooms]),
        outside_c=per_slot([room.outside_c if room else 0.0 for room in rooms]),
        min_c=per_site([room.min_c if room else 0.0 for room in rooms]),
        max_c=per_site([max(room.min_c, room.max_c) if room else 0.0 for room in rooms]),
        battery=np.array([b is not None for b in batteries]),
        energy_min_mwh=energy_min,
        energy_max_mwh=energy_max,
        battery_power_mw=per_site([b.power_mw if b else 0.0 for b in batteries]),
        charge_efficiency=per_site([b.charge_efficiency if b else 1.0 for b in batteries]),
        discharge_efficiency=per_site([b.discharge_efficiency if b else 1.0 for b in batteries]),
        wear_cost=per_site([b.wear_cost if b else 0.0 for b in batteries]),
        generator=np.array([g is not None for g in generators]),
        generator_max_mw=per_site([max(g.min_mw, g.max_mw) if g else 0.0 for g in generators]),
        generator_min_mw=per_site([g.min_mw if g else 0.0 for g in generators]),
        fuel_cost=per_site([g.fuel_cost if g else 0.0 for g in generators]),
        no_load_cost=per_site([g.no_load_cost if g else 0.0 for g in generators]),
        startup_cost=per_site([g.startup_cost if g else 0.0 for g in generators]),
        generator_carbon=per_site([g.carbon_kg_per_mwh if g else 0.0 for g in generators]),
        terminal_price=per_site(
            [
                max(0.0, *prices) if site.terminal_price is None else site.terminal_price
                for site, prices in zip(specs, import_price, strict=True)
            ]
        ),
        energy_reference_mwh=initial_energy,
        temperature_reference_c=initial_c,
        state=start,
        closes=inst.closes,
    )


def _backlog(inst: Instance, sites: list[str], classes: list[str]) -> Floats:
    """(I,K,D) jobs that arrived 1..D slots before slot 0 and still wait."""
    given = [inst.backlog.get(i, {}).get(k, []) for i in sites for k in classes]
    backlog = np.zeros((len(given), max(map(len, given), default=0)))
    for row, waiting in zip(backlog, given, strict=True):
        row[: len(waiting)] = waiting
    return backlog.reshape(len(sites), len(classes), -1)


def _meter_share(interval: NDArray[np.int64], n_slots: int) -> Floats:
    """(J,T) 1 / slots of the metering interval that a slot lies in; the last one may be cut."""
    begun = np.arange(n_slots) // interval[:, None] * interval[:, None]
    share: Floats = 1.0 / np.minimum(interval[:, None], n_slots - begun)
    return share


def _network(table: dict[str, dict[str, float]], sites: list[str], missing: float) -> Floats:
    matrix = np.array([[table.get(i, {}).get(j, missing) for j in sites] for i in sites], dtype=float)
    np.fill_diagonal(matrix, missing)
    return matrix
