"""``stepwatt scenario``: write an instance from a named scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .options import Json, each_once

#: Parameters of scenarios that are options by themselves.
_OPTIONS = {
    "start": "--start",
    "zones": "--zones",
    "n_slots": "--slots",
    "slot_minutes": "--slot-minutes",
    "timezone": "--timezone",
    "arrivals": "--arrivals",
    "seed": "--seed",
    "integral_jobs": "--fluid",
    "series": "--series",
}


def scenario(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the scenario, for example jemas.")] = "jemas",
    start: Annotated[str, typer.Option(help="Start of the first slot, ISO 8601.")] = "2018-06-12",
    zones: Annotated[str, typer.Option(help="Price zones, one site each, with commas between.")] = "DE,FR,DK",
    slots: Annotated[int, typer.Option(help="Number of slots.")] = 288,
    local_day: Annotated[
        bool,
        typer.Option("--local-day", help="The day --start on local clocks, in place of --slots."),
    ] = False,
    timezone: Annotated[
        str | None, typer.Option(help="IANA name of the local clock. Default: that of the first zone.")
    ] = None,
    arrivals: Annotated[
        str | None, typer.Option(help="How jobs come: daily, gentd26 or bursty (docs/data.md).")
    ] = None,
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
    show: Annotated[bool, typer.Option("--list", help="List the scenarios, and write nothing.")] = False,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("instance.json"),
    as_json: Json = False,
) -> None:
    """Write an instance file from a named scenario.

    Example: stepwatt scenario jemas --start 2018-06-12 --zones DE,FR,DK --out instance.json
    """
    from stepwatt.formulation import InputError
    from stepwatt.formulation.files import make_room

    from ..console import print_facts, print_json, tell
    from ..reports.facts import instance_facts

    if show:
        _list(as_json)
        return
    constants = each_once("--set", map(_constant, change or []))
    for key in constants:
        if key in _OPTIONS:
            raise InputError(field="--set", value=key, expected=f"a constant; this one is {_OPTIONS[key]}")
    if series is None and _is_given(context, "importer"):
        raise InputError(field="--importer", value=importer, expected="--series beside it, the file to read")
    make_room(out)
    from stepwatt.data import imported, needs
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
        if needs(name, key) or _is_given(context, options.get(key, key))
    }
    if local_day:
        if "n_slots" in parameters:
            raise InputError(field="--slots", value=slots, expected="no such number with --local-day")
        parameters["n_slots"] = "local-day"
    for key, value in (("timezone", timezone), ("arrivals", arrivals)):
        if value is not None:
            parameters[key] = value
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


def _list(as_json: bool) -> None:
    from stepwatt.data import SCENARIOS, summary

    from ..console import print_facts, print_json

    known = [(name, summary(name)) for name in SCENARIOS]
    if as_json:
        print_json({"scenarios": dict(known)})
    else:
        print_facts(known)


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
