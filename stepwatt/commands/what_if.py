"""``stepwatt what-if``: variants of an instance side by side."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .options import Gap, InstanceFile, Json, TimeLimit


def what_if(
    instance: InstanceFile,
    change: Annotated[
        list[str],
        typer.Option(
            "--change",
            metavar="NAME:PATH=VALUE",
            help="A variant and what it changes, value as in JSON; the same name again changes more.",
        ),
    ],
    gap: Gap = 1e-4,
    time_limit: TimeLimit = 300.0,
    workers: Annotated[int, typer.Option(help="Variants in work at a time.")] = 1,
    as_json: Json = False,
) -> None:
    """Say what changes of an instance are worth: a day and a year, between two certified ends.

    Example: stepwatt what-if instance.json --change "dearer wear:sites.*.battery.wear_cost=40"
    """
    from stepwatt.formulation import load

    from ..console import print_json, print_table, working
    from ..worth.what_if import what_if as compare_variants

    inst, variants = load(instance), _variants(change)
    found = working(
        "what-if",
        lambda progress: compare_variants(
            inst, variants, gap=gap, time_limit=time_limit, workers=workers, progress=progress
        ),
    )
    rows = found.table.reset_index().to_dict("records")
    if as_json:
        print_json({"currency": found.currency, "variants": rows})
        return
    money = found.currency
    headings = (
        "variant",
        f"utility, {money}",
        "a day more",
        "to",
        "a year more",
        "to",
        "MWh",
        "CO2 t",
        "status",
    )
    cells = [
        [
            row["variant"],
            f"{row['utility']:,.2f}",
            *(f"{row[end]:+,.2f}" for end in ("low", "high")),
            *(f"{row[end]:+,.0f}" for end in ("low_year", "high_year")),
            f"{row['energy_mwh']:,.2f}",
            f"{row['carbon_t']:,.3f}",
            row["status"],
        ]
        for row in rows
    ]
    print_table(headings, cells, right=range(1, 8))


def _variants(words: list[str]) -> dict[str, dict[str, Any]]:
    from stepwatt.formulation import InputError
    from stepwatt.formulation.records import parse_json

    found: dict[str, dict[str, Any]] = {}
    for word in words:
        name, colon, rest = word.partition(":")
        path, equals, text = rest.partition("=")
        if not (name and colon and path and equals):
            raise InputError(field="--change", value=word, expected="NAME:PATH=VALUE")
        try:
            value = parse_json(text)
        except InputError:  # a word
            value = text
        changes = found.setdefault(name.strip(), {})
        if path.strip() in changes:
            raise InputError(field="--change", value=word, expected="every path of a variant once")
        changes[path.strip()] = value
    return found
