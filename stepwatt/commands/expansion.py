"""``stepwatt expansion``: what one more unit of plant is worth a year, and the best sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Gap, Json, TimeLimit, each_once

Sizes = list[str] | None


def expansion(
    instances: Annotated[
        list[Path], typer.Argument(metavar="INSTANCE", help="Instance files: days of a year.")
    ],
    cost: Annotated[
        Sizes,
        typer.Option(
            metavar="THING=MONEY",
            help="A year and unit, of a thing or of one at a site (gpus.DE=900); none: the catalogue's.",
        ),
    ] = None,
    installed: Annotated[
        Sizes, typer.Option(metavar="SITE=MW", help="Sun and wind that the series of a site stand for.")
    ] = None,
    most: Annotated[Sizes, typer.Option(metavar="THING=SIZE", help="Largest size.")] = None,
    from_nothing: Annotated[
        bool, typer.Option("--from-nothing", help="Sizes begin at 0, and all of them is paid for.")
    ] = False,
    gap: Gap = 1e-4,
    time_limit: TimeLimit = 300.0,
    as_json: Json = False,
) -> None:
    """Say what one more unit of battery, grid, sun and wind, or GPUs is worth a year, and how much is best.

    Example: stepwatt expansion winter.json summer.json --cost gpus=900 --cost battery_mwh=20000
    """
    from stepwatt.formulation import load

    from ..console import print_json, print_table, tell, working
    from ..worth.expansion import expansion as expanded

    days = [load(file) for file in instances]
    found = working(
        "expansion",
        lambda progress: expanded(
            days,
            costs=_numbers("--cost", cost) or None,
            installed=_numbers("--installed", installed),
            most=_numbers("--most", most),
            keep=not from_nothing,
            gap=gap,
            time_limit=time_limit,
            progress=progress,
        ),
    )
    rows, money = found.table.reset_index().to_dict("records"), found.currency
    if as_json:
        gain = {"at_least": found.gain[0], "at_most": found.gain[1], "any_sizes_at_most": found.most}
        print_json({"currency": money, "gain_a_year": gain, "sizes": rows})
        return
    headings = ("site", "thing", "now", f"one more: {money} a year", "costs", "best", "chosen", "unit", "")
    cells = [
        [
            row["site"],
            row["thing"],
            f"{row['now']:,.4g}",
            f"{row['worth']:,.2f}",
            f"{row['cost']:,.2f}" if row["cost"] == row["cost"] else "-",
            f"{row['best']:,.4g}",
            f"{row['chosen']:,.4g}",
            row["unit"],
            row["note"],
        ]
        for row in rows
    ]
    print_table(headings, cells, right=range(2, 7))
    low, high = found.gain
    told = f"the chosen sizes bring {low:,.2f} to {high:,.2f} {money} a year more, their cost paid"
    tell(f"{told}; no others more than {found.most:,.2f}")


def _numbers(option: str, words: Sizes) -> dict[str, float]:
    from stepwatt.formulation import InputError

    def said(word: str) -> tuple[str, float]:
        name, equals, text = word.partition("=")
        try:
            number = float(text)
        except ValueError:
            equals = ""
        if not (name and equals):
            raise InputError(field=option, value=word, expected="NAME=NUMBER")
        return name.strip(), number

    return each_once(option, map(said, words or ()))
