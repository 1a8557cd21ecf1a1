"""What cannot matter is left out before solving: idle grid capacity, sizes beyond all use, options that
another one beats, and what a peak that is paid for has above the grid limit.

All steps are exact. Import beyond what a site can use would only be exported again, which never pays
(where export prices exceed import prices, a site cannot do both). An option that earns no more, takes no less
GPU time and draws no less power than another of its class and site can be replaced by it, unless power can be
worth burning there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InstanceArrays, Schedule, evaluate
from stepwatt.formulation.instance.options import Options
from stepwatt.formulation.instance.useful import ABSURD, power_may_be_burnt, useful_cooling_mw

from ..interface.result import Result

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


#: Air above what can be used, so that a limit that does not bind does not look as if it did.
_AIR = 1.01


@dataclass(frozen=True)
class Trimmed:
    """The arrays without what cannot matter; ``rows`` are the options kept, of ``n_options``."""

    arrays: InstanceArrays
    rows: Ints
    n_options: int

    def expanded(self, schedule: Schedule) -> Schedule:
        """A schedule of the trimmed arrays, for the arrays as they were."""
        runs = np.zeros((self.n_options, schedule.runs.shape[1]))
        runs[self.rows] = schedule.runs
        return replace(schedule, runs=runs)

    def judged(self, result: Result, a: InstanceArrays) -> Result:
        """A result on the trimmed arrays, its schedule expanded and judged by the arrays as they were."""
        if result.schedule is None:
            return result
        schedule = self.expanded(result.schedule)
        return replace(result, schedule=schedule, evaluation=evaluate(a, schedule))


def trimmed(given: InstanceArrays) -> Trimmed:
    """The arrays with useful sizes, grid limits and options only."""
    a = of_useful_size(given)
    o = a.options
    keep = ~dominated(o, burning=power_may_be_burnt(a))
    return Trimmed(replace(a, options=o.take(keep)), np.flatnonzero(keep), len(o))


def of_useful_size(given: InstanceArrays) -> InstanceArrays:
    """The arrays with useful sizes and grid limits only, all options kept."""
    a = _with_useful_machines(given)
    used = a.most_it_mw * a.pue.max(axis=1) + a.cooling_max_mw + a.battery_power_mw
    supplied = a.renewable_mw.max(axis=1) + a.battery_power_mw + a.generator_max_mw
    import_limit = np.minimum(a.import_limit_mw, _AIR * used)
    return replace(
        a,
        import_limit_mw=import_limit,
        export_limit_mw=np.minimum(a.export_limit_mw, _AIR * supplied),
        # a peak that no import exceeds is never paid for again, however high it is
        state=replace(a.state, peak_mw=np.minimum(a.state.peak_mw, import_limit)),
    )


def _with_useful_machines(a: InstanceArrays) -> InstanceArrays:
    """Machines beyond all use are as large as can be used: others drown in their digits.

    A battery takes and gives no more than it holds, and holds no more than it can take and give in all; only
    differences of its content count. A generator gives what the site can use or sell.
    """
    cools = _AIR * useful_cooling_mw(a)
    cooling = np.where(a.cooling_max_mw > ABSURD * cools, cools, a.cooling_max_mw)
    held = a.energy_max_mwh - a.energy_min_mwh
    taken = held / (a.slot_hours * a.charge_efficiency)
    power = np.where(a.battery_power_mw > ABSURD * taken, _AIR * taken, a.battery_power_mw)
    most = _AIR * power * a.slot_hours * a.n_slots
    begun = a.state.energy_mwh
    lowest = np.maximum(a.energy_min_mwh, begun - most / a.discharge_efficiency)
    highest = np.minimum(a.energy_max_mwh, begun + most * a.charge_efficiency)
    drowned = a.battery & (a.energy_max_mwh > ABSURD * (highest - lowest)) & (power > 0)
    empty = np.where(drowned, lowest, 0.0)
    used = a.most_it_mw * a.pue.max(axis=1) + cooling + power + a.export_limit_mw
    idle = a.generator_max_mw > ABSURD * used
    return replace(
        a,
        cooling_max_mw=cooling,
        battery_power_mw=power,
        energy_min_mwh=np.where(drowned, lowest, a.energy_min_mwh) - empty,
        energy_max_mwh=np.where(drowned, highest, a.energy_max_mwh) - empty,
        energy_reference_mwh=a.energy_reference_mwh - empty,
        generator_max_mw=np.where(idle, np.maximum(a.generator_min_mw, _AIR * used), a.generator_max_mw),
        state=replace(a.state, energy_mwh=begun - empty),
    )


def untrimmed(a: InstanceArrays) -> Trimmed:
    """The arrays as they are."""
    return Trimmed(a, np.arange(len(a.options)), len(a.options))


def dominated(o: Options, burning: Bools) -> Bools:
    """(O,) options that another option of the same site and class replaces at no loss."""
    lost = np.zeros(len(o), dtype=bool)
    keys = o.site * (int(o.job_class.max(initial=0)) + 1) + o.job_class
    for key in np.unique(keys):
        rows = np.flatnonzero(keys == key)
        revenue, seconds, energy = o.revenue[rows], o.seconds[rows], o.energy_mwh[rows]
        thriftier = energy[None, :] <= energy[:, None]
        if burning[o.site[rows[0]]]:
            thriftier = energy[None, :] == energy[:, None]
        as_good = (revenue[None, :] >= revenue[:, None]) & (seconds[None, :] <= seconds[:, None]) & thriftier
        # of twins, the first stays
        twins = as_good & as_good.T
        better = as_good & ~twins | twins & (np.arange(len(rows))[None, :] < np.arange(len(rows))[:, None])
        lost[rows] = better.any(axis=1)
    return lost
