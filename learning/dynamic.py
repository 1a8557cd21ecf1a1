"""Dynamic programs over what a battery holds and over a room's warmth, compiled: backward over slots, for
every instance and site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Function = TypeVar("Function", bound=Callable[..., Any])


def _compiled(function: Function) -> Function:
    found: Function = njit(
        cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "nnan", "reassoc"}
    )(function)
    return found


@_compiled
def _bill(grid: float, dear: float, sold: float, charge: float, highest: float) -> float:
    """USD per hour of importing, or of selling; import above the highest costs ``charge`` more."""
    return (dear if grid > 0 else sold) * grid + charge * max(grid - highest, 0.0)


@_compiled
def stored(need: Floats, cost: Floats, price: Floats, site: Floats, hours: float, rates: int, charged: bool,
           value: Floats) -> None:  # fmt: skip
    """Fill ``value`` (T+1,N,J,G) with what is still earned from each slot on by content, from its last slice.

    ``need`` (T,N,J) MW that are not generated, ``cost`` and ``price`` USD/MWh of importing and selling;
    ``site`` (8,N,J): least and largest content, power, efficiency of charging and of discharging, wear,
    demand charge, import that it spares (``charged``: whether there is one). ``rates`` are tried each way.
    """
    slots, batch, sites, levels = value.shape[0] - 1, value.shape[1], value.shape[2], value.shape[3]
    for b in range(batch):
        for j in range(sites):
            low, high, power, up, down = (
                site[0, b, j],
                site[1, b, j],
                site[2, b, j],
                site[3, b, j],
                site[4, b, j],
            )
            wear, charge, highest = site[5, b, j], site[6, b, j] / hours, site[7, b, j]
            span = max(high - low, 1e-12)
            places, step = (levels - 1) / span, span / (levels - 1)
            filled, drained = hours * up, hours / down
            take, give = 1 / filled, 1 / drained
            for t in range(slots - 1, -1, -1):
                net, dear, sold = need[t, b, j], cost[t, b, j], max(price[t, b, j], 0.0)
                later, now = value[t + 1, b, j], value[t, b, j]
                kinks = 2 if charged else 1
                if power <= 0.0 or high <= low:
                    bill = _bill(net, dear, sold, charge, highest)
                    for g in range(levels):
                        now[g] = later[g] - hours * bill
                    continue
                for g in range(levels):
                    now[g] = -np.inf
                for r in range(2 * rates + 1 + kinks):
                    # the kinks where nothing is imported, and as much as before, are tried, too
                    if r <= 2 * rates:
                        wanted = power * (r - rates) / rates
                    else:
                        wanted = -net if r == 2 * rates + 1 else highest - net
                        wanted = max(min(wanted, power), -power)
                    # away from the ends every content moves by the same number of levels, at the same bill
                    moved = wanted * (filled if wanted > 0 else drained) * places
                    whole = int(np.floor(moved))
                    share = moved - whole
                    bill = _bill(net + wanted, dear, sold, charge, highest) + wear * max(-wanted, 0.0)
                    first, last = max(0, -whole), min(levels, levels - 1 - whole)
                    for g in range(first, last):
                        below = later[g + whole]
                        now[g] = max(now[g], below + share * (later[g + whole + 1] - below) - hours * bill)
                    inside = max(0, last - first)
                    for n in range(levels - inside):
                        g = n if n < first else n + inside
                        held = low + step * g
                        tried = min(max(wanted, (low - held) * give), (high - held) * take)
                        after = g + tried * (filled if tried > 0 else drained) * places
                        after = min(max(after, 0.0), levels - 1.0)
                        below_it = min(int(after), levels - 2)
                        worth = later[below_it]
                        worth += (after - below_it) * (later[below_it + 1] - later[below_it])
                        bill = _bill(net + tried, dear, sold, charge, highest) + wear * max(-tried, 0.0)
                        now[g] = max(now[g], worth - hours * bill)


@_compiled
def warmed(it: Floats, price: Floats, cop: Floats, outside: Floats, ceiling: Floats, site: Floats,
           hours: float, value: Floats) -> None:  # fmt: skip
    """Fill ``value`` (T+1,N,J,W) with what is still to be paid for cooling (negative) from each slot on by
    warmth, from its last slice.

    ``it`` (T,N,J) MW, ``price`` USD/MWh of power, ``ceiling`` °C after the slot; ``site`` (7,N,J): least and
    largest warmth, °C per MW over a slot, leak MW/°C, most cooling, whether there is a room, USD that a slot
    pays at most where it cannot be kept cool.
    """
    slots, batch, sites, levels = value.shape[0] - 1, value.shape[1], value.shape[2], value.shape[3]
    for b in range(batch):
        for j in range(sites):
            low, high, rate = site[0, b, j], site[1, b, j], max(site[2, b, j], 1e-12)
            leak, chill, room, penalty = site[3, b, j], site[4, b, j], site[5, b, j], site[6, b, j]
            step = (high - low) / (levels - 1)
            for t in range(slots - 1, -1, -1):
                later, now = value[t + 1, b, j], value[t, b, j]
                efficiency, paid = max(cop[t, b, j], 1e-6), hours * price[t, b, j]
                most, warmest = chill + 1e-9, (ceiling[t, b, j] + 1e-9 - low) / max(step, 1e-30)
                for w in range(levels):
                    if room <= 0:
                        now[w] = 0.0
                        continue
                    heat = it[t, b, j] - leak * (low + step * w - outside[t, b, j])
                    first, each = (heat + step / rate * w) / efficiency, step / rate / efficiency
                    best = -np.inf
                    for v in range(levels):
                        needed = first - each * v
                        closed = (needed > most) | (v > warmest)
                        worth = later[v] - paid * max(needed, 0.0) - (penalty if closed else 0.0)
                        best = max(best, worth)
                    now[w] = best
