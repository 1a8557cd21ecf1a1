"""Reward shapers: what is added to the raw rewards of a sampled batch."""

from .protocol import Shaper
from .registry import SHAPERS, ShaperFactory

__all__ = ["SHAPERS", "Shaper", "ShaperFactory"]
