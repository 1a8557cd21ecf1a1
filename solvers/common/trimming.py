"""What cannot matter is left out before solving: idle grid capacity, options that another one beats, and what
a peak that is paid for has above the grid limit.

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

from ..interface.result import Result

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


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


def trimmed(a: InstanceArrays) -> Trimmed:
    """The arrays with useful grid limits and options only."""
    o = a.options
    keep = ~dominated(o, burning=power_may_be_burnt(a))
    used = a.most_it_mw * a.pue.max(axis=1) + a.cooling_max_mw + a.battery_power_mw
    given = a.renewable_mw.max(axis=1) + a.battery_power_mw + a.generator_max_mw
    # a little air, so that a limit that does not bind does not look as if it did
    arrays = replace(
        a,
        options=o.take(keep),
        import_limit_mw=np.minimum(a.import_limit_mw, 1.01 * used),
        export_limit_mw=np.minimum(a.export_limit_mw, 1.01 * given),
        # a peak that no import exceeds is never paid for again, however high it is
        state=replace(a.state, peak_mw=np.minimum(a.state.peak_mw, a.import_limit_mw)),
    )
    return Trimmed(arrays, np.flatnonzero(keep), len(o))


def untrimmed(a: InstanceArrays) -> Trimmed:
    """The arrays as they are."""
    return Trimmed(a, np.arange(len(a.options)), len(a.options))


def power_may_be_burnt(a: InstanceArrays) -> Bools:
    """(J,) whether using more power can ever pay: negative prices, or a generator that cannot idle."""
    return (a.import_cost < 0).any(axis=1) | (a.generator & (a.generator_min_mw > 0))


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
