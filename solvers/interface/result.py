"""What a solver call returns (file ``stepwatt.result/1``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwatt.formulation import Evaluation, Instance, Schedule
from stepwatt.formulation.errors import listed
from stepwatt.formulation.records import write_json
from stepwatt.formulation.showing import shown_by

from .dual_prices import Prices

if TYPE_CHECKING:
    import xarray
    from plotly.graph_objects import Figure

#: Message of a result that Ctrl-C has cut short.
INTERRUPTED = "interrupted"

#: Message of a result without any schedule.
EXPLAINED = "explain says why"


class Status(StrEnum):
    """How a solve ended. ``optimal`` claims a bound within the requested gap; ``feasible`` claims a schedule
    and no more: of a method without a bound, or of a search whose message says why it ended."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    TIME_LIMIT = "time_limit"
    INFEASIBLE = "infeasible"


@dataclass(frozen=True)
class Seconds:
    """Wall-clock seconds: writing the model down, solving it, all together."""

    build: float
    solve: float
    total: float


def relative_gap(bound: float, utility: float) -> float:
    """(bound − utility)/max(|bound|, 1e-9), model.md "Bounds and what may be claimed"."""
    return (bound - utility) / max(abs(bound), 1e-9)


@dataclass(frozen=True)
class Result:
    """A schedule with its evaluation, and the bound that says how good it can be called.

    ``evaluation`` is the judge's (never the solver's) view of ``schedule``; both are None only when the
    instance is infeasible. ``bound`` (USD) is None for methods that prove none. ``prices`` are dual prices,
    given by methods that solve a relaxation, and so are ``duals``, of every row. With constraints of a user's
    own, ``extra`` has their names, and schedule, status, bound and duals are those of the instance with them.
    ``restricted_bound`` (USD) is that of a method without some lever, on schedules without it.
    """

    instance: Instance
    method: str
    status: Status
    seconds: Seconds
    schedule: Schedule | None = None
    evaluation: Evaluation | None = None
    bound: float | None = None
    prices: Prices | None = None
    duals: Mapping[str, Any] | None = None
    extra: tuple[str, ...] = ()
    message: str = ""
    restricted_bound: float | None = None

    def __post_init__(self) -> None:
        if (self.schedule is None) != (self.evaluation is None):
            raise ValueError("a schedule and its evaluation come together")
        if self.status is Status.INFEASIBLE and self.schedule is not None:
            raise ValueError("an infeasible instance has no schedule")
        if self.status is Status.OPTIMAL and (self.bound is None or self.evaluation is None):
            raise ValueError("a result is optimal only with a bound and an evaluated schedule")

    def __repr__(self) -> str:
        return f"<Result {', '.join(f'{name} {value}' for name, value in self._told())}>"

    def _repr_html_(self) -> str:
        """A table for notebooks: how it ended, and what it is made of."""
        rows = [*self._told()]
        if self.evaluation is not None:
            rows += [(name, f"{usd:,.2f}") for name, usd in self.evaluation.breakdown.items() if usd]
        lines = "".join(f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, value in rows)
        return f"<table>{lines}</table>"

    def _told(self) -> Iterator[tuple[str, str]]:
        currency = self.instance.currency
        yield "method", self.method
        yield "instance", repr(self.instance.name)
        yield "status", str(self.status)
        if self.evaluation is not None:
            yield "utility", f"{self.evaluation.utility:,.2f} {currency}"
            if self.evaluation.broken:
                yield "breaks", ", ".join(self.evaluation.broken)
        if self.bound is not None:
            yield "bound", f"{self.bound:,.2f} {currency}"
        if self.gap is not None:
            yield "gap", f"{self.gap:.1e}"
        if self.extra:
            yield "with own constraints", listed(self.extra)
        yield "seconds", f"{self.seconds.total:.2f}"
        if self.message:
            yield "message", self.message

    @property
    def utility(self) -> float | None:
        """USD, as evaluated; None when there is no schedule."""
        return None if self.evaluation is None else self.evaluation.utility

    @property
    def gap(self) -> float | None:
        """Relative distance of the evaluated utility to the bound; None without either."""
        if self.bound is None or self.evaluation is None:
            return None
        return relative_gap(self.bound, self.evaluation.utility)

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the solve; the schedule is the best until then."""
        return self.message == INTERRUPTED

    def plot(self, figure: str | None = None) -> Figure:
        """One of the report's figures (plotly): ``dispatch`` if not said; an unknown name lists them.

        Raises:
            InputError: no figure of that name, or a result without a schedule.
        """
        return shown_by("plot")(self, figure=figure)

    def to_xarray(self) -> xarray.Dataset:
        """Labelled arrays, as :func:`stepwatt.to_xarray` says; needs the extra ``xarray``."""
        found: xarray.Dataset = shown_by("to_xarray")(self)
        return found

    def to_dict(self) -> dict[str, Any]:
        """The file's content."""
        evaluation = self.evaluation
        return {
            "schema": "stepwatt.result/1",
            "instance": self.instance.name,
            "method": self.method,
            **({"extra": list(self.extra)} if self.extra else {}),
            "status": str(self.status),
            "utility": self.utility,
            "bound": self.bound,
            "gap": self.gap,
            "seconds": asdict(self.seconds),
            "breakdown": evaluation.breakdown if evaluation else {},
            "metrics": evaluation.metrics if evaluation else {},
            "violations": evaluation.violations if evaluation else {},
            "schedule": self.schedule.to_dict(self.instance) if self.schedule else None,
        }

    def save(self, path: str | Path) -> None:
        """Write the result file; an interrupted write leaves the old one."""
        write_json(path, self.to_dict())
