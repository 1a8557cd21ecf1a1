"""``stepwatt compare``: policies side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Gap, Json, LookAhead, Seed, TimeLimit, each_once

if TYPE_CHECKING:
    from stepwatt.formulation import Instance
    from stepwatt.solvers.planners.practice import Rules

    from ..comparing.comparison import Comparison

_DEFAULT = ("oracle", "lp", "rolling", "greedy", "all-off")


def compare(
    instances: Annotated[
        list[Path],
        typer.Argument(metavar="INSTANCE", help="Instance files; a project folder is built first."),
    ],
    policy: Annotated[
        list[str] | None,
        typer.Option(
            "--policy",
            metavar="POLICY",
            help="A method, rolling:FORECAST, foresight:FORECAST (prices from a plan, untrained), "
            "or NAME=FILE for a schedule of your own "
            "or a trained policy (its file or folder); repeatable. "
            f"Default: {', '.join(_DEFAULT)}.",
        ),
    ] = None,
    rules: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="Today's practice as a row: 'steps=30 route=home charge=23:00-05:00', with model, clock, "
            "discharge, setpoint and name if you like; repeatable. A project folder's [rules] are rows, too.",
        ),
    ] = None,
    bound: Annotated[str, typer.Option(help="Method that proves the bound where no policy does.")] = "oracle",
    reference: Annotated[
        str | None,
        typer.Option(help="Policy that the statistics hold the others against. Default: the first one."),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=KIND",
            help="What a policy of your own may be compared with: planner (competes for strongest planner), "
            "ablation, optimum, yours; repeatable.",
        ),
    ] = None,
    detail: Annotated[
        list[str] | None,
        typer.Option(metavar="POLICY", help="Policy that the report shows in detail; repeatable."),
    ] = None,
    why: Annotated[
        bool,
        typer.Option("--why", help="The report (--out NAME.html) explains schedules in detail."),
    ] = False,
    gap: Gap = 1e-4,
    time_limit: TimeLimit = 300.0,
    seed: Seed = 0,
    look_ahead: LookAhead = 24.0,
    history: Annotated[
        list[Path] | None,
        typer.Option(help="Yesterday's instance, for forecasts; one per instance, in order."),
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Instances in work at a time. Seconds measured with several are longer.")
    ] = 1,
    backend: Annotated[
        str | None,
        typer.Option(help="Where runs are done: processes (--workers of them), dask or ray, on a cluster."),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="The cluster's; without one it is this machine.")
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Finished runs are stored there as they come; the same command goes on. "
            "Default: beside the first --out, until that is written.",
        ),
    ] = None,
    date: Annotated[
        list[str] | None,
        typer.Option(help="Day of a project folder, ISO 8601; repeatable. Default: that of its site.toml."),
    ] = None,
    days: Annotated[
        int | None, typer.Option(help="Calendar days of a project folder. Default: those of its site.toml.")
    ] = None,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            help="File to write; the ending chooses: .html .md .tex .csv .statistics.csv .json. Repeatable."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge several policies on the same instances, against one bound.

    A project folder is built and compared; its report.html is written where no --out is given.

    Example: stepwatt compare instance.json --policy oracle --policy greedy --out report.html
    """
    from stepwatt.data.folder import is_folder
    from stepwatt.formulation import InputError, load
    from stepwatt.formulation.files import write_files
    from stepwatt.formulation.manifest import make_rooms, with_manifest

    from ..cluster import cluster
    from ..comparing.kept import KeptRuns
    from ..comparing.running import compare as run
    from ..console import print_json, print_table, tell, working
    from ..learning_curves import curves, has_log
    from ..practice import joined
    from ..reports.page import html
    from ..reports.tables import IN_TERMINALS, cells, headings, statistics_cells, statistics_headings

    folders = [path for path in instances if is_folder(path)]
    if (date or days is not None) and not folders:
        field = "--date" if date else "--days"
        raise InputError(field=field, value=date or days, expected="a project folder with it")
    targets = out or [folder / "report.html" for folder in folders[:1]]
    for path in targets:
        _content(path)
    for field, value in (("--why", why), ("--detail", detail)):
        if value and not any(path.suffix == ".html" for path in targets):
            raise InputError(field=field, value=value, expected="an --out that ends in .html beside it")
    make_rooms(targets)
    loaded = [inst for path in instances for inst in _instances(path, date, days, load)]
    practice = _practice(folders, rules or [])
    policies = joined(_policies(policy or list(_DEFAULT), loaded), practice)
    kinds: dict[str, Any] = each_once("--kind", map(_pair, kind or ()))
    if unknown := set(detail or ()) - set(policies):
        raise InputError(field="--detail", value=min(unknown), expected=f"one of {', '.join(policies)}")
    folders_of_runs = [Path(text.partition("=")[2]) for text in policy or () if "=" in text]
    runs = [folder for folder in folders_of_runs if has_log(folder)]
    learning = curves(*runs) if runs else None
    past = [load(path) for path in history] if history else None
    if past and len(past) != len(loaded):
        raise InputError(
            field="--history", value=f"{len(past)} files", expected=f"{len(loaded)}, one per instance"
        )
    store = keep or (targets[0].with_name(targets[0].name + ".runs") if targets else None)

    def work(progress: Any) -> Comparison:
        with cluster(backend, scheduler):
            return run(
                loaded,
                policies,
                bound=bound,
                reference=reference,
                kinds=kinds,
                gap=gap,
                time_limit=time_limit,
                seed=seed,
                look_ahead_hours=look_ahead,
                history=past,
                workers=workers,
                keep=store,
                progress=progress,
            )

    comparison = working("compare", work)
    if targets:
        settings: dict[str, Any] = {"policies": list(policies), "bound": bound}
        settings |= {"reference": comparison.reference}
        settings |= {"rules": {name: asdict(one) for name, one in practice}} if practice else {}
        settings |= {"gap": gap, "time_limit": time_limit, "look_ahead_hours": look_ahead}
        files: dict[Path, str | bytes] = {
            path: html(comparison.scores, detail=detail or None, curves=learning, why=why)
            if path.suffix == ".html"
            else _content(path)(comparison)
            for path in targets
        }
        inputs = [*instances, *(history or [])]
        write_files(with_manifest(files, settings=settings, seeds=[seed], inputs=inputs))
    if store and not keep:
        KeptRuns(store).clear()
    if as_json:
        print_json(as_plain(comparison) | {"files": [str(path) for path in targets]})
        return
    shown = (headings(comparison.scores, IN_TERMINALS), cells(comparison.scores, IN_TERMINALS))
    print_table(*shown, right=range(2, 2 + len(IN_TERMINALS)))
    if comparison.several:
        names = statistics_headings(comparison.scores)
        # intervals under their estimates, or the table is too wide for most terminals
        rows = [[text.replace(" [", "\n[") for text in row] for row in statistics_cells(comparison.scores)]
        print_table(names, rows, right=range(1, len(names) - 1))
    for path in targets:
        tell(f"wrote {path}")


