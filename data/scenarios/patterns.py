"""How jobs come over the day: the daily wave of "jemas", and two patterns after published statistics.

``gentd26``: an image-generation service (Alibaba cluster-trace-v2026-GenAI, alibaba/clusterdata @7a6c496, Lin
et al., SoCC '25; figures quoted, the trace is for research). The hours of its anonymised clock are turned so
that the busiest one is the origin's peak. Within an hour the rate is the same; from hour to hour it varies so
that the variance of hourly counts is 140 times their mean of 48.4, as there.

``bursty``: a service for code (Azure LLM inference trace 2023, AzurePublicDataset @b469a11, CC BY 4.0; Patel
et al., ISCA '24): the variance of counts a minute is 163 times their mean of 152. That bursts last a slot is
our assumption.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stepwatt.formulation import InputError
from stepwatt.formulation.errors import one_of

from .arrivals import daily_wave

Floats = NDArray[np.float64]
Arrivals = Literal["daily", "gentd26", "bursty"]

#: Rate of each hour against the day's mean, from the busiest hour on.
GENTD26_HOURS = (
    3.4429, 0.9834, 1.0508, 1.0886, 0.6005, 0.3236, 0.3029, 0.2274, 0.1106, 0.0405, 0.0324, 0.0018,
    0.0, 0.0027, 0.0027, 0.036, 0.5513, 2.0184, 2.4954, 0.5618, 0.9825, 2.988, 2.9835, 3.1723,
)  # fmt: skip

_GENTD26_MEAN, _GENTD26_DISPERSION = 48.42, 140.23  # requests an hour; variance over mean
_AZURE_MEAN, _AZURE_DISPERSION = 151.9, 163.0  # requests a minute; variance over mean


@dataclass(frozen=True)
class Pattern:
    """A wave over the day and noise around it: gamma of this shape, drawn anew every ``noise_minutes``.

    Zero minutes: in every slot.
    """

    gamma_shape: float
    noise_minutes: int = 0
    hours: tuple[float, ...] = ()

    def wave(self, slots: pd.DatetimeIndex, slot_minutes: int, peak: float, swing: float) -> Floats:
        """Mean of each slot against that of the day."""
        if not self.hours:
            return daily_wave(slots, slot_minutes, peak, swing)
        factors = np.array(self.hours) / np.mean(self.hours)
        hour = np.asarray(slots.hour + (slots.minute + slot_minutes / 2) / 60, dtype=float)
        found: Floats = factors[np.floor(hour - peak).astype(int) % 24]
        return found


def _hourly_shape() -> float:
    """Shape of the noise whose counts, with the wave of the hours, have the dispersion of the trace.

    With rate m·f·g, hour factor f and noise g of mean 1: variance/mean = 1 + m·(E f²·(1 + 1/shape) − 1).
    """
    squares = np.mean(np.square(GENTD26_HOURS)) / np.mean(GENTD26_HOURS) ** 2
    return float(1 / ((1 + (_GENTD26_DISPERSION - 1) / _GENTD26_MEAN) / squares - 1))


def pattern(name: str, constants: Mapping[str, float]) -> Pattern:
    """The pattern of that name; ``daily`` is that of the catalogue's constants.

    Raises:
        InputError: no such pattern.
    """
    if name == "daily":
        return Pattern(constants["gamma_shape"])
    if name == "gentd26":
        return Pattern(_hourly_shape(), 60, GENTD26_HOURS)
    if name == "bursty":
        return Pattern(_AZURE_MEAN / (_AZURE_DISPERSION - 1))
    raise InputError(field="arrivals", value=name, expected=one_of(("daily", "gentd26", "bursty"), name))
