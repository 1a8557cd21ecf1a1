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
    """Fill ``value`` (T+1,N,J,W) with what is still to be paid for cooling (negative) from each slot on, by
    evenly spaced warmth.

    ``it`` (T,N,J) MW, ``price`` USD/MWh of power, ``ceiling`` °C after the slot; ``site`` (9,N,J): least and
    largest warmth, °C per MW over a slot, leak MW/°C, most cooling, whether there is a room, USD per °C that
    is left above a warmth, that warmth, USD per °C above the ceiling.

    What is owed is convex and piecewise linear in warmth, and so is what it is worth that a slot cools: a
    segment of its own, among those of what it leaves.
    """
    slots, batch, sites, levels = value.shape[0] - 1, value.shape[1], value.shape[2], value.shape[3]
    slopes, lengths = np.empty((2, 3 * slots + 4)), np.empty((2, 3 * slots + 4))
    for b in range(batch):
        for j in range(sites):
            low, span, rate = site[0, b, j], site[1, b, j] - site[0, b, j], site[2, b, j]
            leak, chill, reference, penalty = site[3, b, j], site[4, b, j], site[7, b, j], site[8, b, j]
            if site[5, b, j] <= 0 or span <= 0 or rate <= 0:
                value[:, b, j] = 0.0
                continue
            step, free = span / (levels - 1), min(max(reference - low, 0.0), span)
            # segments from the least warmth on, and what that is worth
            slopes[0, 0], lengths[0, 0] = 0.0, free
            slopes[0, 1], lengths[0, 1] = -site[6, b, j], span - free
            count, first = 2, -site[6, b, j] * max(low - reference, 0.0)
            value[slots, b, j, 0] = first
            _sampled(slopes[0], lengths[0], count, step, value[slots, b, j])
            # long slots forget how warm they began
            keep = max(1 - rate * leak, 0.0)
            for t in range(slots - 1, -1, -1):
                # per degree; power that one is paid to take is free
                efficiency = rate * max(cop[t, b, j], 1e-6)
                paid, most = hours * max(price[t, b, j], 0.0) / efficiency, efficiency * chill
                # where the coldest and the warmest room come to without cooling, above the least warmth
                start = (keep - 1) * low + rate * (it[t, b, j] + leak * outside[t, b, j])
                old, new = (slots - t - 1) % 2, (slots - t) % 2
                left, room, now = max(ceiling[t, b, j] - low, 0.0), span, 0
                skipped, n, cools = max(start, 0.0), 0, True
                if keep <= 0:
                    room = 0.0
                elif start < 0:
                    length = min(-start / keep, room)
                    slopes[new, now], lengths[new, now] = 0.0, length
                    room -= length
                    now += 1
                while skipped > 0 or room > 1e-12 * span:
                    if n < count and left > 0 and (not cools or slopes[old, n] >= -paid):
                        slope, length = slopes[old, n], min(lengths[old, n], left)
                        left -= length
                        n += 1
                    elif cools:
                        slope, length, cools = -paid, most, False
                    else:
                        slope, length = -penalty, np.inf
                    cut = min(skipped, length)
                    first += slope * cut
                    skipped -= cut
                    length = length - cut
                    if length > 0 and room > 1e-12 * span:
                        length = min(length / keep, room)
                        slopes[new, now], lengths[new, now] = slope * keep, length
                        room -= length
                        now += 1
                if now == 0:
                    slopes[new, 0], lengths[new, 0] = 0.0, span
                    now = 1
                count = now
                value[t, b, j, 0] = first
                _sampled(slopes[new], lengths[new], count, step, value[t, b, j])
