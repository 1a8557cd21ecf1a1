"""Options that several commands share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

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
Quiet = Annotated[bool, typer.Option("--quiet", help="On stderr nothing but errors.")]


def quietable(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option ``--quiet``: it shows no progress and no hints."""
    from ..console import QUIET

    @wraps(command)
    def wrapped(*arguments: Any, quiet: bool = False, **named: Any) -> None:
        before = QUIET.set(quiet)
        try:
            command(*arguments, **named)
        finally:
            QUIET.reset(before)

    # typer asks for the signature, with annotations that are no text any more
    known = inspect.signature(command, eval_str=True)
    option = inspect.Parameter("quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Quiet)
    wrapped.__signature__ = known.replace(parameters=[*known.parameters.values(), option])  # type: ignore[attr-defined]
    return wrapped
