"""Why an instance is infeasible: by how much, where, and what would help.

Every job may be lost and every GPU be off, so a site with "pue" cooling can always be operated: without load
it needs no power. What can fail is a thermal room, each for itself: its cooling is too weak, it starts too
warm, its cooling lacks power, or only a generator could feed it whose minimum is more than anyone can use.
So each room is examined alone, with all jobs lost; where a generator has a minimum and the room fails, again
with all jobs (as fluid), which may use up what the generator gives too much.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stepwatt.formulation import Instance
from stepwatt.formulation.instance.given import the_instance
from stepwatt.formulation.schedule.evaluate import TOLERANCE

from ..interface.errors import SolverError
from .conflict import find_conflict
from .elastic_room import ElasticRoom, Relief
from .explanation import Explanation, conflict_line, remedy, shortage_line

Floats = NDArray[np.float64]

#: How often the conflict of one room may ask the solver.
_QUESTIONS = 600


def explain(inst: Instance, *, time_limit: float = 60.0) -> Explanation:
    """Why the instance has no schedule, or that nothing stands in the way of one.

    Args:
        inst: any instance.
        time_limit: seconds for each room that is examined (most take milliseconds). When it ends, amounts
            may be larger and the conflict longer than they need to be.

    Raises:
        SolverError: the solver failed, or the time limit was too short to tell.
    """
    the_instance(inst)
    found = _Findings()
    for number, (name, site) in enumerate(inst.sites.items()):
        if site.cooling.kind != "thermal":
            continue
        room = ElasticRoom(_without_jobs(inst, name).arrays(), 0, time_limit)
        relief = room.together()
        if relief.price > TOLERANCE and site.generator is not None and site.generator.min_mw > 0:
            room = ElasticRoom(inst.arrays(), number, time_limit)
            relief = room.together()
        if relief.price > TOLERANCE >= relief.least_price:
            raise SolverError(f"whether the room of site {name} can be held is open after {time_limit:g} s")
        if relief.price > TOLERANCE:
            found.add(inst, name, room, relief)
    feasible = not found.lines
    if feasible:
        found.lines.append(f"instance {inst.name!r} is feasible: every room can be held")
    return _explanation(inst, found, feasible=feasible)


def _without_jobs(inst: Instance, name: str) -> Instance:
    """One site with all its jobs lost."""
    nothing = {class_name: [0.0] * inst.n_slots for class_name in inst.classes}
    return inst.model_copy(
        update={
            "sites": {name: inst.sites[name].model_copy(update={"models": []})},
            "arrivals": {name: nothing},
            "transfer_cost": {name: {}},
            "link_gb_per_hour": {},
        }
    )


@dataclass
class _Findings:
    """What is collected from room to room."""

    lines: list[str] = field(default_factory=list)
    shortages: list[dict[str, Any]] = field(default_factory=list)
    conflict: list[str] = field(default_factory=list)
    remedies: list[dict[str, Any]] = field(default_factory=list)
    irreducible: bool = True

    def add(self, inst: Instance, name: str, room: ElasticRoom, relief: Relief) -> None:
        """A room that cannot be held."""
        site = inst.sites[name]
        short = [
            (limit, np.where(amount * limit.weight > TOLERANCE / inst.n_slots, amount, 0.0))
            for limit, amount in zip(room.limits, relief.amounts, strict=True)
        ]
        short = [(limit, amount) for limit, amount in short if amount.any()]
        # without storage, cooling at its most in every slot keeps the room coldest at all times
        least = len(short) == 1 and site.battery is None and site.generator is None
        for limit, amount in short:
            self.lines.append(shortage_line(inst, name, limit, amount, relief.cooling_mw, least=least))
            self.shortages += [
                {
                    "site": name,
                    "slot": int(t),
                    "what": limit.what,
                    "amount": float(amount[t]),
                    "unit": limit.unit,
                }
                for t in np.flatnonzero(amount)
            ]
        for limit in room.limits:
            enough = room.alone(limit) if limit.field is not None else None
            change = remedy(inst, name, limit, enough) if enough is not None else None
            if change is not None:
                self.remedies.append(change)
        reason = find_conflict(room, inst.n_slots, _QUESTIONS)
        self.conflict += [conflict_line(inst, name, limit, slots) for limit, slots in reason.members]
        self.irreducible &= reason.irreducible


def _explanation(inst: Instance, found: _Findings, *, feasible: bool) -> Explanation:
    return Explanation(
        instance=inst.name,
        feasible=feasible,
        lines=tuple(found.lines),
        shortages=pd.DataFrame(found.shortages, columns=["site", "slot", "what", "amount", "unit"]),
        conflict=tuple(found.conflict),
        irreducible=found.irreducible,
        remedies=pd.DataFrame(found.remedies, columns=["site", "field", "now", "enough", "unit"]),
    )
