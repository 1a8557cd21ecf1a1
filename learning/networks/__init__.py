"""Networks of several runs side by side, and how they descend."""

from .parallel_runs import RunLinear, RunMLP, generators, normal, uniform

__all__ = ["RunLinear", "RunMLP", "generators", "normal", "uniform"]
