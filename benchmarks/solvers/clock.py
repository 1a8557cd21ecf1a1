"""What happens inside HiGHS, whoever calls it, and what the process has used."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Reached(Exception):
    """HiGHS has the model and was about to start."""


@dataclass(frozen=True)
class Run:
    """One call of HiGHS: size, when it began (perf_counter), seconds, objective and bound in its own unit."""

    columns: int
    rows: int
    nonzeros: int
    began: float
    seconds: float = 0.0
    status: str = ""
    objective: float = float("nan")
    bound: float = float("nan")


@contextmanager
def watched(*, stop_at_run: bool = False) -> Iterator[list[Run]]:
    """Every ``highspy.Highs.run`` inside, on one thread whatever the layer above asked for.

    With ``stop_at_run`` nothing is solved: :class:`Reached` is raised where HiGHS would begin.
    """
    import highspy

    runs: list[Run] = []
    original = highspy.Highs.run

    def run(self: Any) -> Any:
        size = (self.getNumCol(), self.getNumRow(), self.getNumNz())
        self.setOptionValue("threads", 1)
        self.setOptionValue("parallel", "off")
        began = time.perf_counter()
        if stop_at_run:
            runs.append(Run(*size, began))
            raise Reached
        outcome = original(self)
        seconds = time.perf_counter() - began
        info = self.getInfo()
        status = self.modelStatusToString(self.getModelStatus())
        bound = info.mip_dual_bound if info.mip_node_count >= 0 else info.objective_function_value
        runs.append(Run(*size, began, seconds, status, info.objective_function_value, bound))
        return outcome

    highspy.Highs.run = run
    try:
        yield runs
    finally:
        highspy.Highs.run = original


def peak_mb() -> float:
    """Largest resident size of this process so far (MB).

    From the address space's own mark where there is one: a child's resource usage starts from its parent's.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cpu_seconds() -> float:
    """CPU seconds of this process and its finished children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
