"""An ordinary instance from parts and series."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.errors import listed, one_of
from stepwatt.formulation.instance import components

from ..catalogue import load_catalogue
from .parts import JobClass, Model, Part, Site
from .slots import Slots, horizon

_MODELS = "models by name: stepwatt.Model(...), or a name of the catalogue such as sdxl-base"
_CLASSES = "job classes by name: stepwatt.JobClass(...), or a name of the catalogue"


def build(
    *,
    start: str | dt.date,
    sites: Mapping[str, Site],
    models: Mapping[str, Any] | Sequence[str],
    classes: Mapping[str, Any] | Sequence[str],
    arrivals: Any,
    days: int = 1,
    hours: float | None = None,
    slot: str | float | dt.timedelta = "15min",
    timezone: str | None = None,
    currency: str = "USD",
    exchange: Mapping[str, float] | None = None,
    transfer_cost: float | Mapping[str, Mapping[str, float]] = 0.0,
    link_gb_per_hour: Mapping[str, Mapping[str, float]] | None = None,
    carbon_price: float = 0.0,
    integral_jobs: bool = True,
    closes: bool = True,
    backlog: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
    name: str = "",
) -> Instance:
    """An instance from sites, models, classes and arrivals.

    Wherever the file has a list over slots, a number, an array or a pandas Series may be given. A Series has
    an index with a time zone; a value holds from its stamp to the next one, and a slot has the mean over its
    time (``stepwatt.data.building.slots``). A series that says its unit (``attrs["unit"]``) is converted to
    that of the field; energy of each step becomes power.

    Args:
        start: ISO 8601; a time without an offset is on the clock of ``timezone``, or UTC.
        sites: :class:`Site` by name.
        models: :class:`Model` by name, or names of the catalogue (``python -m stepwatt.data``).
        classes: :class:`JobClass` by name, or names of the catalogue (its prices are in USD).
        arrivals: jobs by site and class: ``{"oslo": {"urgent": series}}``, or a DataFrame with a column a
            class (``{"oslo": frame}``, or the frame alone where there is one site). The jobs of all steps in
            a slot are counted; a number holds in every slot. What is not named has no jobs.
        days: calendar days on the clock of ``timezone``, of 23 or 25 hours where clocks change.
        hours: in place of ``days``.
        slot: ``15min``, or a number of minutes.
        timezone: IANA name.
        currency: of all money.
        exchange: what one unit of another currency is worth in it, for series that say theirs and classes of
            the catalogue: ``currency="EUR", exchange={"USD": 0.92}``.
        transfer_cost: USD/GB between any two sites, or by origin and site.
        link_gb_per_hour: by origin and site; unlimited where absent.
        carbon_price: USD/t.
        integral_jobs: False for the fluid model.
        closes: False where the horizon goes on (:meth:`.Instance.after`).
        backlog: jobs that wait at the start, by origin and class.
        name: for tables and reports.

    Raises:
        InputError: which names the field as the instance file has it, for instance a series that does not
            cover the horizon with the first stamp that is missing.
    """
    slots = horizon(start, days, hours, slot, timezone, currency)
    if exchange is not None:
        slots = replace(slots, rates=dict(_table("exchange", exchange, "rates by currency")))
        _ = slots.units  # rates that are none are told
    _table("sites", sites, "sites by name")
    for site, part in sites.items():
        if not isinstance(site, str):
            raise InputError(field="sites", value=site, expected="texts as names")
        if not isinstance(part, Site):
            raise InputError(field=f"sites.{site}", value=part, expected="a stepwatt.Site(...)")
    model_parts = _named(models, "models", _MODELS, _model)
    class_parts = _named(classes, "classes", _CLASSES, lambda text, field: _class(text, field, slots))
    content: dict[str, Any] = {
        "schema": "stepwatt.instance/1",
        "name": name,
        "start": slots.start.isoformat(),
        "n_slots": slots.count,
        "slot_hours": slots.hours,
        "currency": currency,
        "integral_jobs": integral_jobs,
        "closes": closes,
        "carbon_price": carbon_price,
        "models": {key: _content(part, slots, f"models.{key}") for key, part in model_parts.items()},
        "classes": {key: _content(part, slots, f"classes.{key}") for key, part in class_parts.items()},
        "sites": {key: part.of(list(model_parts), slots, f"sites.{key}") for key, part in sites.items()},
        "arrivals": _arrivals(arrivals, list(sites), list(class_parts), slots),
        "transfer_cost": _costs(transfer_cost, list(sites)),
    }
    if timezone is not None:
        content["timezone"] = timezone
    for key, table in (("link_gb_per_hour", link_gb_per_hour), ("backlog", backlog)):
        if table is not None:
            outside = _table(key, table, "tables by site").items()
            content[key] = {outer: dict(_table(f"{key}.{outer}", row, "a table")) for outer, row in outside}
    return Instance.from_dict(content)


def _table(field: str, value: Any, expected: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(field=field, value=value, expected=expected)
    return value


def _content(part: Any, slots: Slots, path: str) -> dict[str, Any]:
    found: dict[str, Any] = part.content(slots, path) if isinstance(part, Part) else part.model_dump()
    return found


def _named(given: Any, field: str, expected: str, known: Any) -> dict[str, Any]:
    """Parts by name; what is given by a name of the catalogue is looked up."""
    if isinstance(given, str) or not isinstance(given, Mapping | Sequence):
        raise InputError(field=field, value=given, expected=expected)
    pairs = given.items() if isinstance(given, Mapping) else [(name, name) for name in given]
    kinds = (Part, components.GenerationModel, components.JobClass)
    found = {}
    for name, part in pairs:
        made = known(part, f"{field}.{name}") if isinstance(part, str) else part
        if not isinstance(made, kinds):
            raise InputError(field=f"{field}.{name}", value=part, expected=expected)
        found[name] = made
    return found


def _model(text: str, field: str) -> Model:
    models = load_catalogue().models
    if text not in models:
        raise InputError(field=field, value=text, expected=one_of(models, text))
    return Model.named(text)


def _class(text: str, field: str, slots: Slots) -> JobClass:
    book = load_catalogue()
    if text not in book.classes:
        raise InputError(field=field, value=text, expected=one_of(book.classes, text))
    rate = 1.0 if slots.currency == "USD" else slots.rates.get("USD")
    if rate is None:
        own = f"a stepwatt.JobClass(...) in {slots.currency}"
        expected = f'{own}, or exchange={{"USD": …}}: prices of the catalogue are in USD'
        raise InputError(field=field, value=text, expected=expected)
    known, scale = book.classes[text], rate * book.constants["revenue_scale"].value
    return JobClass(
        quality_price=known.quality_price.value * scale,
        quality_floor=known.quality_floor.value,
        deadline_minutes=float(known.deadline_minutes.value),
        miss_penalty=known.miss_penalty.value * scale,
        payload_gb=known.payload_gb.value,
    )


def _arrivals(given: Any, sites: list[str], classes: list[str], slots: Slots) -> dict[str, Any]:
    if isinstance(given, pd.DataFrame):
        if len(sites) > 1:
            expected = f"jobs by site ({listed(sites)}), each a table with a column a class"
            raise InputError(field="arrivals", value="a DataFrame", expected=expected)
        given = {sites[0]: given}
    found: dict[str, Any] = {site: {name: [0.0] * slots.count for name in classes} for site in sites}
    for site, by_class in _table("arrivals", given, "jobs by site and class").items():
        if site not in found:
            raise InputError(field=f"arrivals.{site}", value=site, expected=one_of(sites, str(site)))
        if not isinstance(by_class, pd.DataFrame | Mapping):
            raise InputError(field=f"arrivals.{site}", value=by_class, expected="jobs by class")
        if isinstance(by_class, pd.DataFrame) and by_class.columns.has_duplicates:
            twice = str(by_class.columns[by_class.columns.duplicated()][0])
            raise InputError(field=f"arrivals.{site}", value=twice, expected="a column a class, each once")
        for name, jobs in by_class.items():
            field = f"arrivals.{site}.{name}"
            if name not in classes:
                raise InputError(field=field, value=name, expected=one_of(classes, str(name)))
            found[site][name] = slots.count_in(jobs, field)
    return found


def _costs(given: Any, sites: list[str]) -> Any:
    if isinstance(given, int | float):
        return {i: {j: float(given) for j in sites if j != i} for i in sites}
    return given
