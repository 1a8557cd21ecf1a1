"""Dynamic programs over what a battery holds and over a room's warmth, compiled: backward over slots, for
every instance and site."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepwatt.solvers.response.native import Native, Numbers, compiled

Floats = NDArray[np.float64]


class Shape(NamedTuple):
    """How many slots, instances, sites, and levels of what is held."""

    slots: int
    batch: int
    sites: int
    levels: int


class Segments(NamedTuple):
    """Slopes and lengths of what is left to earn, twice so many as there are at most, of what a slot brings,
    and of its import's price."""

    slopes: Numbers
    lengths: Numbers
    brought: Numbers
    taken: Numbers
    edges: Numbers
    rates: Numbers


@compiled
def _pieces(top: float, bottom: float, s: Segments, wear: float, share: float, filled: float,
            begun: int) -> int:  # fmt: skip
    """Append what content brings as imports fall from ``top`` to ``bottom`` MW: USD/MWh of content, and MWh.

    Imports above ``edges[n]`` cost ``rates[n]`` USD/MWh; a MW less takes ``filled`` MWh, and what it spares,
    less ``wear``, counts ``share`` of itself.
    """
    edges, rates, brought, taken = s.edges, s.rates, s.brought, s.taken
    count = begun
    for n in range(len(rates)):
        upper = top if n == 0 else min(top, edges[n - 1])
        length = upper - max(bottom, edges[n])
        if length > 0:
            brought[count], taken[count] = (rates[n] - wear) * share, length * filled
            count += 1
    return count


@compiled
def _sampled(
    s: Segments, begun: int, count: int, step: float, values: Numbers, first: int, levels: int
) -> None:
    """From ``values[first]`` on, a value every ``step`` along segments, which begin at ``begun``."""
    slopes, lengths = s.slopes, s.lengths
    n, left = begun, lengths[begun]
    for g in range(first + 1, first + levels):
        total, further = values[g - 1], step
        while further > left and n < begun + count - 1:
            total += slopes[n] * left
            further -= left
            n += 1
            left = lengths[n]
        values[g] = total + slopes[n] * further
        left -= further


@compiled
def _stored(z: Shape, s: Segments, need: Numbers, cost: Numbers, price: Numbers, site: Numbers, hours: float,
            value: Numbers) -> None:  # fmt: skip
    slopes, lengths, brought, taken, edges, rates = s.slopes, s.lengths, s.brought, s.taken, s.edges, s.rates
    all_sites, most = z.batch * z.sites, len(slopes) // 2
    for b in range(all_sites):
        low, high, power = site[b], site[all_sites + b], site[2 * all_sites + b]
        up, down, wear = site[3 * all_sites + b], site[4 * all_sites + b], site[5 * all_sites + b]
        charge, highest = site[6 * all_sites + b] / hours, site[7 * all_sites + b]
        missing, reference = site[8 * all_sites + b], site[9 * all_sites + b]
        most_in, most_out, unserved = (
            site[10 * all_sites + b],
            site[11 * all_sites + b],
            site[12 * all_sites + b],
        )
        due, span = min(max(reference - low, 0.0), high - low), max(high - low, 1e-12)
        step = span / (z.levels - 1)
        # segments from the least content on, and what that is worth
        slopes[0], lengths[0] = missing, due
        slopes[1], lengths[1] = 0.0, span - due
        count, first = 2, -missing * max(reference - low, 0.0)
        value[(z.slots * all_sites + b) * z.levels] = first
        _sampled(s, 0, count, step, value, (z.slots * all_sites + b) * z.levels, z.levels)
        for t in range(z.slots - 1, -1, -1):
            at = t * all_sites + b
            # where importing pays, it is not spared; where selling costs, it is curtailed
            net, dear = need[at], max(cost[at], 0.0)
            sold = min(max(price[at], 0.0), dear)
            # what the grid does not give is dear, what it does not take earns nothing
            charged = min(highest, most_in) if charge > 0 else most_in
            edges[0], edges[1], edges[2], edges[3], edges[4] = most_in, charged, 0.0, -most_out, -inf
            rates[0], rates[1], rates[2] = dear + charge + unserved, dear + charge, dear
            rates[3], rates[4] = sold, 0.0
            reach = power if high > low else 0.0
            top = net + reach
            first -= hours * (dear * max(top, 0.0) + sold * max(min(top, 0.0), -most_out))
            first -= hours * (charge * max(top - charged, 0.0) + unserved * max(top - most_in, 0.0))
            many = _pieces(top, net, s, 0.0, 1 / up, hours * up, 0)
            many = _pieces(net, net - reach, s, wear, down, hours / down, many)
            old, new = (z.slots - t - 1) % 2 * most, (z.slots - t) % 2 * most
            n = m = now = 0
            # what would be charged beyond the least content, and room for the largest
            beyond, room = reach * hours * up, span
            while room > 1e-12 * span and (n < count or m < many):
                if m == many or (n < count and slopes[old + n] >= brought[m]):
                    slope, length = slopes[old + n], lengths[old + n]
                    n += 1
                else:
                    slope, length = brought[m], taken[m]
                    m += 1
                cut = min(beyond, length)
                first += slope * cut
                beyond -= cut
                length = min(length - cut, room)
                if length > 0:
                    slopes[new + now], lengths[new + now] = slope, length
                    room -= length
                    now += 1
            count = now
            value[at * z.levels] = first
            _sampled(s, new, count, step, value, at * z.levels, z.levels)