def _instances(
    path: Path, date: list[str] | None, days: int | None, load: Callable[[Path], Instance]
) -> list[Instance]:
    """The instance of a file, or those of a project folder, one a day that is asked for."""
    from stepwatt.data.folder import build_folder, is_folder

    if not is_folder(path):
        return [load(path)]
    wanted: list[str | None] = [*date] if date else [None]
    return [build_folder(path, day, days) for day in wanted]


def _practice(folders: list[Path], said: list[str]) -> list[tuple[str, Rules]]:
    """Rows of today's practice: those of project folders, then those of the command line."""
    from stepwatt.data.folder import SITE_FILE, folder_rules
    from stepwatt.formulation import InputError

    from ..practice import UNNAMED, rules_of, rules_said

    found: list[tuple[str, Rules]] = []
    for folder in folders:
        for name, table in folder_rules(folder).items():
            try:
                where = "rules" if name == UNNAMED else f"rules.{name}"
                found.append((name, rules_of(table, where)))
            except InputError as error:
                raise error.in_file(str(folder / SITE_FILE)) from None
    return found + [rules_said(text) for text in said]


def _pair(text: str) -> tuple[str, str]:
    from stepwatt.formulation import InputError

    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(field="--kind", value=text, expected="NAME=KIND")
    return name, value


def _policies(given: list[str], loaded: list[Instance]) -> dict[str, Any]:
    from stepwatt.formulation import InputError, load_schedule

    from ..learned import is_policy_path, load_policy

    found: dict[str, Any] = {}
    for text in given:
        name, equals, file = text.partition("=")
        if name in found:
            raise InputError(field="--policy", value=text, expected="every policy once")
        if equals and is_policy_path(file):
            found[name] = load_policy(file)
            continue
        if equals and len(loaded) > 1:
            raise InputError(field="--policy", value=text, expected="a schedule file only with one instance")
        found[name] = load_schedule(loaded[0], file) if equals else name
    return found


def as_plain(comparison: Comparison) -> dict[str, Any]:
    """The tables of a comparison as plain values."""
    return {
        "table": comparison.table.reset_index().to_dict(orient="records"),
        "reference": comparison.reference,
        "statistics": comparison.statistics.reset_index().to_dict(orient="records"),
        "results": comparison.results.to_dict(orient="records"),
    }


def _content(path: Path) -> Callable[[Comparison], str]:
    """What makes the content of a file, in the format that its ending names."""
    from stepwatt.formulation import InputError

    from ..reports.page import html
    from ..reports.tables import csv
    from ..scores.file import text

    contents: dict[str, Callable[[Comparison], str]] = {
        ".html": lambda comparison: html(comparison.scores),
        ".md": lambda comparison: comparison.to_markdown(),
        ".tex": lambda comparison: comparison.to_latex(),
        ".csv": lambda comparison: csv(comparison.results),
        ".statistics.csv": lambda comparison: csv(comparison.statistics.reset_index()),
        ".json": lambda comparison: text(comparison.scores),
    }
    ending = "".join(path.suffixes[-2:])
    if ending not in contents:
        ending = path.suffix
    if ending not in contents:
        raise InputError(field="--out", value=str(path), expected="a name ending in " + " ".join(contents))
    return contents[ending]
