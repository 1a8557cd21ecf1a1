"""``stepwatt build``: an instance from a project folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Json


def build(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder with a site.toml.")],
    date: Annotated[str | None, typer.Option(help="First day, ISO 8601. Default: that of site.toml.")] = None,
    days: Annotated[int | None, typer.Option(help="Calendar days. Default: those of site.toml.")] = None,
    steps: Annotated[int, typer.Option(help="Step count with which the sizes are told.")] = 30,
    out: Annotated[Path | None, typer.Option(help="File to write. Default: instance.json there.")] = None,
    as_json: Json = False,
) -> None:
    """Write an instance file from a project folder, and say how jobs and sites fit together.

    Example: stepwatt build mysite --date 2018-06-12 --out instance.json
    """
    from stepwatt.data import sizing
    from stepwatt.data.folder import build_folder
    from stepwatt.formulation.files import make_room

    from ..console import print_facts, print_json, tell
    from ..reports.facts import instance_facts

    target = out or folder / "instance.json"
    inst = build_folder(folder, date, days)
    sizes = sizing(inst, steps)
    make_room(target)
    inst.save(target)
    if as_json:
        print_json({"file": str(target), "instance": inst.name, "sizing": vars(sizes)})
        return
    print_facts([("instance", inst.name), *instance_facts(inst)])
    print(sizes)
    tell(f"wrote {target}")
