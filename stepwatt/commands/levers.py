"""``stepwatt levers``: what each lever is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Gap, Json, Seed, TimeLimit


def levers(
    instances: Annotated[list[Path], typer.Argument(metavar="INSTANCE", help="Instance files.")],
    gap: Gap = 1e-4,
    time_limit: TimeLimit = 300.0,
    seed: Seed = 0,
    seeds: Annotated[int, typer.Option(help="How often forecast errors are drawn, from --seed on.")] = 1,
    history: Annotated[
        list[Path] | None,
        typer.Option(help="Yesterday's instance, for forecasts; one per instance, in order."),
    ] = None,
    workers: Annotated[int, typer.Option(help="Instances in work at a time.")] = 1,
    as_json: Json = False,
) -> None:
    """Say what transfer, steps, clocks, storage, deferral, renewables, export and information are worth.

    Money a day and a year, from the certified optimum with and without each: the lower and the upper end.

    Example: stepwatt levers instance.json
    """
    from stepwatt.formulation import load

    from ..console import print_json, print_table, working
    from ..worth.levers import levers as levers_of

    chosen = [load(file) for file in instances]
    past = [load(file) for file in history] if history else None
    found = working(
        "levers",
        lambda progress: levers_of(
            chosen,
            histories=past,
            gap=gap,
            time_limit=time_limit,
            seed=seed,
            seeds=seeds,
            workers=workers,
            progress=progress,
        ),
    )
    rows = found.table.reset_index().to_dict("records")
    if as_json:
        known = found.information.reset_index().to_dict("records")
        print_json({"currency": found.currency, "levers": rows, "information": known})
        return
    money = found.currency
    headings = ("lever", f"{money} a day", "to", f"{money} a year", "to", "of the utility", "")
    cells = [
        [
            row["lever"],
            *(f"{row[end]:,.2f}" for end in ("low", "high")),
            *(f"{row[end]:,.0f}" for end in ("low_year", "high_year")),
            f"{100 * row['share_of_utility']:.2f} %",
            row["note"],
        ]
        for row in rows
    ]
    print_table(headings, cells, right=range(1, 6))
