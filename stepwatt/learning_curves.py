"""Learning curves: what the logs of trainings say, without torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwatt.formulation import InputError
from stepwatt.formulation.arguments import path_of

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

LOG, SETTINGS = "log.jsonl", "settings.json"
_KINDS = {"training": "training", "evaluation": "validation"}


@dataclass(frozen=True)
class Curves:
    """``table`` has a row per run, kind (training or validation), metric, seed and number of steps.

    Columns: ``run``, ``kind``, ``metric``, ``seed``, ``env_steps`` (of one seed), ``value``.
    """

    table: pd.DataFrame

    @property
    def runs(self) -> list[str]:
        """Names of the runs, those of their folders."""
        return list(dict.fromkeys(self.table["run"]))

    @property
    def last(self) -> pd.DataFrame:
        """One row per run and seed: the steps taken, and the last value of every metric of validation."""
        rows = self.table[self.table["kind"] == "validation"]
        index = ["run", "seed"]
        wide = rows.pivot_table(index=index, columns="metric", values="value", aggfunc="last", sort=False)
        steps = self.table.groupby(index, sort=False)["env_steps"].max()
        return wide.reindex(steps.index).assign(env_steps=steps).reset_index()

    def plot(self) -> Figure:
        """Utility on validation days and reward in training over steps, a line a seed (plotly)."""
        from .reports.figures.curves import curves_panel
        from .reports.notebook import figure

        return figure(curves_panel(self.table), "Learning curves")

    def __repr__(self) -> str:
        seeds = self.table.groupby("run", sort=False)["seed"].nunique()
        return f"<Curves of {', '.join(f'{run} ({count} seeds)' for run, count in seeds.items())}>"

    def _repr_html_(self) -> str:
        """The last validation of every seed, for notebooks."""
        return self.last.to_html(index=False, float_format="{:,.5g}".format)


def curves(*runs: str | Path) -> Curves:
    """The learning curves of trainings, from their folders; a training may be going on.

    Raises:
        InputError: no folder, or one without the log of a training, or a log that cannot be read.
    """
    import pandas as pd

    if not runs:
        raise InputError(field="runs", value=[], expected="at least one folder of a training")
    folders = [path_of(run, "run") for run in runs]
    short = [folder.name or str(folder.resolve().name) for folder in folders]
    names = short if len(set(short)) == len(short) else [str(folder) for folder in folders]
    rows = [row for name, folder in zip(names, folders, strict=True) for row in _rows(name, folder)]
    columns = ["run", "kind", "metric", "seed", "env_steps", "value"]
    return Curves(pd.DataFrame(rows, columns=columns))


def has_log(folder: Path) -> bool:
    """Whether a training left its log there."""
    return (folder / LOG).is_file()


def _rows(name: str, folder: Path) -> list[tuple[str, str, str, int, int, float]]:
    found = []
    named = _seeds(folder)
    for record in _records(folder / LOG):
        kind, step = _KINDS.get(str(record.get("kind"))), record.get("env_steps")
        metrics = record.get("metrics")
        if kind is None or not isinstance(step, int | float) or not isinstance(metrics, dict):
            raise _unreadable(folder / LOG, f"a line of kind {record.get('kind')!r}")
        for metric, values in metrics.items():
            if not isinstance(values, list):
                continue  # of all seeds together
            seeds = named if len(named) == len(values) else range(len(values))
            try:
                line = [(seed, float(value)) for seed, value in zip(seeds, values, strict=True)]
            except (TypeError, ValueError):
                raise _unreadable(folder / LOG, f"{metric} = {values!r:.60}") from None
            found += [(name, kind, metric, seed, int(step), value) for seed, value in line]
    return found


def _records(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; a last one cut off by a kill is left out."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        records = [json.loads(line) for line in lines]
    except FileNotFoundError:
        told = "(missing)"
        raise InputError(
            field="(file)", value=told, expected="the log of a training", file=str(path)
        ) from None
    except (OSError, ValueError) as why:
        raise _unreadable(path, str(why)) from None
    if not all(isinstance(record, dict) for record in records):
        raise _unreadable(path, "a line that is no object")
    return records


def _seeds(folder: Path) -> list[int]:
    """The seeds as the settings name them; none where they do not, so that runs are numbered."""
    try:
        seeds = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))["training"]["seeds"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return seeds if isinstance(seeds, list) and all(isinstance(seed, int) for seed in seeds) else []


def _unreadable(path: Path, told: str) -> InputError:
    return InputError(field="(file)", value=told, expected="the log of a training", file=str(path))
