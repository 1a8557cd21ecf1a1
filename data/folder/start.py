"""A project folder to begin with: a commented ``site.toml`` that builds as it is."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from string import Template
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stepwatt.formulation import InputError
from stepwatt.formulation.errors import one_of
from stepwatt.formulation.files import write_text

from ..catalogue import Catalogue, load_catalogue
from .project import SITE_FILE


def init_folder(
    folder: str | Path,
    *,
    gpu: str = "H100-SXM",
    models: tuple[str, ...] = ("sdxl-base",),
    timezone: str = "Europe/Berlin",
    currency: str = "EUR",
) -> Path:
    """Write the file; a folder that has one is left as it is.

    Args:
        folder: made where it is missing.
        gpu: kind of GPU, of the catalogue.
        models: published models, of the catalogue.
        timezone: IANA name.
        currency: of all money.

    Returns:
        The file.

    Raises:
        InputError: a folder that has such a file, a name that the catalogue does not have, no such zone.
    """
    path = Path(folder) / SITE_FILE
    if path.exists():
        raise InputError(field="folder", value=str(folder), expected=f"one without {SITE_FILE}")
    book = load_catalogue()
    if gpu not in book.gpus:
        raise InputError(field="gpu", value=gpu, expected=one_of(book.gpus, gpu))
    for name in models:
        if name not in book.models:
            raise InputError(field="model", value=name, expected=one_of(book.models, name))
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        expected = "an IANA time zone such as Europe/Oslo"
        raise InputError(field="timezone", value=timezone, expected=expected) from None
    if not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        raise InputError(field="currency", value=currency, expected="three capital letters, such as EUR")
    text = Template((resources.files(__package__) / "site.toml").read_text(encoding="utf-8"))
    made = text.substitute(
        name=Path(folder).resolve().name.replace('"', "'").replace("\\", "/"),
        timezone=timezone,
        currency=currency,
        site="home",
        gpu=gpu,
        gpus=_gpus(book),
        models=_models(book, models),
    )
    if currency not in ("EUR", "USD"):  # the embedded prices would need a rate, which nobody has said
        made = re.sub(r'\{ embedded = "DE", add = "-?\d+ EUR/MWh" \}', f'"60 {currency}/MWh"', made)
    made = re.sub(r"\bEUR/MWh", f"{currency}/MWh", made)
    write_text(path, made)
    return path


def _gpus(book: Catalogue) -> str:
    """A comment a GPU: watts with what they rest on."""
    return "\n".join(
        f"#   {gpu.name:<10} idle {gpu.idle_watts.value:g} W ({gpu.idle_watts.evidence}), "
        f"at most {gpu.max_watts.value:g} W ({gpu.max_watts.evidence})"
        for gpu in book.gpus.values()
    )


def _models(book: Catalogue, chosen: tuple[str, ...]) -> str:
    tables = []
    for name, model in book.models.items():
        mark = "" if name in chosen else "# "
        table = [f'[models."{name}"]', f'like = "{name}"']
        told = f"   # {model.title}; measured on {model.gpu.name}, {model.seconds_per_step.value:g} s a step"
        tables.append(f"{mark}{table[0]}{told}\n{mark}{table[1]}")
    return "\n".join(tables)
