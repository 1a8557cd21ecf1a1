"""``sw.rules``: today's practice in a line, wherever a policy is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field

from stepwatt.formulation import InputError
from stepwatt.formulation.records import Finite, SettingsRecord
from stepwatt.solvers.planners.practice import Route, Rules

#: The row of rules that have no name of their own.
UNNAMED = "rules"


def rules(
    *,
    model: str | None = None,
    steps: int = 30,
    clock: str | None = None,
    route: Route = "home",
    charge: str | None = None,
    discharge: str | None = None,
    setpoint: float | None = None,
) -> Rules:
    """A policy of fixed rules, for :func:`stepwatt.compare`; every job runs as soon as it can.

    Args:
        model: runs all jobs; if not given, the first that a site has for the class.
        steps: of every job; the nearest count that class and model allow.
        clock: by name; if not given, or a site has none of the name, the one whose speed is nearest 1.
        route: ``home``; ``nearest``: where moving costs least, of sites with free GPUs; ``cheapest``:
            where moving and power together do.
        charge: hours of the local day in which batteries charge, such as ``"23:00-05:00"``.
        discharge: hours in which they discharge; if not given, all that are not for charging.
        setpoint: °C to which rooms are cooled; if not given, no more than their ceiling asks for.

    Raises:
        InputError: an unknown route, or hours that are none; an unknown model or clock when it plays.
    """
    return Rules(model, steps, clock, route, charge, discharge, setpoint)


class RulesTable(SettingsRecord):
    """The arguments of :func:`rules` as a file or a command line says them."""

    model: str | None = None
    steps: Annotated[int, Field(ge=1, le=100_000)] = 30
    clock: str | None = None
    route: Route = "home"
    charge: str | None = None
    discharge: str | None = None
    setpoint: Finite | None = None


def rules_of(table: Mapping[str, Any], where: str) -> Rules:
    """Rules from a table.

    Raises:
        InputError: an unknown name, or a value that is none; ``where`` is the table's place.
    """
    try:
        return rules(**RulesTable.read(dict(table)).model_dump())
    except InputError as error:
        raise error.inside(where) from None


def rules_said(text: str) -> tuple[str, Rules]:
    """The row's name, and the rules, of a text such as ``steps=30 route=home charge=23:00-05:00``.

    Raises:
        InputError: other than KEY=VALUE, a key twice, or as :func:`rules_of`.
    """
    table: dict[str, Any] = {}
    for part in text.split():
        key, equals, value = part.partition("=")
        if not equals or not value or key in table:
            raise InputError(field="--rules", value=part, expected="KEY=VALUE, each key once")
        table[key] = _number(value) if key in ("steps", "setpoint") else value
    name = str(table.pop("name", UNNAMED))
    return name, rules_of(table, "--rules")


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def joined(policies: Mapping[str, Any], more: Iterable[tuple[str, Rules]]) -> dict[str, Any]:
    """The policies with rows of rules.

    Raises:
        InputError: two of one name that are not the same.
    """
    found = dict(policies)
    for name, one in more:
        if found.get(name, one) != one:
            raise InputError(field="rules", value=name, expected="each a name of its own: name=TODAY")
        found[name] = one
    return found
