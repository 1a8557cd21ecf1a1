"""A schedule: what runs where, how, and how each site is powered (file ``stepwatt.schedule/1``)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from ..arguments import finite, reals
from ..errors import InputError, listed, one_of
from ..instance.arrays import InstanceArrays
from ..instance.instance import Instance
from ..records import UNLIMITED, Name, Record, about, as_input_error, defect, read_json, write_json
from ..showing import shown_by

if TYPE_CHECKING:
    import xarray
    from plotly.graph_objects import Figure

Floats = NDArray[np.float64]

#: The flows of a site, all (J,T); in the file, lists over slots, absent where all zero.
SITE_FLOWS = (
    "gpus_on",
    "import_mw",
    "export_mw",
    "renewable_mw",
    "charge_mw",
    "discharge_mw",
    "generator_mw",
    "cooling_mw",
)


@dataclass(frozen=True)
class Schedule:
    """Decisions as arrays: ``transfers`` (I,J,K,T) jobs, ``runs`` (O,T) jobs, site flows (J,T) in MW.

    ``runs`` follows the rows of ``InstanceArrays.options``; ``gpus_on`` counts GPUs. Other kinds of numbers
    and lists become arrays of doubles.

    Raises:
        InputError: other than numbers.
    """

    transfers: Floats
    runs: Floats
    gpus_on: Floats
    import_mw: Floats
    export_mw: Floats
    renewable_mw: Floats
    charge_mw: Floats
    discharge_mw: Floats
    generator_mw: Floats
    cooling_mw: Floats

    def __post_init__(self) -> None:
        for field in fields(self):
            given = getattr(self, field.name)
            object.__setattr__(self, field.name, reals(given, f"schedule.{field.name}"))

    def __repr__(self) -> str:
        sites, _, classes, slots = self.transfers.shape
        return f"<Schedule: {self.runs.sum():,.0f} jobs run, {sites} sites, {classes} classes, {slots} slots>"

    @classmethod
    def idle(cls, a: InstanceArrays) -> Schedule:
        """Everything off: all jobs are lost."""
        n, k, t = len(a.sites), len(a.classes), a.n_slots
        flows = {name: np.zeros((n, t)) for name in SITE_FLOWS}
        return cls(transfers=np.zeros((n, n, k, t)), runs=np.zeros((len(a.options), t)), **flows)

    def to_dict(self, inst: Instance) -> dict[str, Any]:
        """The file's content; entries of zero jobs are left out.

        Raises:
            InputError: the schedule does not fit the instance, or has other than finite numbers.
        """
        a = inst.arrays()
        check_fits(a, self)
        o = a.options
        transfers = [
            [a.sites[i], a.sites[j], a.classes[k], int(t), _count(self.transfers[i, j, k, t])]
            for i, j, k, t in zip(*np.nonzero(self.transfers), strict=True)
        ]
        runs = []
        for row, t in zip(*np.nonzero(self.runs), strict=True):
            j = o.site[row]
            labels = [a.sites[j], a.classes[o.job_class[row]], a.models[o.model[row]], int(o.steps[row])]
            runs.append([*labels, a.clocks[j][o.clock[row]], int(t), _count(self.runs[row, t])])
        sites: dict[str, dict[str, list[float]]] = {}
        for j, name in enumerate(a.sites):
            flows = {flow: getattr(self, flow)[j] for flow in SITE_FLOWS}
            sites[name] = {flow: [_count(v) for v in row] for flow, row in flows.items() if row.any()}
        return {"schema": "stepwatt.schedule/1", "transfers": transfers, "runs": runs, "sites": sites}

    @classmethod
    def from_dict(cls, inst: Instance, data: Any) -> Schedule:
        """A schedule for ``inst`` from the parsed file.

        Raises:
            InputError: unknown names or options, slots outside the horizon, wrong lengths or types.
        """
        try:
            file = ScheduleFile.model_validate(data)
        except ValidationError as error:
            raise as_input_error(error, data) from None
        return _from_file(inst, file)

    def save(self, inst: Instance, path: str | Path) -> None:
        """Write the schedule file."""
        write_json(path, self.to_dict(inst))

    def plot(self, inst: Instance, figure: str | None = None) -> Figure:
        """One of the report's figures (plotly): ``dispatch`` if not said; an unknown name lists them.

        Raises:
            InputError: no figure of that name.
        """
        return shown_by("plot")(inst, self, figure=figure)

    def to_xarray(self, inst: Instance) -> xarray.Dataset:
        """Labelled arrays, as :func:`stepwatt.to_xarray` says; needs the extra ``xarray``."""
        found: xarray.Dataset = shown_by("to_xarray")(inst, self)
        return found

    def copy(self) -> Schedule:
        """The same schedule in fresh arrays."""
        return Schedule(**{field.name: getattr(self, field.name).copy() for field in fields(self)})


def check_fits(a: InstanceArrays, schedule: object) -> None:
    """Refuse what cannot be a schedule of the instance.

    Raises:
        InputError: something else, arrays whose shapes do not fit the instance, or other than finite numbers.
    """
    if not isinstance(schedule, Schedule):
        expected = "a Schedule (sw.load_schedule reads one from a file)"
        raise InputError(field="schedule", value=schedule, expected=expected)
    n, k, t = len(a.sites), len(a.classes), a.n_slots
    shapes = {"transfers": (n, n, k, t), "runs": (len(a.options), t)} | dict.fromkeys(SITE_FLOWS, (n, t))
    for name, shape in shapes.items():
        finite(getattr(schedule, name), f"schedule.{name}", shape)


def load_schedule(inst: Instance, path: str | Path) -> Schedule:
    """Read a schedule file, or the schedule inside a result file.

    Raises:
        InputError: the file is unreadable, breaks the format or does not fit the instance.
    """
    data = read_json(path)
    inside = isinstance(data, dict) and data.get("schema") == "stepwatt.result/1"
    try:
        return Schedule.from_dict(inst, data.get("schedule") if inside else data)
    except InputError as error:
        found = error.inside("schedule") if inside else error
        raise found.in_file(str(path)) from None


def _count(value: float) -> float | int:
    number = float(value)
    return int(number) if number == int(number) else number


Flow = list[Annotated[float, Field(ge=-UNLIMITED, le=UNLIMITED, allow_inf_nan=False)]] | None


class SiteFlows(Record):
    """How a site is powered: lists over slots, absent where all zero."""

    gpus_on: Annotated[Flow, about("GPUs that are on", "GPUs", "n[j,t]")] = None
    import_mw: Annotated[Flow, about("power from the grid", "MW", "import")] = None
    export_mw: Annotated[Flow, about("power fed in", "MW", "export")] = None
    renewable_mw: Annotated[Flow, about("sun and wind that are used", "MW", "renewable_used")] = None
    charge_mw: Annotated[Flow, about("power into the battery", "MW", "c")] = None
    discharge_mw: Annotated[Flow, about("power out of the battery", "MW", "d")] = None
    generator_mw: Annotated[Flow, about("power of the generator", "MW", "p")] = None
    cooling_mw: Annotated[Flow, about("power of the cooling plant of a thermal room", "MW", "p_cool")] = None

    @model_validator(mode="before")
    @classmethod
    def _known(cls, flows: Any) -> Any:
        for name in flows if isinstance(flows, dict) else ():
            if name not in cls.model_fields:
                raise defect((str(name),), name, one_of(cls.model_fields, name))
        return flows


def _columns(*names: str) -> dict[str, Any]:
    """The schema of a row: texts, and numbers for steps, slot and jobs."""
    kinds = {"steps": "integer", "slot": "integer", "jobs": "number"}
    return {"prefixItems": [{"title": name, "type": kinds.get(name, "string")} for name in names]}


class ScheduleFile(Record):
    """The content of the file, before it is held against an instance."""

    schema_: Annotated[Literal["stepwatt.schedule/1"], about("format and version")] = Field(alias="schema")
    transfers: Annotated[
        list[
            Annotated[
                list[Any],
                Field(
                    min_length=5,
                    max_length=5,
                    json_schema_extra=_columns("origin", "site", "class", "slot", "jobs"),
                ),
            ]
        ],
        about("[origin, site, class, slot, jobs]: where jobs run, at home included", "jobs", "x[i,j,k,t]"),
    ]
    runs: Annotated[
        list[
            Annotated[
                list[Any],
                Field(
                    min_length=7,
                    max_length=7,
                    json_schema_extra=_columns("site", "class", "model", "steps", "clock", "slot", "jobs"),
                ),
            ]
        ],
        about("[site, class, model, steps, clock, slot, jobs]: how they run", "jobs", "w[j,o,t]"),
    ]
    sites: Annotated[dict[Name, SiteFlows], about("how each site is powered, by name")]


def _from_file(inst: Instance, file: ScheduleFile) -> Schedule:
    a = inst.arrays()
    schedule = Schedule.idle(a)
    for row, entry in enumerate(file.transfers):
        at = f"transfers[{row}]"
        i, j = (_index(a.sites, entry[n], f"{at}[{n}]", "site") for n in (0, 1))
        k = _index(a.classes, entry[2], f"{at}[2]", "class")
        t = _slot(entry[3], a.n_slots, f"{at}[3]")
        if schedule.transfers[i, j, k, t]:
            raise InputError(field=at, value=entry, expected="one entry per origin, site, class and slot")
        schedule.transfers[i, j, k, t] = _jobs(entry[4], f"{at}[4]")
    o = a.options
    keys = zip(o.site, o.job_class, o.model, o.steps, o.clock, strict=True)
    rows = {tuple(int(n) for n in key): row for row, key in enumerate(keys)}
    for row, entry in enumerate(file.runs):
        at = f"runs[{row}]"
        j = _index(a.sites, entry[0], f"{at}[0]", "site")
        k = _index(a.classes, entry[1], f"{at}[1]", "class")
        m = _index(a.models, entry[2], f"{at}[2]", "model")
        f = _index(a.clocks[j], entry[4], f"{at}[4]", "clock")
        t = _slot(entry[5], a.n_slots, f"{at}[5]")
        option = rows.get((j, k, m, entry[3], f)) if type(entry[3]) is int else None
        if option is None:
            raise InputError(field=at, value=entry, expected="an option that the instance allows")
        if schedule.runs[option, t]:
            raise InputError(field=at, value=entry, expected="one entry per option and slot")
        schedule.runs[option, t] = _jobs(entry[6], f"{at}[6]")
    for name, flows in file.sites.items():
        j = _index(a.sites, name, f"sites.{name}", "site")
        for flow, values in flows:
            if values is None:
                continue
            if len(values) != a.n_slots:
                raise InputError(
                    field=f"sites.{name}.{flow}",
                    value=f"{len(values)} numbers",
                    expected=f"{a.n_slots} numbers, one per slot",
                )
            getattr(schedule, flow)[j] = values
    return schedule


def _index(names: tuple[str, ...], name: Any, field: str, what: str) -> int:
    if not isinstance(name, str) or name not in names:
        raise InputError(field=field, value=name, expected=f"a {what} of the instance ({listed(names)})")
    return names.index(name)


def _slot(value: Any, n_slots: int, field: str) -> int:
    if type(value) is not int or not 0 <= value < n_slots:
        raise InputError(field=field, value=value, expected=f"a slot between 0 and {n_slots - 1}")
    return value


def _jobs(value: Any, field: str) -> float:
    if type(value) not in (int, float) or not 0 <= value <= 1e12:
        raise InputError(field=field, value=value, expected="a non-negative number of jobs")
    return float(value)
