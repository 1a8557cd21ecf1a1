"""``stepwatt report``: the HTML page of finished work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Json

if TYPE_CHECKING:
    from ..comparing.comparison import Comparison


def report(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A comparison file, or an instance file.")],
    schedules: Annotated[
        list[Path] | None,
        typer.Argument(metavar="SCHEDULE", help="With an instance: schedule or result files of it."),
    ] = None,
    bound: Annotated[
        str, typer.Option(help="With an instance: method that proves the bound and gives prices, or none.")
    ] = "lp",
    number: Annotated[
        int, typer.Option(help="With a comparison of several instances: the first that can be picked.")
    ] = 0,
    detail: Annotated[
        list[str] | None,
        typer.Option(metavar="POLICY", help="Policy whose schedule is shown in detail; repeatable."),
    ] = None,
    curves: Annotated[
        list[Path] | None,
        typer.Option(metavar="RUN", help="Folder of a training whose learning curves are shown; repeatable."),
    ] = None,
    why: Annotated[
        bool, typer.Option("--why", help="Explain schedules in detail: slot by slot, and where they lose.")
    ] = False,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("report.html"),
    as_json: Json = False,
) -> None:
    """Write the HTML report of a comparison file or of schedules.

    Example: stepwatt report instance.json result.json --out report.html
    """
    from stepwatt.formulation import InputError
    from stepwatt.formulation.files import make_room
    from stepwatt.formulation.records import read_json

    from ..comparing.comparison import Comparison
    from ..console import print_json, tell, working
    from ..learning_curves import curves as read_curves
    from ..reports.page import report as write

    make_room(out)
    data = read_json(source)
    if isinstance(data, dict) and data.get("schema") == "stepwatt.comparison/1":
        if schedules:
            expected = "no schedules, a comparison holds its own"
            raise InputError(field="SCHEDULE", value=str(schedules[0]), expected=expected)
        comparison = Comparison.load(source)
    else:
        comparison = _of_schedules(source, schedules or [], bound)
    learning = read_curves(*curves) if curves else None

    def page(progress: Any) -> None:
        progress(0.0, "figures and reasons" if why else "figures")
        write(comparison, out, number=number, detail=detail or None, curves=learning, why=why)

    working("report", page)
    if as_json:
        print_json({"file": str(out), "policies": comparison.policies, "instances": len(comparison.cases)})
    else:
        tell(f"wrote {out}")


def _of_schedules(source: Path, files: list[Path], bound: str) -> Comparison:
    from stepwatt.formulation import InputError, load, load_schedule

    from ..comparing.running import compare
    from ..console import working

    inst = load(source)
    if not files:
        raise InputError(field="SCHEDULE", value="(missing)", expected="at least one schedule or result file")
    policies: dict[str, Any] = {}
    for path in files:
        name = path.stem if path.stem not in policies else str(path)
        policies[name] = load_schedule(inst, path)
    method = None if bound == "none" else bound
    return working("report", lambda progress: compare(inst, policies, bound=method, progress=progress))
