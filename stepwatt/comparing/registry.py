"""Policies by name, besides the methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepwatt.formulation.registry import Registry

#: Each is called for what :func:`stepwatt.compare` takes for a policy.
POLICIES: Registry[Callable[[], Any]] = Registry("policy", {})
