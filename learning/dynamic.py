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
def _pieces(top: float, bottom: float, edges: Floats, rates: Floats, wear: float, share: float, filled: float,
            slopes: Floats, lengths: Floats, count: int) -> int:  # fmt: skip
    """Append what content brings as imports fall from ``top`` to ``bottom`` MW: USD/MWh of content, and MWh.

    Imports above ``edges[n]`` cost ``rates[n]`` USD/MWh; a MW less takes ``filled`` MWh, and what it spares,
    less ``wear``, counts ``share`` of itself.
    """
    for n in range(len(rates)):
        upper = top if n == 0 else min(top, edges[n - 1])
        length = upper - max(bottom, edges[n])
        if length > 0:
            slopes[count], lengths[count] = (rates[n] - wear) * share, length * filled
            count += 1
    return count


@_compiled
def _sampled(slopes: Floats, lengths: Floats, count: int, step: float, values: Floats) -> None:
    """From ``values[0]`` on, a value every ``step`` along segments of these slopes."""
    n, left = 0, lengths[0]
    for g in range(1, len(values)):
        total, further = values[g - 1], step
        while further > left and n < count - 1:
            total += slopes[n] * left
            further -= left
            n += 1
            left = lengths[n]
        values[g] = total + slopes[n] * further
        left -= further


@_compiled
def stored(need: Floats, cost: Floats, price: Floats, site: Floats, hours: float, value: Floats) -> None:
    """Fill ``value`` (T+1,N,J,G) with what is still earned from each slot on, by evenly spaced content.

    ``need`` (T,N,J) MW that are not generated, ``cost`` and ``price`` USD/MWh of importing and selling;
    ``site`` (10,N,J): least and largest content, power, efficiency of charging and of discharging, wear,
    demand charge, import that it spares, USD per MWh missing at the end below a content.

    What a slot earns and what its leavings earn are concave and piecewise linear in content, so the best of
    both has the segments of both, steepest first: the values are exact.
    """
    slots, batch, sites, levels = value.shape[0] - 1, value.shape[1], value.shape[2], value.shape[3]
    slopes, lengths = np.empty((2, 6 * slots + 2)), np.empty((2, 6 * slots + 2))
    brought, taken = np.empty(6), np.empty(6)
    edges, rates = np.empty(3), np.empty(3)
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
            due, span = min(max(site[9, b, j] - low, 0.0), high - low), max(high - low, 1e-12)
            # segments from the least content on, and what that is worth
            slopes[0, 0], lengths[0, 0] = site[8, b, j], due
            slopes[0, 1], lengths[0, 1] = 0.0, span - due
            count, first = 2, -site[8, b, j] * max(site[9, b, j] - low, 0.0)
            value[slots, b, j, 0] = first
            _sampled(slopes[0], lengths[0], count, span / (levels - 1), value[slots, b, j])
            for t in range(slots - 1, -1, -1):
                # where importing pays, it is not spared; where selling costs, it is curtailed
                net, dear = need[t, b, j], max(cost[t, b, j], 0.0)
                sold = min(max(price[t, b, j], 0.0), dear)
                edges[0], edges[1], edges[2] = highest if charge > 0 else np.inf, 0.0, -np.inf
                rates[0], rates[1], rates[2] = dear + charge, dear, sold
                reach = power if high > low else 0.0
                top = net + reach
                first -= hours * ((dear if top > 0 else sold) * top + charge * max(top - highest, 0.0))
                many = _pieces(top, net, edges, rates, 0.0, 1 / up, hours * up, brought, taken, 0)
                many = _pieces(net, net - reach, edges, rates, wear, down, hours / down, brought, taken, many)
                old, new = (slots - t - 1) % 2, (slots - t) % 2
                n = m = now = 0
                # what would be charged beyond the least content, and room for the largest
                beyond, room = reach * hours * up, span
                while room > 1e-12 * span and (n < count or m < many):
                    if m == many or (n < count and slopes[old, n] >= brought[m]):
                        slope, length = slopes[old, n], lengths[old, n]
                        n += 1
                    else:
                        slope, length = brought[m], taken[m]
                        m += 1
                    cut = min(beyond, length)
                    first += slope * cut
                    beyond -= cut
                    length = min(length - cut, room)
                    if length > 0:
                        slopes[new, now], lengths[new, now] = slope, length
                        room -= length
                        now += 1
                count = now
                value[t, b, j, 0] = first
                _sampled(slopes[new], lengths[new], count, span / (levels - 1), value[t, b, j])


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
