"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[
    bool,
    typer.Option("--json", help="Print JSON on stdout, and nothing else there. Progress goes to stderr."),
]
InstanceFile = Annotated[
    Path, typer.Argument(metavar="INSTANCE", help="An instance file (stepwatt.instance/1).")
]
Gap = Annotated[float, typer.Option("--gap", help="Relative optimality gap at which to stop.")]
TimeLimit = Annotated[
    float | None, typer.Option("--time-limit", metavar="SECONDS", help="Stop a solve after this long.")
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of methods that draw at random.")]
LookAhead = Annotated[
    float, typer.Option("--look-ahead", metavar="HOURS", help="How far the rolling horizon looks ahead.")
]
