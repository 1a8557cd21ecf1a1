"""The page of all fields, as Markdown."""

from __future__ import annotations

from .fields import fields_of
from .schemas import FILES

_HEAD = """# Fields

Made by `stepwatt describe --page > docs/fields.md`; do not edit. Meanings and units stand on the records
of the files.

One field: `stepwatt describe battery`. For editors and validators: [JSON Schema](schema/instance.json), or
`stepwatt schema instance`. Names in capitals stand for yours. Money is in the `currency` of the instance,
which units call USD. Symbols in equations are those of [the model](model.md). Parts of `sw.build` and tables
of [site.toml](own-data.md) have these fields, with minutes for slots.
"""


def page() -> str:
    """The whole of it."""
    return "\n".join([_HEAD, *(_section(file) for file in FILES)])


def _section(file: str) -> str:
    lines = [f"## {file.capitalize()}", "", f"{FILES[file].title.capitalize()}.", ""]
    lines += ["| field | type | unit | default | meaning | equation |", "|---|---|---|---|---|---|"]
    for field in fields_of(file):
        of = f" ({field.variant})" if field.variant else ""
        row = [f"`{field.path}`{of}", field.type, field.unit, field.default, field.meaning, field.equation]
        lines.append("| " + " | ".join(_cell(text) for text in row) + " |")
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")
