"""The instance file ``stepwatt.instance/1``: every number of model.md ("Sets and data"), validated.

Units: MW, MWh, USD, seconds, hours, kg CO2, °C, jobs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, model_validator

from ..errors import InputError
from ..records import (
    Capacity,
    Name,
    NonNegative,
    Record,
    Text,
    about,
    as_input_error,
    defect,
    read_json,
    write_json,
)
from ..showing import shown_by
from .arrays import InstanceArrays
from .checks import defects
from .components import GenerationModel, JobClass, NonNegativeSeries, Site
from .conversion import instance_arrays
from .replacing import put

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from ..schedule.schedule import Schedule


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
    slot_hours: Annotated[
        float,
        Field(ge=1e-6, le=8784, allow_inf_nan=False),
        about("length of a slot, a year at most", "h", "Δ"),
    ]
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
        dict[Name, dict[Name, Capacity]],
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
        found = list(defects(self))
        if found:
            path, value, expected = found[0]
            raise defect(path, value, expected, more=len(found) - 1)
        if self.integral_jobs:
            for series in self._series_of_jobs():
                series[:] = map(round, series)
        return self

    def _series_of_jobs(self) -> Iterator[list[float]]:
        for table in (self.arrivals, self.backlog):
            for by_class in table.values():
                yield from by_class.values()

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
        the jobs that still wait. Where a billing period ends between them, set ``peak_so_far_mw`` to 0
        (:meth:`replace`).

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

    def plot(self) -> Figure:
        """Its prices, sun and wind, and arriving jobs (plotly); :meth:`.Schedule.plot` draws a schedule."""
        return shown_by("plot")(self)

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
