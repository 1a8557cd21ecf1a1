"""Codecs turn a policy's action in the box [-1,1]^d into a request to the plant."""

from __future__ import annotations

from typing import Protocol

from stepwatt.formulation.plant.engine import Array, Engine
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.state import PlantState, Request

from .direct import DirectCodec
from .priced import PricedCodec
from .registry import CODECS


class Codec(Protocol):
    """``size`` numbers per action; ``decode`` turns them into a request."""

    name: str
    size: int

    def decode(self, e: Engine, problem: Problem, t: int, state: PlantState, action: Array) -> Request:
        """The request of an action (B,size) in slot t."""
        ...


__all__ = ["CODECS", "Codec", "DirectCodec", "PricedCodec"]
