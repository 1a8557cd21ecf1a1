"""Synthetic job arrivals: a daily wave, gamma-mixed Poisson counts, streams that never interfere."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stepwatt.formulation import InputError

_GAMMA, _POISSON = 0, 1

#: Jobs a slot that are drawn at most: counts stay whole numbers of a float.
_MOST = 1e15


def daily_wave(
    slots: pd.DatetimeIndex, slot_minutes: int, peak_hour: float, swing: float
) -> NDArray[np.float64]:
    """1 + swing x cos(2 pi (h - peak_hour) / 24) at the middle of each slot, h in UTC hours."""
    hours = np.asarray(slots.hour + (slots.minute + slot_minutes / 2) / 60, dtype=float)
    return np.maximum(0.0, 1.0 + swing * np.cos(2 * np.pi * (hours - peak_hour) / 24))


def counts(
    mean: NDArray[np.float64],
    gamma_shape: float,
    seed: int,
    start: pd.Timestamp,
    origin: int,
    job_class: int,
    noise_slots: int = 1,
) -> NDArray[np.int64]:
    """Jobs per slot: Poisson(mean x g), g ~ gamma(gamma_shape) / gamma_shape, anew every ``noise_slots``.

    ``mean`` is in jobs per slot. Each (seed, start, origin, class) has its own streams, so a longer horizon
    continues the same draws, and further origins leave those of the others alone.

    Raises:
        InputError: more jobs a slot than can be counted.
    """

    def stream(purpose: int) -> np.random.Generator:
        minute = int(start.timestamp()) // 60
        return np.random.default_rng(
            [seed, minute % 2**32, minute // 2**32 % 2**32, origin, job_class, purpose]
        )

    parts = -(-mean.size // noise_slots)
    noise = stream(_GAMMA).gamma(gamma_shape, 1.0 / gamma_shape, size=parts).repeat(noise_slots)[: mean.size]
    expected = mean * noise
    if not (expected <= _MOST).all():
        told = f"at most {_MOST:g} jobs a slot to draw"
        raise InputError(field="arrivals", value=float(expected.max()), expected=told)
    return stream(_POISSON).poisson(expected).astype(np.int64)
