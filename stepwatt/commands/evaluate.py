"""``stepwatt evaluate``: judge a schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Json


def evaluate(
    instance: Annotated[
        Path, typer.Argument(metavar="INSTANCE", help="An instance file, or a project folder.")
    ],
    schedule: Annotated[
        Path,
        typer.Argument(metavar="SCHEDULE", help="A schedule or result file, or a CSV of jobs by slot."),
    ],
    out: Annotated[Path | None, typer.Option(help="Schedule file to write: a CSV, completed.")] = None,
    as_json: Json = False,
) -> None:
    """Say what a schedule is worth, and which constraints it breaks.

    A CSV (columns slot or time, site, class, jobs, and where there is a choice model and steps) is completed
    by the plant: cooling, grid, sun and wind. What cannot be carried out is told.

    Exit code 0 when it keeps every constraint, 1 when it breaks one.

    Example: stepwatt evaluate instance.json result.json
    """
    from stepwatt.data.folder import build_folder, is_folder
    from stepwatt.formulation import evaluate as judge
    from stepwatt.formulation import load, load_schedule
    from stepwatt.formulation.files import make_room

    from ..completing import complete
    from ..console import complain, print_facts, print_json, tell
    from ..reports.tables import money

    if out:
        make_room(out)
    inst = build_folder(instance) if is_folder(instance) else load(instance)
    cut: tuple[str, ...] = ()
    if schedule.suffix.lower() == ".csv":
        completion = complete(inst, schedule)
        plan, cut = completion.schedule, completion.cut
    else:
        plan = load_schedule(inst, schedule)
    judged = judge(inst, plan)
    if out:
        plan.save(inst, out)
        tell(f"wrote {out}")
    broken = judged.broken
    if as_json:
        print_json(
            {
                "instance": inst.name,
                "feasible": judged.feasible,
                "utility": judged.utility,
                "breakdown": judged.breakdown,
                "metrics": judged.metrics,
                "violations": judged.violations,
                "cut": list(cut),
            }
        )
    else:
        print_facts(
            [
                ("utility", f"{money(judged.utility)} {inst.currency}"),
                *((name, f"{money(value)} {inst.currency}") for name, value in judged.breakdown.items()),
                *((name, f"{value:,.6g}") for name, value in judged.metrics.items()),
                *((f"breaks {family}", f"by {amount:.6g}") for family, amount in broken.items()),
            ]
        )
    for line in cut:
        tell(f"not carried out: {line}")
    if broken:
        complain(
            "the schedule breaks "
            + ", ".join(f"{family} by {amount:.3g}" for family, amount in broken.items())
        )
        raise typer.Exit(1)
