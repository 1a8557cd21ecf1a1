"""Whether jobs and sites fit together: what share of the GPUs the jobs need, and of the grid connection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Instance
from stepwatt.formulation.arguments import whole
from stepwatt.formulation.instance.given import the_instance

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sizing:
    """What the jobs need, each at the site where it comes in and of all sites together.

    ``gpu_share`` by site, and ``fleet_share``: GPU time that the jobs need, each with the quickest model that
    may serve it there at about ``steps`` and the fastest clock no faster than the base, over what the GPUs
    give; ``busiest_share`` the same in the busiest hour. ``power_share``: power of the site with every GPU on
    at its hottest option, cooling included, over the import limit. ``unserved`` jobs have no option at home.
    """

    steps: int
    gpu_share: dict[str, float]
    busiest_share: dict[str, float]
    fleet_share: float
    power_share: dict[str, float]
    unserved: dict[str, float]

    @property
    def lines(self) -> list[str]:
        """The same in sentences."""
        told = [f"your jobs need {_percent(self.fleet_share)} of your GPUs at {self.steps} steps"]
        for site, share in self.gpu_share.items():
            text = f"{site}: {_percent(share)} of its GPUs for the jobs that come in there"
            text += f", {_percent(self.busiest_share[site])} in the busiest hour"
            text += f"; all GPUs at work draw {_percent(self.power_share[site])} of the grid connection"
            if self.unserved[site]:
                text += f"; {self.unserved[site]:,.0f} jobs have no model there"
            told.append(text)
        return told

    def __str__(self) -> str:
        return "\n".join(self.lines)


def sizing(inst: Instance, steps: int = 30) -> Sizing:
    """What share of GPUs and grid connections the jobs of an instance need.

    Args:
        inst: the instance.
        steps: the step count to think with; the nearest that a model may run with counts.

    Raises:
        InputError: steps below 1.
    """
    the_instance(inst)
    steps = whole(steps, "steps", 1)
    a = inst.arrays()
    seconds = _seconds(inst, steps)
    capacity = a.gpus * a.seconds_per_gpu
    served = np.isfinite(seconds)
    at_home = np.where(served, seconds, 0.0)
    need = np.einsum("ikt,ik->it", a.arrivals, at_home)
    unserved = (a.arrivals.sum(axis=2) * ~served).sum(axis=1)
    hour = max(1, round(1 / a.slot_hours))
    starts = np.arange(0, a.n_slots, hour)
    lengths = np.minimum(hour, a.n_slots - starts)
    hourly = np.add.reduceat(need, starts, axis=1) / lengths
    # what is not served at home runs where it is quickest
    elsewhere = np.where(served.any(axis=0), np.where(served, seconds, np.inf).min(axis=0), 0.0)
    all_jobs = need.sum() + (a.arrivals.sum(axis=2) * ~served * elsewhere).sum()
    cooling = np.where(a.thermal, 1 + 1 / a.cop.min(axis=1), a.pue.max(axis=1))
    power = a.most_it_mw * cooling
    return Sizing(
        steps,
        _by_name(a.sites, _ratio(need.mean(axis=1), capacity)),
        _by_name(a.sites, _ratio(hourly.max(axis=1), capacity)),
        float(_ratio(np.array([all_jobs / a.n_slots]), np.array([capacity.sum()]))[0]),
        _by_name(a.sites, _ratio(power, a.import_limit_mw)),
        _by_name(a.sites, unserved),
    )


def _seconds(inst: Instance, steps: int) -> Floats:
    """(J,K) GPU-seconds of a job with the quickest model, at the step count nearest to ``steps``."""
    a = inst.arrays()
    o = a.options
    found = np.full((len(a.sites), len(a.classes)), np.inf)
    for j in range(len(a.sites)):
        speeds = np.array(a.clock_speeds[j])
        usual = speeds[speeds <= 1.0].max() if (speeds <= 1.0).any() else speeds.min()
        for k in range(len(a.classes)):
            mine = np.flatnonzero((o.site == j) & (o.job_class == k))
            mine = mine[speeds[o.clock[mine]] == usual]
            for m in np.unique(o.model[mine]):
                rows = mine[o.model[mine] == m]
                nearest = rows[np.argmin(np.abs(o.steps[rows] - steps))]
                found[j, k] = min(found[j, k], o.seconds[nearest])
    return found


def _ratio(need: Floats, given: Floats) -> Floats:
    """Need over what there is: 0 where nothing is needed, infinite where nothing is there."""
    return np.divide(need, given, out=np.where(need > 0, np.inf, 0.0), where=given > 0)


def _by_name(names: tuple[str, ...], values: Floats) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if np.isfinite(share) else "more than there are"
