"""``stepwatt pareto``: utility against carbon, missed jobs or quality."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Gap, InstanceFile, Json, TimeLimit


def pareto(
    instance: InstanceFile,
    against: Annotated[str, typer.Option(help="carbon, missed or quality.")] = "carbon",
    points: Annotated[int, typer.Option(help="Solves, two of them at the ends.")] = 6,
    highest: Annotated[
        float | None, typer.Option(help="Price a unit at the thrifty end, beyond the instance's own.")
    ] = None,
    gap: Gap = 1e-4,
    time_limit: TimeLimit = 300.0,
    out: Annotated[
        Path | None, typer.Option(help="File to write: .html (the figure) or .csv (the table).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what less carbon, fewer missed jobs or more quality cost: certified points of the front.

    Example: stepwatt pareto instance.json --against carbon --out front.html
    """
    from stepwatt.formulation import InputError, load
    from stepwatt.formulation.files import make_room, write_files

    from ..console import print_json, print_table, tell, working
    from ..reports.tables import csv
    from ..worth.pareto import AIMS
    from ..worth.pareto import pareto as front_of

    inst = load(instance)
    if out:
        if out.suffix not in (".html", ".csv"):
            raise InputError(field="--out", value=str(out), expected="a name that ends in .html or .csv")
        make_room(out)
    found = working(
        "pareto",
        lambda progress: front_of(
            inst, against, points=points, highest=highest, gap=gap, time_limit=time_limit, progress=progress
        ),
    )
    if out and out.suffix == ".html":
        found.to_html(out)
    elif out:
        write_files({out: csv(found.table)})
    rows, money, aim = found.table.to_dict("records"), inst.currency, AIMS[against]
    if as_json:
        told = {"currency": money, "aim": against, "unit": aim.unit, "points": rows}
        print_json({**told, "file": str(out) if out else None})
        return
    headings = (
        f"{aim.what}, {aim.unit}",
        f"utility, {money}",
        "no schedule above",
        "at a price of",
        "CO2 t",
        "missed",
        "mean quality",
        "status",
    )
    cells = [
        [
            f"{row['amount']:,.5g}",
            f"{row['utility']:,.2f}",
            f"{row['bound']:,.2f}",
            f"{row['price']:,.4g}",
            f"{row['carbon_t']:,.4f}",
            f"{row['missed']:,.0f}",
            f"{row['mean_quality']:.3f}",
            row["status"],
        ]
        for row in rows
    ]
    print_table(headings, cells, right=range(7))
    if out:
        tell(f"wrote {out}")
