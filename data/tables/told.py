"""What a caller says of a table: everything that is not to be guessed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypedDict

import pandas as pd

from stepwatt.formulation import InputError
from stepwatt.formulation.errors import one_of

Stamps = Literal["start", "end"]
Ambiguous = Literal["infer", "summer", "winter"]
Repeated = Literal["first", "last", "mean"]
Gaps = Literal["hold", "interpolate"] | float


class How(TypedDict, total=False):
    """How a table is to be read where its layout does not say so.

    ``time_format``: of stamps, as of ``strptime``, or ``epoch_s``, ``epoch_ms``; ``dayfirst``: whether
    05.06. is in June; ``stamps``: whether they are the ``start`` or the ``end`` of what they stand for;
    ``ambiguous``: in the hour that clocks show twice, ``infer`` from the order of rows, ``summer`` or
    ``winter``; ``resolution``: minutes of a step, as ``15min``; ``repeated``: which of rows of one time
    counts, ``first``, ``last`` or their ``mean``; ``missing``: further texts that mean no value; ``where``:
    {column: value} of the rows to use; ``zone_column``: which names the zone; ``decimal``: ``.`` or ``,``;
    ``encoding``, ``delimiter``, ``header`` (number of the line with the names of columns): of the file.
    """

    time_format: str | None
    dayfirst: bool | None
    stamps: Stamps | None
    ambiguous: Ambiguous | None
    resolution: str | None
    repeated: Repeated | None
    missing: Sequence[str]
    where: Mapping[str, Any]
    zone_column: str | None
    decimal: str | None
    encoding: str | None
    delimiter: str | None
    header: int | None


@dataclass(frozen=True, kw_only=True)
class Told:
    """All of it: :class:`How`, and what every door of reading has by itself."""

    zone: tuple[str, ...] | None = None
    every_zone: bool = False
    time: tuple[str, ...] = ()
    value: tuple[str, ...] = ()
    tz: str | None = None
    unit: str | None = None
    gaps: Gaps | None = None
    quantity: str = "price"
    columns: Mapping[str, str] | None = None
    job_class: str | None = None
    count: str | None = None
    steps: str | None = None
    start: pd.Timestamp | None = None
    time_format: str | None = None
    dayfirst: bool | None = None
    stamps: Stamps | None = None
    ambiguous: Ambiguous | None = None
    resolution: str | None = None
    repeated: Repeated | None = None
    missing: tuple[str, ...] = ()
    where: Mapping[str, Any] | None = None
    zone_column: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    header: int | None = None


_CHOICES: Mapping[str, tuple[str, ...]] = {
    "stamps": ("start", "end"),
    "ambiguous": ("infer", "summer", "winter"),
    "repeated": ("first", "last", "mean"),
    "decimal": (".", ","),
    "delimiter": (",", ";", "\t", "|"),
}


#: What the doors of reading set themselves.
_OURS = ("every_zone", "quantity", "columns", "start")

#: What those doors take by name that have use for it.
_OF_DOORS = ("zone", "time", "value")


def told(
    *,
    zone: str | Sequence[str] | None = None,
    time: str | Sequence[str] | None = None,
    value: str | Sequence[str] | None = None,
    how: Mapping[str, Any] | None = None,
    **more: Any,
) -> Told:
    """What was said, checked.

    Raises:
        InputError: a word that is not known, or a value that it cannot have.
    """
    said = {key: given for key, given in (dict(how or {}) | more).items() if given is not None}
    known = {field.name: field.type for field in fields(Told) if field.name not in _OURS}
    for key, given in said.items():
        if key not in known or (how and key in how and key in _OF_DOORS):
            ways = [name for name in known if name not in _OF_DOORS]
            raise InputError(field="how to read", value=key, expected=one_of(ways, key))
        choices = _CHOICES.get(key)
        if choices is not None and given not in choices:
            raise InputError(field=key, value=given, expected=one_of(choices, given))
        if known[key] == "str | None" and not (isinstance(given, str) and given.strip(" ")):
            raise InputError(field=key, value=given, expected="a text")
        if known[key] == "bool | None" and not isinstance(given, bool):
            raise InputError(field=key, value=given, expected="True or False")
    gaps = said.get("gaps")
    number = isinstance(gaps, int | float) and not isinstance(gaps, bool) and math.isfinite(gaps)
    if not (gaps is None or number or gaps in ("hold", "interpolate")):
        raise InputError(field="gaps", value=gaps, expected="hold, interpolate, or the number to put there")
    header = said.get("header")
    if header is not None and (type(header) is not int or header < 1):
        raise InputError(
            field="header", value=header, expected="the number of the line with the names, from 1"
        )
    if "where" in said and not isinstance(said["where"], Mapping):
        raise InputError(field="where", value=said["where"], expected="{column: value} of the rows to use")
    said["missing"] = _names("missing", said.get("missing")) or ()
    every = zone == "all"
    return Told(
        zone=None if every else _names("zone", zone),
        every_zone=every,
        time=_names("time", time) or (),
        value=_names("value", value) or (),
        **said,
    )


def _names(field: str, given: Any) -> tuple[str, ...] | None:
    if given is None:
        return None
    names = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Sequence) else ()
    if not names or not all(isinstance(name, str) for name in names):
        if isinstance(given, Sequence) and not given and field != "zone":
            return ()
        raise InputError(field=field, value=given, expected="a name, or a list of names")
    return names
