"""``stepwatt evaluate``: judge a schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import InstanceFile, Json


def evaluate(
    instance: InstanceFile,
    schedule: Annotated[Path, typer.Argument(metavar="SCHEDULE", help="A schedule file, or a result file.")],
    as_json: Json = False,
) -> None:
    """Say what a schedule is worth, and which constraints it breaks.

    Exit code 0 when it keeps every constraint, 1 when it breaks one.

    Example: stepwatt evaluate instance.json result.json
    """
    from stepwatt.formulation import evaluate as judge
    from stepwatt.formulation import load, load_schedule

    from ..console import complain, print_facts, print_json
    from ..reports.tables import money

    inst = load(instance)
    judged = judge(inst, load_schedule(inst, schedule))
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
    if broken:
        complain(
            "the schedule breaks "
            + ", ".join(f"{family} by {amount:.3g}" for family, amount in broken.items())
        )
        raise typer.Exit(1)
