"""``stepwatt quality``: quality curves from measured points."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Json, quietable

if TYPE_CHECKING:
    from stepwatt.data.importers.quality_fit import Fit

app = typer.Typer(
    help="Quality curves.\n\nExample: stepwatt quality fit points.csv",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    pass


@app.command()
@quietable
def fit(
    points: Annotated[Path, typer.Argument(metavar="POINTS", help="CSV with columns steps and quality.")],
    worst: Annotated[
        float | None,
        typer.Option(help="Metric value that means quality 0, to rescale a column in another unit."),
    ] = None,
    best: Annotated[
        float | None, typer.Option(help="Metric value that means quality 1; with --worst.")
    ] = None,
    importer: Annotated[
        str, typer.Option(help="What reads the file; an unknown name lists the known ones.")
    ] = "quality-points",
    as_json: Json = False,
) -> None:
    """Fit the curve kinds to measured points.

    Prints a "quality" ready for an instance file.
    All kinds are compared by RMSE and R²; the best one is printed for pasting. For a metric in which less is
    better, such as FID, give the values that mean 0 and 1.

    Example: stepwatt quality fit points.csv --worst 100 --best 2
    """
    import json

    from stepwatt.data import imported
    from stepwatt.data.importers.quality_fit import fit_quality
    from stepwatt.formulation import InputError

    from ..console import print_json, print_table

    steps, values = imported(points, importer, "points")
    if (worst is None) != (best is None):
        raise InputError(field="--worst, --best", value=(worst, best), expected="both or neither")
    if worst is not None and best is not None:
        if worst == best:
            raise InputError(field="--best", value=best, expected="a value other than --worst")
        values = [(value - worst) / (best - worst) for value in values]
    outside = next((row for row, value in enumerate(values) if not 0 <= value <= 1), None)
    if outside is not None:
        expected = "a share between 0 and 1; rescale with --worst and --best"
        raise InputError(
            file=str(points), field=f"quality[{outside}]", value=values[outside], expected=expected
        )
    try:
        fits = fit_quality(steps, values)
    except InputError as error:
        raise error.in_file(str(points)) from None
    pasted = {"quality": {"default": rounded(fits[0])}}
    if as_json:
        table = [
            {"kind": found.kind, "rmse": found.rmse, "r2": found.r2, **found.parameters} for found in fits
        ]
        print_json({**pasted, "points": len(steps), "fits": table})
        return
    rows = [
        [
            found.kind,
            f"{found.rmse:.5f}",
            f"{found.r2:.5f}",
            ", ".join(f"{k} {v:.5g}" for k, v in found.parameters.items()),
        ]
        for found in fits
    ]
    print_table(["kind", "RMSE", "R²", "parameters"], rows, right=(1, 2))
    print(json.dumps(pasted)[1:-1])


def rounded(found: Fit) -> dict[str, object]:
    """The curve with seven digits: more are noise of the fit."""
    return {k: v if isinstance(v, str) else float(f"{v:.7g}") for k, v in found.quality.items()}
