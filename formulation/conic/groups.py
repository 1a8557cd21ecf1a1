"""What the conic relaxation runs: groups of options that differ in steps only, and units to count them in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..instance.arrays import InstanceArrays
from ..instance.instance import Instance
from ..instance.options import JOULES_PER_MWH
from .envelope import Envelope, concave_envelope

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """A table of G groups; ``*_low`` hold at the fewest steps, ``*_rise`` is added at the most."""

    site: Ints
    job_class: Ints
    model: Ints
    clock: Ints
    envelopes: tuple[Envelope, ...]
    seconds_low: Floats
    seconds_rise: Floats
    energy_low: Floats  # MWh per job
    energy_rise: Floats
    revenue_low: Floats  # USD per job without its quality
    revenue_rise: Floats
    quality_price: Floats
    quality_floor: Floats

    def __len__(self) -> int:
        return len(self.site)


_NUMBERS = (
    "seconds_low", "seconds_rise", "energy_low", "energy_rise",
    "revenue_low", "revenue_rise", "quality_price", "quality_floor",
)  # fmt: skip


def groups_of(inst: Instance, a: InstanceArrays) -> Groups:
    """The groups that have an allowed option, in the order of the options."""
    o = a.options
    keys = np.stack([o.site, o.job_class, o.model, o.clock], axis=1)
    found, first = np.unique(keys, axis=0, return_index=True)
    site, job_class, model, clock = found[np.argsort(first)].T
    rows: list[tuple[float, ...]] = []
    envelopes: dict[tuple[int, int, int, int], Envelope] = {}
    shapes: list[Envelope] = []
    for j, k, m, f in zip(site, job_class, model, clock, strict=True):
        steps = o.steps[(keys == (j, k, m, f)).all(axis=1)]
        low, high = int(steps.min()), int(steps.max())
        spec, paid = inst.models[a.models[m]], inst.classes[a.classes[k]]
        level = inst.sites[a.sites[j]].clocks[f]
        if (k, m, low, high) not in envelopes:
            curve = spec.quality.get(a.classes[k]) or spec.quality["default"]
            envelopes[k, m, low, high] = concave_envelope(curve, low, high)
        shapes.append(envelopes[k, m, low, high])
        rows.append(
            (
                (spec.seconds_fixed + spec.seconds_per_step * low) / level.speed,
                spec.seconds_per_step * (high - low) / level.speed,
                (spec.joules_fixed + spec.joules_per_step * low) * level.energy / JOULES_PER_MWH,
                spec.joules_per_step * (high - low) * level.energy / JOULES_PER_MWH,
                paid.base_price + paid.step_price * low,
                paid.step_price * (high - low),
                paid.quality_price,
                paid.quality_floor,
            )
        )
    columns = dict(zip(_NUMBERS, np.array(rows, dtype=float).reshape(-1, len(_NUMBERS)).T, strict=True))
    return Groups(site, job_class, model, clock, tuple(shapes), **columns)


@dataclass(frozen=True)
class Units:
    """Powers of two: how many jobs, MW, GPUs, GPU-seconds and USD the solver's 1 stands for."""

    jobs: float
    mw: float
    mwh: float
    gpus: float
    seconds: float
    money: float

    @classmethod
    def of(cls, a: InstanceArrays, g: Groups) -> Units:
        """A typical slot of arrivals at one origin, and the power, GPUs and money that go with it."""
        jobs = power_of_two(a.arrivals[a.arrivals > 0])
        seconds = jobs * power_of_two(g.seconds_low + g.seconds_rise)
        mw = power_of_two(jobs * (g.energy_low + g.energy_rise) / a.slot_hours)
        price = g.revenue_low + g.revenue_rise + g.quality_price
        return cls(
            jobs=jobs,
            mw=mw,
            mwh=mw * a.slot_hours,
            gpus=power_of_two(seconds / a.seconds_per_gpu),
            seconds=seconds,
            money=power_of_two(jobs * np.concatenate([price, a.miss_penalty])),
        )


def power_of_two(values: Floats) -> float:
    """The power of two nearest to the median of the positive values; 1 without any."""
    positive = values[values > 0]
    return float(2.0 ** np.round(np.log2(np.median(positive)))) if len(positive) else 1.0
