"""``stepwatt solve``: one method on one instance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from .options import Gap, InstanceFile, Json, LookAhead, Seed, TimeLimit

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from stepwatt.solvers import Result
    from stepwatt.solvers.interface.dual_prices import Prices

T = TypeVar("T")


def solve(
    instance: InstanceFile,
    method: Annotated[
        str, typer.Option(help="How to solve; an unknown name lists the known ones.")
    ] = "oracle",
    gap: Gap = 1e-4,
    time_limit: TimeLimit = 300.0,
    seed: Seed = 0,
    forecast: Annotated[
        str | None,
        typer.Option(
            help="What planners see ahead: perfect, persistence or day-ahead, these two also with +seen.",
            show_default="persistence",
        ),
    ] = None,
    look_ahead: LookAhead = 24.0,
    history: Annotated[
        Path | None,
        typer.Option(help="Instance that ends where this one starts, for forecasts from yesterday."),
    ] = None,
    extra: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.py:FUNCTION",
            help="Constraints of your own: the function is given the model, in Pyomo for oracle, lp and "
            "pyomo, in CVXPY for conic.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Result file to write (stepwatt.result/1).")] = None,
    prices: Annotated[
        Path | None, typer.Option(help="CSV to write: what one more unit of each thing is worth, by slot.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Solve an instance and judge the schedule.

    Exit code 0 with a schedule, 1 when the instance is infeasible, no schedule was found, or one that breaks
    a constraint (as those of relaxations do, of which only the bound counts). Ctrl-C ends an optimum's search
    with exit code 130; the best schedule until then is written.

    Example: stepwatt solve instance.json --method oracle --gap 1e-3 --out result.json
    """
    from stepwatt.formulation import InputError, load
    from stepwatt.formulation.files import write_files
    from stepwatt.formulation.manifest import make_rooms, with_manifest
    from stepwatt.formulation.records import json_text

    from ..console import INTERRUPTED, complain, print_facts, print_json, tell, working
    from ..reports.tables import csv

    inst = load(instance)
    past = load(history) if history else None
    own = None if extra is None else function_in(extra)
    from stepwatt import solvers

    no_prices = InputError(
        field="--prices", value=method, expected="a method with a relaxation, such as oracle or lp"
    )
    if prices and not solvers.METHODS[method].has_prices:
        raise no_prices
    make_rooms(file for file in (out, prices) if file)
    # the solvers themselves hear Ctrl-C, in the main thread
    run = _searching if solvers.METHODS[method].keeps_best else working
    result = run(
        f"solve {method}",
        lambda progress: solvers.solve(
            inst,
            method,
            gap=gap,
            time_limit=time_limit,
            seed=seed,
            forecast=forecast,
            look_ahead_hours=look_ahead,
            history=past,
            extra=own,
            progress=progress,
        ),
    )
    if result.interrupted and result.schedule is None:
        raise KeyboardInterrupt
    files: dict[Path, str | bytes] = {}
    if out:
        files[out] = json_text(result.to_dict())
    if prices and result.prices is not None:
        files[prices] = csv(price_table(result.prices))
    if files:
        options = {"method": method, "gap": gap, "time_limit": time_limit, "forecast": forecast}
        settings: dict[str, Any] = {**options, "look_ahead_hours": look_ahead}
        settings |= {"extra": list(result.extra)} if extra else {}
        inputs = [instance, *([history] if history else [])]
        inputs += [Path(extra.rpartition(":")[0])] if extra else []
        write_files(with_manifest(files, settings=settings, seeds=[seed], inputs=inputs))
    if as_json:
        print_json(_summary(result) | {"file": str(out) if out else None})
    else:
        print_facts(_facts(result))
        for file in files:
            tell(f"wrote {file}")
    if result.interrupted:
        complain("interrupted; this is the best until then")
        raise SystemExit(INTERRUPTED)
    if prices and result.prices is None and result.schedule is not None:
        raise no_prices
    # with own constraints the message names those that cannot hold
    if result.status is solvers.Status.INFEASIBLE and own is None:
        tell(str(working("explain", lambda progress: solvers.explain(inst))))
    judged = result.evaluation
    if judged is not None and judged.broken and solvers.METHODS[method].kind != "bound":
        broken = ", ".join(f"{family} by {amount:.3g}" for family, amount in judged.broken.items())
        complain(f"the schedule breaks {broken}")
        raise typer.Exit(1)
    if result.schedule is None:
        complain(f"no schedule: {result.status}" + (f" ({result.message})" if result.message else ""))
        raise typer.Exit(1)


