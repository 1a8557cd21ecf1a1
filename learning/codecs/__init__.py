"""Codecs turn a policy's action in the box [-1,1]^d into a request to the plant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from stepwatt.formulation.plant.engine import Array, Engine
from stepwatt.formulation.plant.stacked import Problem, Shape
from stepwatt.formulation.plant.state import PlantState, Request

from .direct import DirectCodec
from .priced import PricedCodec


class Codec(Protocol):
    """``size`` numbers per action; ``decode`` turns them into a request."""

    name: str
    size: int

    def decode(self, e: Engine, problem: Problem, t: int, state: PlantState, action: Array) -> Request:
        """The request of an action (B,size) in slot t."""
        ...


CODECS: dict[str, Callable[[Shape], Codec]] = {"direct": DirectCodec, "priced": PricedCodec}
"""By name; each takes the shape of the instances."""

__all__ = ["CODECS", "Codec", "DirectCodec", "PricedCodec"]
