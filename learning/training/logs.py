"""The log of a training: one JSON object a line, every run's value kept; TensorBoard if wanted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stepwatt.formulation.errors import extra
from stepwatt.formulation.files import told_as_unwritable

from ..networks.states import check_like, count

Metrics = dict[str, float | list[float]]


class Means:
    """Running means of metrics between two lines of the log, without waiting for the device."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor | float] = {}
        self.counts: dict[str, int] = {}

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Per-run values (S,)."""
        for name, value in values.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value
            self.counts[name] = self.counts.get(name, 0) + 1

    def add_numbers(self, prefix: str, values: Mapping[str, float]) -> None:
        """Numbers of all runs together, under ``prefix/name``."""
        for name, value in values.items():
            full = f"{prefix}/{name}"
            self.sums[full] = self.sums.get(full, 0.0) + value
            self.counts[full] = self.counts.get(full, 0) + 1

    def take(self) -> Metrics:
        """The means since the last call, and begin anew."""
        metrics: Metrics = {}
        for name, total in self.sums.items():
            mean = total / self.counts[name]
            metrics[name] = mean.tolist() if isinstance(mean, Tensor) else mean
        self.sums, self.counts = {}, {}
        return metrics

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on exactly here."""
        return {"sums": dict(self.sums), "counts": dict(self.counts)}

    def load_state_dict(self, state: Mapping[str, Any], runs: int) -> None:
        """Go on exactly where ``state_dict`` was taken, with as many runs.

        Raises:
            InputError: no sums, or no counts of them.
        """
        sums, counts = dict(state["sums"]), dict(state["counts"])
        for name in sums | counts:
            count(counts[name], f"means.counts.{name}", least=1)
            if type(sums[name]) is not float:
                check_like(sums[name], torch.empty(runs), f"means.sums.{name}")
        self.sums, self.counts = sums, counts


class TrainingLog:
    """Appends to ``path``; lines are flushed, so that a killed training loses at most the last one.

    A place that cannot be written is an InputError, here and at every line.

    ``kept`` bytes of an earlier log stay and what follows them is dropped: a resumed training writes it anew.
    With ``tensorboard`` the same numbers go to event files in that folder, ``name/run`` per run.
    """

    def __init__(self, path: Path, *, kept: int = 0, tensorboard: Path | None = None, begin: int = 0):
        self._path = path
        with told_as_unwritable(path):
            path.touch()
            self._file = path.open("r+", encoding="utf-8")
            kept = min(kept, path.stat().st_size)
            self._file.truncate(kept)
            self._file.seek(kept)
        self._writer: Any = None
        if tensorboard is not None:
            with extra("learning"):
                from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(tensorboard), purge_step=begin)

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._file.tell()

    def write(self, kind: str, counters: Mapping[str, float], metrics: Metrics) -> None:
        """One line: what kind of record, where the training stands, and the numbers."""
        with told_as_unwritable(self._path):
            self._file.write(json.dumps({"kind": kind, **counters, "metrics": metrics}) + "\n")
            self._file.flush()
        if self._writer is not None:
            step = int(counters["env_steps"])
            for name, value in metrics.items():
                for run, number in enumerate(value if isinstance(value, list) else [value]):
                    self._writer.add_scalar(f"{kind}/{name}/{run}", number, step)

    def close(self) -> None:
        """Close the files."""
        with told_as_unwritable(self._path):
            self._file.close()
        if self._writer is not None:
            self._writer.close()


def read_log(path: Path) -> list[dict[str, Any]]:
    """The records of a log; a last line cut off by a kill is left out."""
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1]]


def per_run(values: Mapping[str, Tensor]) -> Metrics:
    """Tensors (S,) as lists of numbers, in double precision as far as they have it."""
    return {name: value.detach().to(torch.float64).tolist() for name, value in values.items()}
