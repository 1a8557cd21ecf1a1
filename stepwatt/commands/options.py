"""Options that several commands share."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

T = TypeVar("T")

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


def each_once(option: str, pairs: Iterable[tuple[str, T]]) -> dict[str, T]:
    """What the words NAME=VALUE of an option say, by name.

    Raises:
        InputError: a name that is given twice, of which one would be lost.
    """
    found: dict[str, T] = {}
    for name, value in pairs:
        if name in found:
            from stepwatt.formulation.errors import InputError

            raise InputError(field=option, value=name, expected="every name once")
        found[name] = value
    return found


def quietable(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option ``--quiet``: it shows no progress and no hints.

    What it reads it never replaces, and ``-`` is no file.
    """
    from ..console import QUIET

    @wraps(command)
    def wrapped(*arguments: Any, quiet: bool = False, **named: Any) -> None:
        before = QUIET.set(quiet)
        try:
            _refuse_dashes(named, options)
            refuse_to_replace_inputs(named)
            command(*arguments, **named)
        finally:
            QUIET.reset(before)

    # typer asks for the signature, with annotations that are no text any more
    known = inspect.signature(command, eval_str=True)
    options = {name for name, one in known.parameters.items() if _is_option(one)}
    option = inspect.Parameter("quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Quiet)
    wrapped.__signature__ = known.replace(parameters=[*known.parameters.values(), option])  # type: ignore[attr-defined]
    return wrapped


def _is_option(parameter: inspect.Parameter) -> bool:
    marks = getattr(parameter.annotation, "__metadata__", ())
    return any(isinstance(mark, type(typer.Option())) for mark in marks)


#: Options that name files to write.
_WRITTEN = ("out", "prices", "state")


def _refuse_dashes(named: Mapping[str, Any], options: Collection[str]) -> None:
    """Refuse ``-``, which other tools take for standard streams, where a file or folder is asked for.

    Raises:
        InputError: the option, and what there is instead.
    """
    for name, value in named.items():
        for one in value if isinstance(value, list) else [value]:
            if one == Path("-") or (name == "policy" and str(one).endswith("=-")):
                from stepwatt.formulation.errors import InputError

                instead = "JSON on stdout is --json" if name in _WRITTEN else "standard input is /dev/stdin"
                field = f"--{name}" if name in options else name
                raise InputError(field=field, value=str(one), expected=f"the name of a file ({instead})")


def refuse_to_replace_inputs(named: Mapping[str, Any]) -> None:
    """Refuse a command whose options have it write over a file that it reads, a slip that no one can undo.

    Raises:
        InputError: the option and the file.
    """
    read = [path for name, value in named.items() if name not in _WRITTEN for path in _files(value)]
    for name in _WRITTEN:
        for path in _files(named.get(name)):
            if any(os.path.samefile(path, other) for other in read):
                from stepwatt.formulation.errors import InputError

                expected = "another file than those that are read"
                raise InputError(field=f"--{name}", value=str(path), expected=expected)


def _files(value: Any) -> Iterator[Path]:
    """The files that are there in what an option was given: paths, ``NAME=FILE``, sources of folders."""
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, str | Path):
            continue
        for text in (str(one), str(one).partition("=")[2]):
            path = Path(text)
            if text and os.path.isfile(path):
                yield path
            elif text and os.path.isfile(path / "site.toml"):
                yield path / "site.toml"
                said = (path / "site.toml").read_text(encoding="utf-8", errors="replace")
                yield from (file for file in path.glob("*") if file.is_file() and f'"{file.name}"' in said)
