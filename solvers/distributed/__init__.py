"""Providers that reach the optimum by trading jobs, each with its own data only."""

from .coordination import Distribution, distribute, distributed

__all__ = ["Distribution", "distribute", "distributed"]
