"""Named scenarios."""

from .registry import SCENARIOS, scenario

__all__ = ["SCENARIOS", "scenario"]
