"""``stepwatt export``: the model for other solvers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import InstanceFile, Json


def export(
    instance: InstanceFile,
    form: Annotated[str, typer.Option("--format", metavar="mps|lp", help="File format.")] = "mps",
    out: Annotated[Path | None, typer.Option(help="File to write. Default: the instance's name.")] = None,
    as_json: Json = False,
) -> None:
    """Write the model of an instance as MPS or LP (maximise).

    Example: stepwatt export instance.json --format mps --out model.mps
    """
    from stepwatt.formulation import load
    from stepwatt.solvers.highs.model_files import export as write

    from ..console import print_json, tell, working

    inst = load(instance)
    target = out or instance.with_suffix(f".{form}")
    columns, rows = working("export", lambda progress: write(inst, target, form))
    if as_json:
        print_json({"file": str(target), "format": form, "columns": columns, "rows": rows})
    else:
        tell(f"wrote {target}: {columns:,} columns, {rows:,} rows")
