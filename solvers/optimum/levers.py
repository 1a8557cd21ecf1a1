"""What each lever is worth: the optimum less the optimum without it, both certified, so an interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from stepwatt.formulation import Instance, InstanceArrays

from ..interface.result import Result, Status
from ..interface.settings import Settings, silent
from .ablations import (
    Restriction,
    all_off,
    fixed_steps,
    local,
    no_deferral,
    no_dvfs,
    no_renewables,
    no_storage,
)
from .oracle import oracle, oracle_on


def no_export(a: InstanceArrays) -> InstanceArrays:
    """Nothing is sold: what sun and wind bring too much is curtailed."""
    return replace(a, export_limit_mw=np.zeros_like(a.export_limit_mw))


@dataclass(frozen=True)
class Lever:
    """What can be decided: ``restriction`` takes it away, ``what`` says in a line what that means."""

    restriction: Restriction
    what: str


LEVERS: Mapping[str, Lever] = {
    "transfer": Lever(local, "jobs may run at other sites than where they arrive"),
    "steps": Lever(fixed_steps, "denoising steps are chosen, not 30 for every job"),
    "clocks": Lever(no_dvfs, "GPU clocks are chosen, not the base clock for every job"),
    "storage": Lever(no_storage, "batteries charge and discharge"),
    "deferral": Lever(no_deferral, "jobs may wait within their deadline"),
    "renewables": Lever(no_renewables, "sun and wind of the sites are used"),
    "export": Lever(no_export, "power is sold"),
    "all": Lever(all_off, "transfer, steps, clocks, storage and deferral together"),
}


@dataclass(frozen=True)
class Worth:
    """USD over the horizon, between ``low`` and ``high`` for certain; ``note`` where there is no such number.

    A lever that the instance does not have is ``not applicable`` and worth 0; without one that it cannot do
    without there is no schedule, and it is worth more than any number.
    """

    low: float
    high: float
    note: str = ""


NOT_APPLICABLE, INDISPENSABLE = "not applicable", "no schedule without it"


def lever_worths(inst: Instance, settings: Settings) -> tuple[Result, dict[str, Worth]]:
    """The certified optimum, and the worth of every lever of :data:`LEVERS`.

    With utilities U and bounds B of the optimum and of the optimum without the lever, its worth lies between
    U − B' and B − U' (model.md, "Bounds and what may be claimed"), and no restriction earns more.
    """
    told, quiet = settings.progress, replace(settings, progress=silent)
    told(0.0, "with every lever")
    full, found = oracle(inst, quiet), {}
    for number, (name, lever) in enumerate(LEVERS.items()):
        told((1 + number) / (1 + len(LEVERS)), f"without {name}")
        found[name] = _worth(inst, full, name, lever.restriction, quiet)
    return full, found


def difference(more: Result, less: Result) -> Worth:
    """What ``more`` earns beyond ``less``, whatever their optima are between utilities and bounds."""
    low = -np.inf if more.utility is None or less.bound is None else more.utility - less.bound
    high = np.inf if more.bound is None or less.utility is None else more.bound - less.utility
    return Worth(low, high)


def _worth(inst: Instance, full: Result, name: str, restriction: Restriction, settings: Settings) -> Worth:
    a = inst.arrays()
    restricted = restriction(a)
    if _same(a, restricted):
        return Worth(0.0, 0.0, NOT_APPLICABLE)
    without = oracle_on(inst, restricted, settings, name)
    if without.status is Status.INFEASIBLE:
        return Worth(np.inf, np.inf, INDISPENSABLE)
    found = difference(full, without)
    return replace(found, low=max(0.0, found.low))


def _same(a: InstanceArrays, restricted: InstanceArrays) -> bool:
    """Whether a restriction takes nothing away."""
    if len(a.options) != len(restricted.options):
        return False
    pairs = ((getattr(a, f.name), getattr(restricted, f.name)) for f in fields(a) if f.name != "options")
    return all(
        one is other or (isinstance(one, np.ndarray) and np.array_equal(one, other)) for one, other in pairs
    )
