"""``stepwatt demo``: a real day, its optimum, bounds, baselines and a learned policy, on embedded data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Json

if TYPE_CHECKING:
    from stepwatt.formulation import Instance

    from ..comparing.comparison import Comparison

ZONES = ("DE", "FR", "DK")
DAY = date(2018, 6, 12)

#: Seconds that one method may search; most need a few.
TIME_LIMIT = 20.0

#: Name in the table → policy.
POLICIES = {
    "oracle": "oracle",
    "lp": "lp",
    "conic": "conic",
    "foresight, day-ahead": "foresight:day-ahead",
    "foresight, persistence": "foresight:persistence",
    "rolling, perfect": "rolling:perfect",
    "rolling, day-ahead": "rolling:day-ahead",
    "rolling, persistence": "rolling:persistence",
    "learned": "jemas",
    "greedy": "greedy",
    "random": "random",
    "all-off": "all-off",
    "local": "local",
    "fixed-steps": "fixed-steps",
    "no-dvfs": "no-dvfs",
    "no-renewables": "no-renewables",
    "no-storage": "no-storage",
    "no-deferral": "no-deferral",
}


def demo(
    out: Annotated[
        Path, typer.Option(help="Report to write; the instance and the comparison go beside it.")
    ] = Path("demo/report.html"),
    slots: Annotated[int, typer.Option(help="Slots of five minutes; 288 is a day.")] = 288,
    workers: Annotated[
        int | None, typer.Option(help="Policies in work at a time, each in a process; as many as cores.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Solve a real day of three sites, with bounds and baselines; report it.

    Prices, sun and wind are those of Germany, France and Denmark on 12 June 2018. Takes a minute or two.

    Example: stepwatt demo --out demo/report.html
    """
    from joblib import cpu_count

    from stepwatt.formulation.files import make_room, write_files
    from stepwatt.formulation.records import json_text

    from ..console import print_facts, print_json, print_table, tell, working
    from ..reports.facts import instance_facts
    from ..reports.page import html
    from ..reports.tables import IN_TERMINALS, cells, headings
    from ..scores.file import text
    from .compare import as_plain

    instance_file, comparison_file = out.with_name("instance.json"), out.with_name("comparison.json")
    make_room(out, instance_file, comparison_file)
    cores = workers or cpu_count()
    inst, comparison = working("demo", lambda progress: demonstration(slots, cores, progress))
    contents = {
        out: html(comparison.scores),
        instance_file: json_text(inst.to_dict()),
        comparison_file: text(comparison.scores),
    }
    write_files(contents)
    files = [str(path) for path in (out, instance_file, comparison_file)]
    if as_json:
        print_json(as_plain(comparison) | {"files": files})
        return
    print_facts([("instance", inst.name), *instance_facts(inst)])
    shown = (headings(comparison.scores, IN_TERMINALS), cells(comparison.scores, IN_TERMINALS))
    print_table(*shown, right=range(2, 2 + len(IN_TERMINALS)))
    tell(f"wrote {', '.join(files)}\nopen {out} in a browser")


def demonstration(
    slots: int = 288, workers: int = 1, progress: Callable[[float, str], None] | None = None
) -> tuple[Instance, Comparison]:
    """The instance, and all policies on it; ``slots`` of five minutes, a day by default.

    Yesterday's instance serves as history for the persistence forecast.
    """
    from stepwatt.data import scenario
    from stepwatt.solvers.planners.foresight.compiling import warm

    from ..comparing.running import compare

    def day(start: str, count: int) -> Instance:
        return scenario("jemas", start=start, zones=ZONES, n_slots=count)

    inst = day(DAY.isoformat(), slots)
    past = day((inst.start_time - timedelta(minutes=5 * slots)).isoformat(), slots)
    # what its first use on a machine compiles is not to count as time of planning, nor to be done twice
    told = progress or (lambda done, what: None)
    warm(lambda what: told(0.0, what))
    policies: dict[str, Any] = dict(POLICIES)
    found = compare(
        inst, policies, history=past, gap=1e-4, time_limit=TIME_LIMIT, workers=workers, progress=told
    )
    return inst, found
