"""Policies by name, besides the methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepwatt.formulation.registry import Registry


def _shipped(name: str) -> Callable[[], Any]:
    def load() -> Any:
        from stepwatt.learning.policies.trained import load_policy

        return load_policy(name)

    return load


#: Each is called for what :func:`stepwatt.compare` takes for a policy.
POLICIES: Registry[Callable[[], Any]] = Registry(
    "policy", {"jemas": _shipped("jemas"), "volatile": _shipped("volatile")}
)
