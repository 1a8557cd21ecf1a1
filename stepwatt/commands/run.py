"""``stepwatt run``: a policy decides slot by slot."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from .options import InstanceFile


def run(
    policy: Annotated[
        str,
        typer.Argument(
            help="Policy file, the folder of a training, or foresight: prices from a plan, untrained."
        ),
    ],
    instance: InstanceFile,
    state: Annotated[
        Path | None, typer.Option(help="Keeps the state after every slot; goes on from it if it exists.")
    ] = None,
    slots: Annotated[
        Path | None, typer.Option(help="File of slots, one JSON object per line. Default: standard input.")
    ] = None,
    why: Annotated[
        bool,
        typer.Option("--why", help="With each decision a reason for every site, and what was rejected."),
    ] = False,
) -> None:
    """Read slots, write decisions: one JSON line each.

    A line names its slot and what it has brought, by site; what it leaves out is as the instance expects:
    {"slot": 0, "arrivals": {"DE": {"draft": 40}}, "import_price": {"DE": 61.5}}. A decision holds transfers,
    runs and site flows as in schedule files, its utility and the milliseconds it took. Killed at any moment,
    the same command goes on with the first slot that the state file does not have, and gives the last
    decisions once more where their lines come again: they may not have been read. Slots tell them apart.
    A room that no decision could keep below its limit is told, the stream goes on, and ends with exit code 1.

    Example: stepwatt run runs/sac day.json --state state.json --slots slots.jsonl
    """
    from stepwatt.formulation import load

    from ..console import complain, tell
    from ..learned import foresight, load_policy
    from ..streaming import Run, run_stream

    chosen = foresight() if policy == "foresight" else load_policy(policy)
    with closing(Run(chosen, load(instance), state, why=why)) as session, _lines(slots) as lines:
        session.warm(tell)
        broken = False
        for decision in run_stream(session, lines):
            sys.stdout.write(json.dumps(decision) + "\n")
            sys.stdout.flush()
            for site, above in decision.get("violations", {}).get("temperature", {}).items():
                broken = True
                complain(f"slot {decision['slot']}: the room of {site} is {above:.3g} °C above its limit")
    if broken:
        raise typer.Exit(1)


@contextmanager
def _lines(slots: Path | None) -> Iterator[Iterable[str]]:
    from stepwatt.formulation import InputError

    if slots is None:
        if sys.stdin is None:
            expected = "a file of slots, as standard input is closed"
            raise InputError(field="--slots", value=None, expected=expected)
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(encoding="utf-8", errors="strict")  # as JSON is, whatever the locale
        yield sys.stdin
        return
    try:
        file = slots.open(encoding="utf-8")
    except OSError as why:
        reason = why.strerror or str(why)
        raise InputError(
            field="file", value=reason, expected="a readable file of slots", file=str(slots)
        ) from None
    with file:
        try:
            yield file
        except InputError as defect:
            raise (defect if defect.file else defect.in_file(str(slots))) from None
