"""``plot`` and ``to_xarray``: what is computed here, for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stepwatt.formulation import InputError, Instance, Schedule, evaluate
from stepwatt.formulation.errors import extra, one_of

if TYPE_CHECKING:
    import xarray
    from plotly.graph_objects import Figure

    from .reports.figures.panel import Panel, Shown

_EXPECTED = (
    "a Result, an Instance (with or without a schedule), a Comparison, Curves, a Front, a Series or DataFrame"
)


def plot(what: Any, schedule: Schedule | None = None, *, figure: str | None = None) -> Figure:
    """A plotly figure, drawn as in reports.

    Args:
        what: a :class:`.Result`; an :class:`.Instance` (its prices, sun and wind, and jobs), or with it a
            schedule; a :class:`.Comparison`; :class:`.Curves`; a :class:`.Front`; a Series or DataFrame over
            time.
        schedule: one of the instance ``what``.
        figure: which of the report's figures (``dispatch`` for schedules, ``gaps`` for comparisons); an
            unknown name lists them.

    Raises:
        InputError: something else, or no figure of that name for it.
    """
    from .reports.notebook import figure as drawn

    title, panel = _panel(what, schedule, figure)
    return drawn(panel, title)


def _panel(what: Any, schedule: Schedule | None, figure: str | None) -> tuple[str, Panel]:
    import pandas as pd

    from .learning_curves import Curves
    from .reports.figures.curves import curves_panel
    from .reports.figures.panel import Panel
    from .reports.figures.series import instance_panel, table_panel
    from .scores.scores import Scores
    from .worth.pareto import Front

    scores = getattr(what, "scores", what)
    if isinstance(scores, Scores):
        wanted = ("comparison", "several") if scores.several else ("comparison",)
        return _of_report(scores, wanted, figure or "gaps")
    shown = _shown(what, schedule)
    if shown is not None:
        return _of_report(shown, ("schedule",), figure or "dispatch")
    if figure is not None:
        raise InputError(field="figure", value=figure, expected="none: there is one way to draw this")
    if isinstance(what, Instance):
        return what.name or "Instance", instance_panel(what)
    if isinstance(what, Curves):
        return "Learning curves", curves_panel(what.table)
    if isinstance(what, Front):
        return f"Utility against {what.aim}", Panel("", what.figure)
    if isinstance(what, pd.Series | pd.DataFrame):
        table = what.to_frame() if isinstance(what, pd.Series) else what
        return str(getattr(what, "name", None) or ""), table_panel(table)
    raise InputError(field="what", value=type(what).__name__, expected=_EXPECTED)


def _shown(what: Any, schedule: Schedule | None) -> Shown | None:
    """The judged schedule of an instance and a schedule, or of a result."""
    from stepwatt.solvers import Result

    from .reports.figures.panel import Shown

    if isinstance(what, Instance):
        return None if schedule is None else Shown(what, schedule, evaluate(what, schedule))
    if schedule is not None:
        raise InputError(field="schedule", value="a schedule", expected="one only beside its instance")
    if not isinstance(what, Result):
        return None
    if what.schedule is None or what.evaluation is None:
        raise InputError(
            field="result", value=what.message or str(what.status), expected="one with a schedule"
        )
    return Shown(what.instance, what.schedule, what.evaluation, what.prices)


def _of_report(of: Any, needs: tuple[str, ...], name: str) -> tuple[str, Panel]:
    from .reports.figures.registry import FIGURES

    known = [key for key, member in FIGURES.items() if member.needs in needs]
    if name not in known:
        raise InputError(field="figure", value=name, expected=one_of(known, name))
    chosen = FIGURES[name]
    return chosen.title, chosen.draw(of)


def to_xarray(what: Any, schedule: Schedule | None = None) -> xarray.Dataset:
    """Arrays with names and coordinates (xarray, extra ``xarray``).

    Args:
        what: a :class:`.Result`, an :class:`.Instance` with a schedule of it, or a :class:`.Comparison`.
        schedule: one of the instance ``what``.

    Returns:
        Of a schedule: ``transfers`` (origin, site, job_class, slot), ``runs`` (option, slot; site,
        class, model, steps and clock of options are coordinates), flows and trajectories (site, slot; MW, °C,
        MWh, at the end of the slot), ``waiting`` and ``lost`` (origin, job_class, slot).
        Of a comparison: every number of ``results`` (instance, policy, seed).

    Raises:
        InputError: something else, or xarray is not installed.
    """
    with extra("xarray"):
        import xarray

    scores = getattr(what, "scores", None)
    if scores is not None:
        rows = scores.results.assign(instance=[_named(row) for row in scores.results.itertuples()])
        numbers = (
            rows.set_index(["instance", "policy", "seed"]).select_dtypes("number").drop(columns="number")
        )
        found: xarray.Dataset = xarray.Dataset.from_dataframe(numbers)
        return found.assign_attrs(currency=scores.currency)
    shown = _shown(what, schedule)
    if shown is None:
        raise InputError(field="what", value=type(what).__name__, expected=_EXPECTED.partition(",")[0])
    return _dataset(shown)


def _named(row: Any) -> str:
    """Instances need names of their own; a number stands for one without."""
    return f"{row.number}: {row.instance}"


def _dataset(shown: Shown) -> xarray.Dataset:
    import xarray

    from stepwatt.formulation.schedule.schedule import SITE_FLOWS
    from stepwatt.solvers.interface.dual_prices import slot_index

    inst, schedule, judged = shown.instance, shown.schedule, shown.evaluation
    a = inst.arrays()
    o = a.options
    flows = {name: (("site", "slot"), getattr(schedule, name)) for name in SITE_FLOWS}
    kept = {name: getattr(judged, name)[:, 1:] for name in ("energy_mwh", "temperature_c")}
    kept |= {name: getattr(judged, name) for name in ("it_mw", "facility_mw")}
    queues = {name: (("origin", "job_class", "slot"), getattr(judged, name)) for name in ("waiting", "lost")}
    options = {
        "option_site": np.array(a.sites)[o.site],
        "option_class": np.array(a.classes)[o.job_class],
        "option_model": np.array(a.models)[o.model],
        "option_steps": o.steps,
        "option_clock": np.array([a.clocks[j][c] for j, c in zip(o.site, o.clock, strict=True)]),
    }
    # xarray knows no time zones: slots are in UTC
    slots = slot_index(inst).tz_convert("UTC").tz_localize(None)
    return xarray.Dataset(
        {
            "transfers": (("origin", "site", "job_class", "slot"), schedule.transfers),
            "runs": (("option", "slot"), schedule.runs),
            **flows,
            **{name: (("site", "slot"), values) for name, values in kept.items()},
            **queues,
        },
        coords={
            "slot": slots,
            "site": list(a.sites),
            "origin": list(a.sites),
            "job_class": list(a.classes),
            **{name: ("option", values) for name, values in options.items()},
        },
        attrs={"instance": inst.name, "currency": inst.currency, "utility": judged.utility, "times": "UTC"},
    )
