"""The ``raw`` codec: ``direct`` without repair, as the paper's own environment has it.

Steps are taken as they are said, also where a site is full: the plant then cuts jobs back. An untrained
policy fails its service goal in most slots, which is where the difficulty of the sparse reward lies.
"""

from __future__ import annotations

from stepwatt.formulation.plant.engine import Array, Engine
from stepwatt.formulation.plant.stacked import Problem

from .direct import DirectCodec


class RawCodec(DirectCodec):
    """The parts of the action are those of ``direct``; nothing is taken back to fit."""

    name = "raw"

    def _within_capacity(
        self, e: Engine, problem: Problem, transfers: Array, shortest: Array, span: Array, time: Array
    ) -> Array:
        return time
