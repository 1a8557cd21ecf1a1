"""The command ``stepwatt``. Exit codes: 0 done, 1 the answer is no, 2 bad input, 130 interrupted."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from .commands import build as build_command
from .commands import (
    compare,
    curves,
    demo,
    describe,
    evaluate,
    expansion,
    explain,
    export,
    init,
    levers,
    pareto,
    quality,
    report,
    scenario,
    solve,
    train,
    what_if,
    why,
)
from .commands import data as data_commands
from .commands import run as run_command
from .commands.options import quietable
from .console import BROKEN_PIPE, INTERRUPTED, complain, print_json

app = typer.Typer(
    name="stepwatt",
    help=(
        "Joint schedules of AI generation jobs and site energy: certified optima, baselines, reports.\n\n"
        "Exit codes: 0 done; 1 the answer is no (no feasible schedule, or one that breaks a constraint); "
        "2 bad input, told in one line; 130 interrupted.\n\n"
        "Example: stepwatt demo"
    ),
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("demo")(quietable(demo.demo))
app.command("scenario")(quietable(scenario.scenario))
app.command("init")(quietable(init.init))
app.command("build")(quietable(build_command.build))
app.command("solve")(quietable(solve.solve))
app.command("train")(quietable(train.train))
app.command("curves")(quietable(curves.curves))
app.command("run")(quietable(run_command.run))
app.command("evaluate")(quietable(evaluate.evaluate))
app.command("explain")(quietable(explain.explain))
app.command("compare")(quietable(compare.compare))
app.command("report")(quietable(report.report))
app.command("levers")(quietable(levers.levers))
app.command("what-if")(quietable(what_if.what_if))
app.command("pareto")(quietable(pareto.pareto))
app.command("expansion")(quietable(expansion.expansion))
app.command("why")(quietable(why.why))
app.command("where-lost")(quietable(why.where_lost))
app.command("export")(quietable(export.export))
app.command("describe")(quietable(describe.describe))
app.command("schema")(quietable(describe.schema))
app.add_typer(quality.app, name="quality")
app.add_typer(data_commands.app, name="data")


def _version(wanted: bool) -> None:
    if wanted:
        from stepwatt import __version__

        print(f"stepwatt {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    pass


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (default: the process's own) and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(args=given, prog_name="stepwatt", standalone_mode=False)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # typer ends so where nobody reads on
            return BROKEN_PIPE
        raise
    except Exception as error:
        if not _interrupted(error):
            told = _told(error)
            if told is None:
                raise
            code, line = told
            if line and "--json" in given:
                print_json({"error": line, "exit_code": code})
            return code
        code = INTERRUPTED
    if code == INTERRUPTED:
        complain("interrupted; nothing was written")
    return code if isinstance(code, int) else 0


def _interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error, as where it ends an import."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


#: What a method ends with that finds nothing; by name, as their modules are slow to load.
_FAILED = {"SolverError", "BatchError", "WorkerDied", "ConicSolverError"}


def _told(error: Exception) -> tuple[int, str] | None:
    """The exit code of an error and the line that tells it, told; None for a defect of stepwatt itself."""
    from stepwatt.formulation.errors import InputError

    code, line = 2, ""
    # typer's own errors about usage live in a private module, or in click, depending on its version
    show = getattr(error, "format_message", None)
    if isinstance(error, InputError):
        line = str(error)
    elif isinstance(error, OSError) and error.strerror:
        # a place that no check foresaw: a full disk, a device that fails
        place = str(error.filename or "output")
        line = str(InputError(field="file", value=error.strerror, expected="a usable place", file=place))
    elif show is not None and type(error).__name__ == "NoArgsIsHelpError":
        print(show())
        return code, line
    elif show is not None:
        line = f"{show()} (see --help)"
    elif _FAILED & {kind.__name__ for kind in type(error).__mro__}:
        code, line = 1, f"the solver failed: {error}"
    else:
        return None
    complain(line)
    return code, line


def completed() -> int:
    """Run the process's own command line and flush what it wrote; the exit code."""
    code = run()
    try:
        sys.stdout.flush()
    except OSError as error:
        code, _ = (BROKEN_PIPE, "") if isinstance(error, BrokenPipeError) else _told(error) or (2, "")
    if code == BROKEN_PIPE:
        # what Python would still flush at its end has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return code