@compiled
def _warmed(z: Shape, s: Segments, it: Numbers, price: Numbers, cop: Numbers, outside: Numbers,
            ceiling: Numbers, site: Numbers, hours: float, value: Numbers) -> None:  # fmt: skip
    slopes, lengths = s.slopes, s.lengths
    all_sites, most_segments = z.batch * z.sites, len(slopes) // 2
    for b in range(all_sites):
        low, span, rate = site[b], site[all_sites + b] - site[b], site[2 * all_sites + b]
        leak, chill, room_there = site[3 * all_sites + b], site[4 * all_sites + b], site[5 * all_sites + b]
        owed, reference, penalty = site[6 * all_sites + b], site[7 * all_sites + b], site[8 * all_sites + b]
        if room_there <= 0 or span <= 0 or rate <= 0:
            for t in range(z.slots + 1):
                for g in range(z.levels):
                    value[(t * all_sites + b) * z.levels + g] = 0.0
            continue
        step, free = span / (z.levels - 1), min(max(reference - low, 0.0), span)
        # segments from the least warmth on, and what that is worth
        slopes[0], lengths[0] = 0.0, free
        slopes[1], lengths[1] = -owed, span - free
        count, first = 2, -owed * max(low - reference, 0.0)
        value[(z.slots * all_sites + b) * z.levels] = first
        _sampled(s, 0, count, step, value, (z.slots * all_sites + b) * z.levels, z.levels)
        # long slots forget how warm they began
        keep = max(1 - rate * leak, 0.0)
        for t in range(z.slots - 1, -1, -1):
            at = t * all_sites + b
            # per degree; power that one is paid to take is free
            efficiency = rate * max(cop[at], 1e-6)
            paid, most = hours * max(price[at], 0.0) / efficiency, efficiency * chill
            # where the coldest and the warmest room come to without cooling, above the least warmth
            start = (keep - 1) * low + rate * (it[at] + leak * outside[at])
            old, new = (z.slots - t - 1) % 2 * most_segments, (z.slots - t) % 2 * most_segments
            left, room, now = max(ceiling[at] - low, 0.0), span, 0
            skipped, n, cools, ended = max(start, 0.0), 0, True, False
            if keep <= 0:
                room = 0.0
            elif start < 0:
                length = min(-start / keep, room)
                slopes[new + now], lengths[new + now] = 0.0, length
                room -= length
                now += 1
            # what has no end takes all that is left, be it a number or not
            while not ended and (skipped > 0 or room > 1e-12 * span):
                if n < count and left > 0 and (not cools or slopes[old + n] >= -paid):
                    slope, length = slopes[old + n], min(lengths[old + n], left)
                    left -= length
                    n += 1
                elif cools:
                    slope, length, cools = -paid, most, False
                else:
                    slope, length, ended = -penalty, inf, True
                cut = min(skipped, length)
                first += slope * cut
                skipped -= cut
                length = length - cut
                if length > 0 and room > 1e-12 * span:
                    length = min(length / keep, room)
                    slopes[new + now], lengths[new + now] = slope * keep, length
                    room -= length
                    now += 1
            if now == 0:
                slopes[new], lengths[new] = 0.0, span
                now = 1
            count = now
            value[at * z.levels] = first
            _sampled(s, new, count, step, value, at * z.levels, z.levels)


STORED, WARMED = Native(_stored, np.float64), Native(_warmed, np.float64)


def stored(need: Floats, cost: Floats, price: Floats, site: Floats, hours: float, value: Floats) -> None:
    """Fill ``value`` (T+1,N,J,G) with what is still earned from each slot on, by evenly spaced content.

    ``need`` (T,N,J) MW that are not generated, ``cost`` and ``price`` USD/MWh of importing and selling;
    ``site`` (13,N,J): least and largest content, power, efficiency of charging and of discharging, wear,
    demand charge, import that it spares, USD per MWh missing at the end below a content, that content, most
    import and export, USD per MWh of import beyond that.

    What a slot earns and what its leavings earn are concave and piecewise linear in content, so the best of
    both has the segments of both, steepest first: the values are exact.
    """
    z = Shape(len(value) - 1, *value.shape[1:])
    STORED(z, _segments(6 * z.slots + 2), need, cost, price, site, hours, value)


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
    z = Shape(len(value) - 1, *value.shape[1:])
    WARMED(z, _segments(3 * z.slots + 4), it, price, cop, outside, ceiling, site, hours, value)


def _segments(most: int) -> Segments:
    return Segments(*(np.empty(count) for count in (2 * most, 2 * most, 10, 10, 5, 5)))
