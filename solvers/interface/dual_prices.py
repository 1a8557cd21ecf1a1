"""Dual prices of a relaxation as labelled tables: what one more unit of a thing would be worth."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Instance, InstanceArrays

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Prices:
    """Tables over slots (index: start of the slot, UTC offset of the instance).

    ``power`` USD/MWh delivered at the site (columns: sites); ``stored_energy`` USD/MWh in the battery after
    the slot (sites with one); ``coolness`` USD per °C cooler after the slot (sites with a thermal room);
    ``gpu_time`` USD per GPU-hour (sites); ``waiting_jobs`` USD per job more in the queue (columns: origin,
    class; negative where a job costs more than it brings); ``job_at_site`` USD that a job brings by being at
    the site (columns: site, class).
    """

    power: pd.DataFrame
    stored_energy: pd.DataFrame
    coolness: pd.DataFrame
    gpu_time: pd.DataFrame
    waiting_jobs: pd.DataFrame
    job_at_site: pd.DataFrame

    def __repr__(self) -> str:
        tables = ", ".join(f.name for f in fields(self))
        return f"<Prices: {tables}; {len(self.power)} slots>"


def slot_index(inst: Instance) -> pd.DatetimeIndex:
    """Start of every slot."""
    import pandas as pd

    step = timedelta(hours=inst.slot_hours)
    return pd.DatetimeIndex([inst.start_time + t * step for t in range(inst.n_slots)], name="slot")


def labelled_prices(
    inst: Instance,
    a: InstanceArrays,
    *,
    power: Floats,
    stored_energy: Floats,
    coolness: Floats,
    gpu_time: Floats,
    waiting_jobs: Floats,
    job_at_site: Floats,
) -> Prices:
    """Prices from arrays over all sites: (J,T) each, ``waiting_jobs`` (I,K,T), ``job_at_site`` (J,K,T)."""
    import pandas as pd

    index = slot_index(inst)
    sites = list(a.sites)
    batteries = [name for name, has in zip(sites, a.battery, strict=True) if has]
    rooms = [name for name, has in zip(sites, a.thermal, strict=True) if has]
    queues = pd.MultiIndex.from_product([a.sites, a.classes], names=["origin", "class"])
    places = pd.MultiIndex.from_product([a.sites, a.classes], names=["site", "class"])
    n = a.n_slots
    return Prices(
        power=pd.DataFrame(power.T, index=index, columns=sites),
        stored_energy=pd.DataFrame(stored_energy[a.battery].T, index=index, columns=batteries),
        coolness=pd.DataFrame(coolness[a.thermal].T, index=index, columns=rooms),
        gpu_time=pd.DataFrame(gpu_time.T, index=index, columns=sites),
        waiting_jobs=pd.DataFrame(waiting_jobs.reshape(-1, n).T, index=index, columns=queues),
        job_at_site=pd.DataFrame(job_at_site.reshape(-1, n).T, index=index, columns=places),
    )
