"""``stepwatt scenario``: write an instance from a named scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .options import Json


def scenario(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the scenario, for example jemas.")] = "jemas",
    start: Annotated[str, typer.Option(help="Start of the first slot, ISO 8601.")] = "2018-06-12",
    zones: Annotated[str, typer.Option(help="Price zones, one site each, with commas between.")] = "DE,FR,DK",
    slots: Annotated[int, typer.Option(help="Number of slots.")] = 288,
    slot_minutes: Annotated[int, typer.Option(help="Length of a slot; divides 60.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the arrivals.")] = 0,
    fluid: Annotated[bool, typer.Option("--fluid", help="Divisible jobs and GPUs.")] = False,
    series: Annotated[
        Path | None, typer.Option(help="File of prices, carbon, sun and wind in place of the embedded year.")
    ] = None,
    importer: Annotated[
        str, typer.Option(help="What reads that file; an unknown name lists the known ones.")
    ] = "series",
    change: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change a constant; repeatable.")
    ] = None,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("instance.json"),
    as_json: Json = False,
) -> None:
    """Write an instance file from a named scenario.

    Example: stepwatt scenario jemas --start 2018-06-12 --zones DE,FR,DK --out instance.json
    """
    from stepwatt.formulation.files import make_room

    from ..console import print_facts, print_json, tell
    from ..reports.facts import instance_facts

    constants = dict(_constant(text) for text in change or [])
    make_room(out)
    from stepwatt.data import imported, takes
    from stepwatt.data import scenario as build

    said = {
        "start": start,
        "zones": tuple(zone.strip() for zone in zones.split(",")),
        "n_slots": slots,
        "slot_minutes": slot_minutes,
        "seed": seed,
    }
    options = {"n_slots": "slots"}
    parameters: dict[str, Any] = {
        key: value
        for key, value in said.items()
        if takes(name, key) or _is_given(context, options.get(key, key))
    }
    if fluid:
        parameters["integral_jobs"] = False
    if series is not None:
        parameters["series"] = imported(series, importer, "series")
    inst = build(name, **parameters, **constants)
    inst.save(out)
    if as_json:
        print_json(
            {
                "file": str(out),
                "instance": inst.name,
                "start": inst.start,
                "n_slots": inst.n_slots,
                "slot_hours": inst.slot_hours,
                "sites": list(inst.sites),
                "jobs": sum(sum(jobs) for by_class in inst.arrivals.values() for jobs in by_class.values()),
            }
        )
    else:
        print_facts([("instance", inst.name), *instance_facts(inst)])
        tell(f"wrote {out}")


def _is_given(context: typer.Context, option: str) -> bool:
    """Whether an option stands on the command line: scenarios are spared defaults that they do not take."""
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def _constant(text: str) -> tuple[str, float]:
    from stepwatt.formulation import InputError

    name, equals, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        equals = ""
    if not equals:
        raise InputError(field="--set", value=text, expected="NAME=NUMBER, for example gpus=128")
    return name.strip(), number
