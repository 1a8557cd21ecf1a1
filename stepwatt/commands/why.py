"""``stepwatt why`` and ``stepwatt where-lost``: reasons for a schedule, and what it loses."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .options import Gap, Json, TimeLimit

if TYPE_CHECKING:
    from stepwatt.formulation import Instance

Schedule = Annotated[Path, typer.Argument(metavar="RESULT", help="A result file, or a schedule file.")]
Of = Annotated[
    Path | None,
    typer.Option(
        "--instance",
        help="Instance of the result; by default the one that its manifest names.",
        metavar="FILE",
    ),
]


def why(
    result: Schedule,
    slot: Annotated[int, typer.Option(help="Slot, from 0.")],
    site: Annotated[str, typer.Option(help="Site, by name.")],
    instance: Of = None,
    certify: Annotated[
        Literal["prices", "relaxation", "solve"],
        typer.Option(
            help="How regrets are certified; solve says also what they are at most, and takes minutes."
        ),
    ] = "relaxation",
    window: Annotated[
        float | None,
        typer.Option(
            metavar="HOURS",
            help="Hours around the slot that are solved, all else staying as it is. Default: all, "
            "and 48 of a horizon longer than 72.",
        ),
    ] = None,
    gap: Gap = 1e-4,
    time_limit: TimeLimit = 60.0,
    as_json: Json = False,
) -> None:
    """Say why a schedule does what it does at a site in a slot: in words and money, and what else would cost.

    Example: stepwatt why result.json --slot 17 --site DE
    """
    from stepwatt.formulation import load_schedule

    from ..console import print_json, working
    from ..worth.why import why as why_of

    inst = _instance(result, instance)
    schedule = load_schedule(inst, result)
    found = working(
        "why",
        lambda progress: why_of(
            schedule,
            inst,
            slot=slot,
            site=site,
            certify=certify,
            window_hours=window,
            gap=gap,
            time_limit=time_limit,
        ),
    )
    if as_json:
        print_json(found.to_dict())
    else:
        print(found)


def where_lost(
    result: Schedule,
    optimum: Annotated[
        Path | None, typer.Argument(metavar="[OPTIMUM]", help="What it is held against; solved if not given.")
    ] = None,
    instance: Of = None,
    gap: Gap = 1e-4,
    time_limit: TimeLimit = 300.0,
    as_json: Json = False,
) -> None:
    """Say where a schedule loses against the optimum: by slot and cost item, the dearest decisions first.

    Example: stepwatt where-lost mine.json --instance instance.json
    """
    from stepwatt.formulation import load_schedule

    from ..console import print_json, working
    from ..worth.where_lost import where_lost as lost_of

    inst = _instance(result, instance)
    mine, best = load_schedule(inst, result), load_schedule(inst, optimum) if optimum else None
    found = working(
        "where-lost",
        lambda progress: lost_of(inst, mine, best, gap=gap, time_limit=time_limit, progress=progress),
    )
    if as_json:
        print_json(found.to_dict())
    else:
        print(found)


def _instance(result: Path, named: Path | None) -> Instance:
    """The instance of a result: as said, or the one that the manifest beside it names."""
    from stepwatt.formulation import InputError, load
    from stepwatt.formulation.manifest import load_manifest, manifest_beside
    from stepwatt.formulation.records import read_json

    if named is not None:
        return load(named)
    beside = manifest_beside(result)
    told = "--instance FILE, as no manifest says which"
    if not beside.exists():
        raise InputError(field="instance", value="(missing)", expected=told)
    for name, digest in load_manifest(beside).inputs.items():
        places = [place for place in (Path(name), result.parent / Path(name).name) if place.is_file()]
        for place in places[:1]:
            data = read_json(place)
            if not isinstance(data, dict) or data.get("schema") != "stepwatt.instance/1":
                continue
            if sha256(place.read_bytes()).hexdigest() != digest:
                expected = "the file that the result was made of, or --instance FILE"
                raise InputError(field="instance", value="changed since", expected=expected, file=str(place))
            return load(place)
    raise InputError(field="instance", value=str(beside), expected=told)
