"""``stepwatt curves``: learning curves of trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Json


def curves(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Folders of trainings; one may be going on.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="File to write; the ending chooses: .html (drawn) or .csv. Default: curves.html."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw utility on validation days and reward in training, a line a seed.

    Example: stepwatt curves runs/sac runs/td3 --out curves.html
    """
    from stepwatt.formulation import InputError
    from stepwatt.formulation.files import make_room, write_text

    from ..console import print_json, print_table, tell
    from ..learning_curves import curves as read
    from ..reports.page import curves_html
    from ..reports.tables import csv

    target = out or Path("curves.html")
    if target.suffix not in (".html", ".csv"):
        raise InputError(field="--out", value=str(target), expected="a name ending in .html or .csv")
    make_room(target)
    found = read(*runs)
    write_text(target, csv(found.table) if target.suffix == ".csv" else curves_html(found))
    last = found.last
    if as_json:
        print_json({"file": str(target), "last": last.to_dict(orient="records")})
        return
    names = [str(name).replace("_", " ") for name in last.columns]
    rows = [
        [text if isinstance(text, str) else f"{text:.6g}" for text in row] for row in last.to_numpy().tolist()
    ]
    print_table(names, rows, right=range(1, len(names)))
    tell(f"wrote {target}")
