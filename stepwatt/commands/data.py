"""``stepwatt data``: what files of prices, carbon, weather and requests are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .options import Json, each_once, quietable

app = typer.Typer(
    help="Files of prices, carbon, weather and requests.\n\nExample: stepwatt data look prices.csv",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    pass


@app.command()
@quietable
def look(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV, also packed.")],
    layout: Annotated[
        str | None, typer.Option(help="Its layout, if not to be recognised; an unknown name lists them.")
    ] = None,
    say: Annotated[
        list[str] | None,
        typer.Option("--say", metavar="WORD=VALUE", help="A word of read_prices or read_jobs; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Tell what a file is: layout, zones, span, resolution, gaps, units, first rows.

    And what must still be said to read it. Exit code 1 where no layout is known.

    Example: stepwatt data look prices.csv --say tz=Europe/Berlin
    """
    from stepwatt.data import look as look_at

    from ..console import print_facts, print_json

    seen = look_at(file, layout, **each_once("--say", map(_word, say or [])))
    if as_json:
        print_json(seen.to_dict())
    else:
        print_facts([(name, value) for name, value in _facts(seen) if value])
        for line in seen.head:
            print(f"  | {line[:150]}")
    if seen.layout is None:
        raise typer.Exit(1)


def _word(text: str) -> tuple[str, Any]:
    from stepwatt.formulation import InputError

    word, equals, value = text.partition("=")
    if not equals or not value:
        raise InputError(field="--say", value=text, expected="WORD=VALUE, for example tz=Europe/Oslo")
    word = word.strip()
    if word == "header" and value.isdecimal():
        return word, int(value)
    if word == "dayfirst" and value.lower() in ("true", "false"):
        return word, value.lower() == "true"
    if word in ("header", "dayfirst"):
        expected = "the number of a line" if word == "header" else "true or false"
        raise InputError(field=f"--say {word}", value=value, expected=expected)
    return word, value


def _facts(seen: Any) -> list[tuple[str, str]]:
    file = seen.file
    signs = {"\t": "tabs"}
    facts = [
        ("file", seen.source),
        (
            "text",
            f"{file['encoding']}, fields apart by {signs.get(file['delimiter'], file['delimiter'])}, "
            f"names in line {file['header']}",
        ),
        ("layout", f"{seen.layout}: {seen.title} ({seen.why})" if seen.layout else "not recognised"),
    ]
    for quantity, found in seen.quantities.items():
        facts.append((quantity, f"{found['unit'] or 'unit not said'}, times in {found['timezone']}"))
        for zone, one in found["zones"].items():
            also = f" (also {', '.join(one['also'])})" if one["also"] else ""
            span = f"{one['from']} to {one['to']}, {one['steps']} steps of {one['resolution']}"
            values = (
                f"{one['lowest']:g} to {one['highest']:g}, first {', '.join(f'{v:g}' for v in one['first'])}"
            )
            facts.append((f"  {zone}", f"{span}; {values}{also}"))
            missing = sum(gap["steps"] for gap in one["gaps"])
            if missing:
                gap = one["gaps"][0]
                facts.append(
                    ("  gaps", f"{missing} steps in {len(one['gaps'])}, {gap['from']} to {gap['to']} first")
                )
            facts += [("  note", note) for note in one["notes"]]
    if seen.jobs is not None:
        classes = ", ".join(f"{name} {count}" for name, count in seen.jobs["classes"].items())
        facts.append(("requests", f"{seen.jobs['requests']}: {classes}"))
        facts.append(("span", f"{seen.jobs['from']} to {seen.jobs['to']}"))
        facts.append(("steps", seen.jobs["steps"] or ""))
    facts += [("to read it", line.removeprefix(f"{seen.source}: ")) for line in seen.refused]
    return facts
