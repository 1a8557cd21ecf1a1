"""Kinds of numbers that settings are made of, with their ranges: beyond them lie slips, not wishes."""

from __future__ import annotations

import os
from typing import Annotated, Any

from pydantic import Field

from stepwatt.formulation import InputError

#: Steps, updates, transitions, days.
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
CountOrNone = Annotated[int, Field(ge=0, le=1_000_000_000)]
#: Things that are held side by side: environments, samples of a batch, units of a layer.
MOST = 65_536
Size = Annotated[int, Field(ge=1, le=MOST)]
#: Steps of a chain that is gone through again and again.
Steps = Annotated[int, Field(ge=1, le=10_000)]
#: Units of each hidden layer.
Widths = Annotated[tuple[Size, ...], Field(strict=False, max_length=16)]
#: Seeds of runs that are trained side by side.
Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0, lt=2**63)], ...], Field(strict=False, min_length=1, max_length=1_000)
]
#: So many times the jobs of a day.
Loads = Annotated[tuple[Annotated[float, Field(gt=1, le=100)], ...], Field(strict=False, max_length=16)]
#: Hours of the past.
Hours = Annotated[tuple[Annotated[float, Field(gt=0, le=168)], ...], Field(strict=False, max_length=24)]
#: Names.
Texts = Annotated[tuple[str, ...], Field(strict=False, min_length=1, max_length=1_000)]
#: Learning rates, standard deviations of actions, share of one thing in another: positive, and not large.
Rate = Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]
Deviation = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
#: Factors on a reward.
Scale = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
#: Factors on parts of a loss or a reward.
Weight = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]


def check_memory(field: str, value: Any, numbers: float) -> None:
    """Refuse a setting that asks for more numbers of 4 bytes than this machine has room for.

    Raises:
        InputError: it says how much memory it would take, and how much there is.
    """
    needed, there = 4 * numbers / 2**30, _memory() / 2**30
    if needed > there:
        expected = f"what fits into memory: this takes {needed:,.0f} GiB, there are {there:,.0f}"
        raise InputError(field=field, value=value, expected=expected)


def _memory() -> float:
    """Bytes of memory of this machine; taken for 64 GiB where the system does not tell."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 64.0 * 2**30