def _searching(title: str, work: Callable[[Callable[[float, str], None]], T]) -> T:
    """Work under a progress bar in the main thread, where the solvers themselves hear Ctrl-C."""
    from ..console import shown_progress

    with shown_progress(title) as progress:
        return work(progress)


def function_in(text: str) -> Callable[[Any], Any]:
    """The function that ``FILE.py:FUNCTION`` names; the file is run.

    Raises:
        InputError: no such file or function, or a file that raises.
    """
    import runpy

    from stepwatt.formulation import InputError
    from stepwatt.formulation.errors import one_of
    from stepwatt.formulation.user_functions import FAILURES

    path, _, name = text.rpartition(":")
    if not path.endswith(".py") or not name:
        raise InputError(field="--extra", value=text, expected="FILE.py:FUNCTION")
    if not Path(path).is_file():
        raise InputError(field="--extra", value=path, expected="a file that is there")
    try:
        found = runpy.run_path(path)
    except FAILURES as error:
        told = f"{type(error).__name__}: {error}"
        raise InputError(field="--extra", value=told, expected="Python that runs", file=path) from error
    functions = [one for one, value in found.items() if callable(value) and not one.startswith("_")]
    if name not in functions:
        expected = one_of(functions, name) if functions else "a function, of which the file has none"
        raise InputError(field="--extra", value=name, expected=expected, file=path)
    own: Callable[[Any], Any] = found[name]
    return own


def price_table(prices: Prices) -> pd.DataFrame:
    """All prices as rows: slot, price (its name), site, class (empty where it has none), value."""
    import pandas as pd

    parts = []
    for name, table in vars(prices).items():
        for label in table.columns:
            site, of_class = label if isinstance(label, tuple) else (label, "")
            part = pd.DataFrame({"slot": table.index.map(pd.Timestamp.isoformat), "price": name})
            parts.append(part.assign(site=site, **{"class": of_class}, value=table[label].to_numpy()))
    return pd.concat(parts, ignore_index=True)


def _summary(result: Result) -> dict[str, Any]:
    """The result file's content without the schedule."""
    return {name: value for name, value in result.to_dict().items() if name != "schedule"}


def _facts(result: Result) -> list[tuple[str, str]]:
    from stepwatt.formulation.errors import listed

    from ..reports.tables import money, percent

    found = [("instance", result.instance.name), ("method", result.method), ("status", str(result.status))]
    judged, unit = result.evaluation, result.instance.currency
    if judged is not None:
        found.append(("utility", f"{money(judged.utility)} {unit}"))
        if not judged.feasible:
            family, amount = judged.worst
            found.append(("schedule", f"breaks {family} by {amount:.3g}: a relaxation, or not to be trusted"))
    if result.extra:
        found.append(("with own", listed(result.extra)))
    if result.bound is not None:
        found.append(("bound", f"{money(result.bound)} {unit}"))
    if result.gap is not None:
        found.append(("gap", percent(result.gap)))
    if judged is not None:
        found.append(("jobs missed", percent(judged.metrics["miss_rate"])))
        found.append(("mean quality", f"{judged.metrics['mean_quality']:.3f}"))
        found.append(("site energy", f"{judged.metrics['energy_mwh']:.3f} MWh"))
    if result.message:
        found.append(("note", result.message))
    found.append(("seconds", f"{result.seconds.total:.2f} (build {result.seconds.build:.2f})"))
    return found
