"""Module names that the documentation told users before the rooms were laid out anew; they go on working."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType

#: Name until version 0.1, and where that stands now.
MOVED = {
    "stepwatt.formulation.conic_model": "stepwatt.formulation.conic.model",
    "stepwatt.formulation.linear": "stepwatt.formulation.milp.linear_problem",
    "stepwatt.formulation.matrices": "stepwatt.formulation.milp.matrices",
    "stepwatt.formulation.pyomo_model": "stepwatt.formulation.milp.pyomo_model",
    "stepwatt.learning.gym_env": "stepwatt.learning.environment.gym_env",
    "stepwatt.learning.statistics": "stepwatt.scores.intervals",
}


class _Moved(MetaPathFinder, Loader):
    """Asked last, so that only names that no folder has any more come here."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return spec_from_loader(fullname, self) if fullname in MOVED else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(MOVED[spec.name])
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # it has run where it stands now, which is also what it is to say of itself
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state


def install() -> None:
    """Let the old names be found, once a process."""
    if not any(isinstance(finder, _Moved) for finder in sys.meta_path):
        sys.meta_path.append(_Moved())
