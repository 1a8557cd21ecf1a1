"""``stepwatt demo``: the main job, on embedded data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Json


def demo(
    out: Annotated[
        Path, typer.Option(help="Report to write; the instance and the comparison go beside it.")
    ] = Path("demo/report.html"),
    slots: Annotated[int, typer.Option(help="Slots of five minutes; 288 is a day.")] = 288,
    as_json: Json = False,
) -> None:
    """Solve a real day of three sites, with bounds and baselines; report it.

    Prices, sun and wind are those of Germany, France and Denmark on 12 June 2018. Takes a few minutes.

    Example: stepwatt demo --out demo/report.html
    """
    from stepwatt.formulation.files import make_room

    from ..console import print_facts, print_json, print_table, tell, working
    from ..demonstration import demonstration
    from ..reports.facts import instance_facts
    from ..reports.tables import COLUMNS, cells, headings
    from .compare import as_plain

    instance_file, comparison_file = out.with_name("instance.json"), out.with_name("comparison.json")
    for path in (out, instance_file, comparison_file):
        make_room(path)
    inst, comparison = working("demo", lambda progress: demonstration(slots, progress))
    comparison.to_html(out)
    inst.save(instance_file)
    comparison.save(comparison_file)
    files = [str(path) for path in (out, instance_file, comparison_file)]
    if as_json:
        print_json(as_plain(comparison) | {"files": files})
        return
    print_facts([("instance", inst.name), *instance_facts(inst)])
    print_table(headings(), cells(comparison.scores), right=range(2, 2 + len(COLUMNS)))
    tell(f"wrote {', '.join(files)}\nopen {out} in a browser")
