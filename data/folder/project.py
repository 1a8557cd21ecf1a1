"""``site.toml``: an instance from the tables of a file in which numbers carry their units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.errors import one_of
from stepwatt.formulation.toml_tables import read_toml

from ..building.build import build
from ..building.parts import Battery, Cooling, Generator, Gpus, Grid, JobClass, Model, Part, Site
from ..building.slots import Slots, horizon
from ..units import Units
from .jobs import jobs_of
from .sources import Sources

SITE_FILE = "site.toml"

_TOP = (
    "name", "date", "days", "slot", "timezone", "currency", "exchange", "carbon_price", "whole_jobs",
    "transfer_cost", "link", "models", "classes", "sites", "jobs", "rules",
)  # fmt: skip

#: Endings of field names that say a unit; in site.toml the value says it.
_ENDING = re.compile(r"_(kg_per_mwh|mwh_per_c|mw_per_c|gb_per_hour|mwh|mw|minutes|watts|gb|c|s)$")

_SITE_PARTS: dict[str, type[Part]] = {
    "gpus": Gpus,
    "grid": Grid,
    "cooling": Cooling,
    "battery": Battery,
    "generator": Generator,
}


def is_folder(path: str | Path) -> bool:
    """Whether a path is a project folder."""
    return (Path(path) / SITE_FILE).is_file()


def build_folder(folder: str | Path, date: str | None = None, days: int | None = None) -> Instance:
    """The instance of a project folder.

    Args:
        folder: holds ``site.toml``, and the files that it names.
        date: first day, ISO 8601; by default that of the file.
        days: calendar days; by default those of the file, else one.

    Raises:
        InputError: which names file, field, value and what was expected.
    """
    path = Path(folder) / SITE_FILE
    if not path.is_file():
        expected = f"a folder with {SITE_FILE}; stepwatt init {folder} makes one"
        raise InputError(field="folder", value=str(folder), expected=expected)
    tables = read_toml(path)
    try:
        return _Project(tables, Path(folder)).instance(date, days)
    except InputError as error:
        raise (error if error.file else error.in_file(str(path))) from None


def folder_rules(folder: str | Path) -> dict[str, dict[str, Any]]:
    """The table ``[rules]`` of a project folder, or those ``[rules.NAME]``, by name; a set point in °C.

    Raises:
        InputError: it is no table, or a set point without its unit.
    """
    path = Path(folder) / SITE_FILE
    tables = read_toml(path)
    try:
        project = _Project(tables, Path(folder))
        given = _table(tables.get("rules", {}), "rules")
        if "rules" not in tables:
            return {}
        several = bool(given) and all(isinstance(one, Mapping) for one in given.values())
        found = {name: dict(one) for name, one in (given.items() if several else [("rules", given)])}
        for name, table in found.items():
            if "setpoint" in table:
                where = f"rules.{name}.setpoint" if several else "rules.setpoint"
                table["setpoint"] = project.number(table["setpoint"], "°C", where)
    except InputError as error:
        raise (error if error.file else error.in_file(str(path))) from None
    return found


class _Project:
    """The tables of the file, on their way to parts."""

    def __init__(self, tables: dict[str, Any], folder: Path) -> None:
        _check_keys(tables, _TOP, "")
        self.tables = tables
        self.currency = _text(tables, "currency", "USD")
        self.units = Units(self.currency, _table(tables.get("exchange", {}), "exchange"))
        self.sources = Sources(folder, self.units)
        self.folder = folder

    def instance(self, date: str | None, days: int | None) -> Instance:
        top = self.tables
        timezone = _text(top, "timezone", "") or None
        start = date or str(top.get("date", ""))
        if not start:
            raise InputError(field="date", value="(missing)", expected="a day: --date, or date in this file")
        slot = self.units.read(_text(top, "slot", "15 min"), "min", "slot")
        length = days if days is not None else top.get("days", 1)
        slots = horizon(start, length, None, slot, timezone, self.currency)
        self.sources.slots = slots
        sites = _named(top, "sites")
        return build(
            start=start,
            days=length,
            slot=slot,
            timezone=timezone,
            currency=self.currency,
            name=_text(top, "name", self.folder.resolve().name),
            sites={name: self.site(table, f"sites.{name}") for name, table in sites.items()},
            models=self.models(),
            classes={
                name: self.part(JobClass, _table(table, f"classes.{name}"), f"classes.{name}")
                for name, table in _named(top, "classes").items()
            },
            arrivals=self.arrivals(list(sites), slots),
            transfer_cost=self.number(top.get("transfer_cost", 0), "USD/GB", "transfer_cost"),
            link_gb_per_hour=self.links(),
            carbon_price=self.number(top.get("carbon_price", 0), "USD/t", "carbon_price"),
            integral_jobs=top.get("whole_jobs", True),
        )

    def number(self, value: Any, unit: str, field: str) -> Any:
        """A number with its unit; 0 needs none."""
        if isinstance(value, str):
            return self.units.read(value, unit, field)
        if value == 0 and not isinstance(value, bool):
            return 0.0
        if unit in ("1", "", "GPUs", "steps", "slots"):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            example = f'"{value:g} {unit.replace("USD", self.currency)}"'
            raise InputError(field=field, value=value, expected=f"a unit with the number, such as {example}")
        return value

    def part(self, kind: type[Part], table: Mapping[str, Any], path: str) -> Any:
        """A part from its table: every value in the unit of its field."""
        given: dict[str, Any] = {}
        short = {_ENDING.sub("", name): name for name in kind.model_fields}
        for key, value in table.items():
            name = short.get(key, key)
            if name not in kind.model_fields:
                raise InputError(field=f"{path}.{key}", value=value, expected=one_of(sorted(short), key))
            extra: Any = kind.model_fields[name].json_schema_extra
            unit = str(extra.get("unit", "")) if isinstance(extra, dict) else ""
            given[name] = self.value(value, unit, name, f"{path}.{key}", said=key not in short)
        try:
            return kind(**given)
        except InputError as error:
            raise error.inside(path) from None

    def value(self, value: Any, unit: str, name: str, path: str, *, said: bool = False) -> Any:
        """A value of a field in its unit; ``said``: the key has the unit, so that a bare number will do."""
        if name == "quality":
            steps = isinstance(value, dict) and all(re.fullmatch(r"[0-9]{1,6}", key) for key in value)
            return {int(key): number for key, number in value.items()} if steps else value
        if isinstance(value, dict):
            return self.sources.series(value, name, unit, path)
        if isinstance(value, list):
            return [self.number(one, unit, f"{path}[{n}]") if unit else one for n, one in enumerate(value)]
        return value if not unit or (said and not isinstance(value, str)) else self.number(value, unit, path)

    def models(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, table in _named(self.tables, "models").items():
            path = f"models.{name}"
            given = dict(_table(table, path))
            known = given.pop("like", None)
            if known is None:
                found[name] = self.part(Model, given, path)
                continue
            try:
                base = Model.named(known)
            except InputError as error:
                expected = error.expected
                raise InputError(field=f"{path}.like", value=known, expected=expected) from None
            changed = self.part(Model, {**_plain(base), **given}, path) if given else base
            found[name] = changed
        return found

    def site(self, given: Any, path: str) -> Site:
        table = dict(_table(given, path))
        parts: dict[str, Any] = {}
        for name, kind in _SITE_PARTS.items():
            if name in table:
                parts[name] = self.part(kind, _table(table.pop(name), f"{path}.{name}"), f"{path}.{name}")
            elif name in ("gpus", "grid", "cooling"):
                raise InputError(field=f"{path}.{name}", value="(missing)", expected="this table")
        renewables = table.pop("renewables", None)
        if renewables is not None:
            where = f"{path}.renewables"
            parts["renewable_mw"] = self.sources.renewables(_table(renewables, where), where)
        for key in ("models", "terminal_price"):
            if key in table:
                unit = "USD/MWh" if key == "terminal_price" else ""
                parts[key] = self.value(table.pop(key), unit, key, f"{path}.{key}")
        known = (*_SITE_PARTS, "renewables", "models", "terminal_price")
        for key, value in table.items():
            raise InputError(field=f"{path}.{key}", value=value, expected=one_of(known, key))
        try:
            return Site(**parts)
        except InputError as error:
            raise error.inside(path) from None

    def arrivals(self, sites: list[str], slots: Slots) -> dict[str, Any]:
        found = {}
        for site, table in _named(self.tables, "jobs").items():
            path = f"jobs.{site}"
            if site not in sites:
                raise InputError(field=path, value=site, expected=one_of(sites, site))
            found[site] = jobs_of(_table(table, path), path, slots, sites.index(site), self.folder)
        return found

    def links(self) -> dict[str, dict[str, float]] | None:
        if "link" not in self.tables:
            return None
        return {
            i: {
                j: self.number(value, "GB/h", f"link.{i}.{j}")
                for j, value in _table(row, f"link.{i}").items()
            }
            for i, row in _table(self.tables["link"], "link").items()
        }


def _plain(model: Model) -> dict[str, Any]:
    """The figures of a known model, as site.toml would say them."""
    units = {
        "seconds_fixed": "s",
        "seconds_per_step": "s/step",
        "joules_fixed": "J",
        "joules_per_step": "J/step",
    }
    figures = {name: f"{getattr(model, name)!r} {unit}" for name, unit in units.items()}
    return {"steps": list(model.steps), "quality": model.quality, **figures}


def _check_keys(table: Mapping[str, Any], known: tuple[str, ...], path: str) -> None:
    for key, value in table.items():
        if key not in known:
            raise InputError(field=f"{path}{key}", value=value, expected=one_of(known, key))


def _table(value: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(field=field, value=value, expected=f"a table [{field}]")
    return value


def _named(tables: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    found = _table(tables.get(field, {}), field)
    if not found:
        raise InputError(field=field, value="(missing)", expected=f"at least one table [{field}.NAME]")
    return found


def _text(table: Mapping[str, Any], key: str, default: str) -> str:
    value = table.get(key, default)
    if not isinstance(value, str):
        raise InputError(field=key, value=value, expected="a text in quotes")
    return value
