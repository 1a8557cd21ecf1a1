"""What of a plant's sizes can be used: people write a million megawatts for "no limit"."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arrays import InstanceArrays

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Sizes so many times what can be used say "no limit"; smaller ones do no harm.
ABSURD = 1000.0


def power_may_be_burnt(a: InstanceArrays) -> Bools:
    """(J,) whether using more power can ever pay: negative prices, or a generator that cannot idle."""
    return (a.import_cost < 0).any(axis=1) | (a.generator & (a.generator_min_mw > 0))


def useful_cooling_mw(a: InstanceArrays) -> Floats:
    """(J,) MW that take all heat there can be, or, where power may be burnt, all power there can be."""
    warmest = np.maximum(a.state.temperature_c, a.max_c)
    stored = a.heat_capacity * np.maximum(warmest - a.min_c, 0.0) / a.slot_hours
    entering = a.leak_mw_per_c * np.maximum(a.outside_c.max(axis=1) - a.min_c, 0.0)
    needed = np.where(a.thermal, (_most_it_mw(a) + stored + entering) / a.cop.min(axis=1), 0.0)
    comes = a.import_limit_mw + a.renewable_mw.max(axis=1) + a.generator_max_mw + a.battery_power_mw
    used = np.where(power_may_be_burnt(a), comes, np.minimum(needed, comes))
    cooling: Floats = np.minimum(a.cooling_max_mw, used)
    return cooling


def largest_power_mw(a: InstanceArrays) -> Floats:
    """(J,) MW that sites can use or give themselves, without what is far beyond all that comes or goes."""
    use = a.most_it_mw * a.pue.max(axis=1) + a.cooling_max_mw + a.battery_power_mw
    own = a.renewable_mw.max(axis=1) + a.generator_max_mw
    largest = np.maximum(use, own)
    useful = _useful_power_mw(a, own)
    return np.where(largest > ABSURD * useful, useful, largest)


def _useful_power_mw(a: InstanceArrays, own: Floats) -> Floats:
    """(J,) MW, of which no more is used than comes, and no more given than goes."""
    stores = (a.energy_max_mwh - a.energy_min_mwh) / (a.slot_hours * a.charge_efficiency)
    stores = np.minimum(a.battery_power_mw, stores)
    used = _most_it_mw(a) * a.pue.max(axis=1) + useful_cooling_mw(a) + stores
    used = np.minimum(used, a.import_limit_mw + own + stores)
    useful: Floats = np.maximum(used, np.minimum(own, used + a.export_limit_mw))
    return useful


def _most_it_mw(a: InstanceArrays) -> Floats:
    """(J,) IT power with every GPU on its hottest option, or of all jobs at once where those are few."""
    jobs = float(a.arrivals.sum() + a.state.backlog.sum())
    hungriest = np.zeros(len(a.sites))
    np.maximum.at(hungriest, a.options.site, a.options.energy_mwh)
    return np.minimum(a.most_it_mw, jobs * hungriest / a.slot_hours + a.gpus * a.gpu_idle_mw)
