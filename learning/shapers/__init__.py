"""Reward shapers: what is added to the raw rewards of a sampled batch."""

from .factory import ShaperKind
from .protocol import Shaper
from .registry import SHAPERS

__all__ = ["SHAPERS", "Shaper", "ShaperKind"]
