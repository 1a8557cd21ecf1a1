"""``stepwatt describe`` and ``stepwatt schema``: what the fields of files mean."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from .options import Json


def describe(
    field: Annotated[
        str, typer.Argument(metavar="FIELD", help="A name, the end of a path, or how a name begins.")
    ] = "",
    page: Annotated[bool, typer.Option("--page", help="Print the page of all fields, as Markdown.")] = False,
    as_json: Json = False,
) -> None:
    """Say what a field means: type, unit, default, and where it stands in the model.

    Example: stepwatt describe battery.energy_mwh
    """
    from dataclasses import asdict

    from stepwatt.formulation import InputError

    from ..console import print_json, print_table
    from ..reference.fields import all_fields, look_up
    from ..reference.page import page as whole

    if page:
        sys.stdout.write(whole())
        return
    if not field and not as_json:
        raise InputError(field="FIELD", value="", expected="a name such as battery, or --page for all")
    found = look_up(field) if field else all_fields()
    if as_json:
        print_json({"fields": [asdict(one) for one in found]})
        return
    headings = ("file", "field", "type", "unit", "default", "meaning", "equation")
    rows = [
        (
            one.file,
            one.path + (f" ({one.variant})" if one.variant else ""),
            one.type.replace("`", ""),
            one.unit,
            one.default.replace("`", ""),
            one.meaning.replace("``", ""),
            one.equation,
        )
        for one in found
    ]
    print_table(headings, rows)


def schema(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="instance, schedule, result, comparison or run.")
    ] = "instance",
    as_json: Json = False,
) -> None:
    """Print the JSON Schema of a kind of file, for editors and validators.

    Example: stepwatt schema instance > instance.schema.json
    """
    from ..reference.schemas import schema as find

    print(schema_text(find(file)), end="")


def schema_text(found: dict[str, object]) -> str:
    """As it is written to files."""
    import json

    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"
