"""``stepwatt init``: a project folder to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Json


def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to make, or to write into.")],
    gpu: Annotated[str, typer.Option(help="Kind of GPU; an unknown name lists the known ones.")] = "H100-SXM",
    model: Annotated[
        list[str] | None, typer.Option(help="Published model to run; repeatable. Default: sdxl-base.")
    ] = None,
    timezone: Annotated[str, typer.Option(help="IANA name of the clock of days.")] = "Europe/Berlin",
    currency: Annotated[str, typer.Option(help="Of all money.")] = "EUR",
    as_json: Json = False,
) -> None:
    """Write a commented site.toml, which builds as it is, for those who write no Python.

    Example: stepwatt init mysite --gpu H100-SXM --timezone Europe/Oslo
    """
    from stepwatt.data.folder import init_folder

    from ..console import print_json, tell

    models = tuple(model or ("sdxl-base",))
    path = init_folder(folder, gpu=gpu, models=models, timezone=timezone, currency=currency)
    if as_json:
        print_json({"file": str(path)})
    else:
        tell(f"wrote {path}: edit it, then stepwatt compare {folder}")
