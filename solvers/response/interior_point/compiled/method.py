"""The method's steps over all blocks of a few instances, and over a batch."""

from __future__ import annotations

from math import inf

from stepwatt.solvers.response.native import (
    Lanes,
    Numbers,
    add,
    compiled,
    epsilon,
    finite,
    get,
    least,
    most,
    put,
    root,
    side,
    sound,
    spread,
    take,
    where_more,
)

from .border import border, complete, refine
from .layout import Found, Iterate, Limits, Pattern, Sizes, Tables, Work, copy, counts, gather, scatter
from .normal import assemble, backward, factor, forward
from .products import priced, used

#: How near to its ends a box begins at most.
_EDGE = 1e-9


@compiled
def _begin(z: Sizes, p: Pattern, single: Numbers, a: Tables, now: Iterate, w: Work, start: float) -> None:
    """Every box half full, all multipliers dual feasible."""
    a_cost = a.cost
    a_opened = a.opened
    a_option_cost = a.option_cost
    now_box = now.box
    now_high = now.high
    now_low = now.low
    now_options = now.options
    now_rows = now.rows
    now_slack = now.slack
    now_spare = now.spare
    w_part = w.part
    n, k, o = z.sites, z.classes, z.options
    queues, width, many, rows, _, _, _, _, _ = counts(z)
    zero = spread(now_box, 0.0)
    half = spread(now_box, 0.5)
    edge = spread(now_box, start)
    each = spread(now_box, 0.5 / o)
    for m in range(z.blocks * rows):
        put(now_rows, m, zero)
    for t in range(z.blocks):
        for j in range(n):
            for c in range(k):
                q = j * k + c
                cheapest = get(a_option_cost, t * many + q * o)
                for m in range(1, o):
                    cheapest = least(cheapest, get(a_option_cost, t * many + q * o + m))
                row = t * rows + queues + c * n + j
                put(now_rows, row, get(a_opened, t * queues + q) * (cheapest - edge))
    for t in range(z.blocks):
        priced(z, p, single, a, t, now_rows, w_part)
        for m in range(width):
            reduced = get(a_cost, t * width + m) - get(w_part, m)
            put(now_box, t * width + m, half)
            put(now_spare, t * width + m, half)
            put(now_low, t * width + m, most(reduced, zero) + edge)
            put(now_high, t * width + m, most(zero - reduced, zero) + edge)
        for m in range(many):
            put(now_options, t * many + m, each)
            put(now_slack, t * many + m, get(a_option_cost, t * many + m) - get(w_part, width + m))


@compiled
def _resume(z: Sizes, p: Pattern, single: Numbers, a: Tables, now: Iterate, w: Work, middle: float) -> None:
    """From given multipliers of rows: everything where all products with its multipliers are ``middle``."""
    a_begun = a.begun
    a_cost = a.cost
    a_opened = a.opened
    a_option_cost = a.option_cost
    now_box = now.box
    now_high = now.high
    now_low = now.low
    now_options = now.options
    now_rows = now.rows
    now_slack = now.slack
    now_spare = now.spare
    w_part = w.part
    n, k, o = z.sites, z.classes, z.options
    queues, width, many, rows, _, _, _, _, _ = counts(z)
    zero, one, two = spread(now_box, 0.0), spread(now_box, 1.0), spread(now_box, 2.0)
    four, mu, edge = spread(now_box, 4.0), spread(now_box, middle), spread(now_box, _EDGE)
    for t in range(z.blocks):
        for m in range(t * rows, (t + 1) * rows):
            put(now_rows, m, get(a_begun, m))
    for t in range(z.blocks):
        priced(z, p, single, a, t, now_rows, w_part)
        # the row of a (site, class) takes what its cheapest option is below ``middle``
        for j in range(n):
            for c in range(k):
                q = j * k + c
                cheapest = zero
                for m in range(q * o, (q + 1) * o):
                    cheapest = least(cheapest, get(a_option_cost, t * many + m) - get(w_part, width + m) - mu)
                add(now_rows, t * rows + queues + c * n + j, get(a_opened, t * queues + q) * cheapest)
    for t in range(z.blocks):
        priced(z, p, single, a, t, now_rows, w_part)
        for m in range(width):
            at = t * width + m
            reduced = get(a_cost, at) - get(w_part, m)
            steep = most(reduced, zero - reduced) / mu
            small = most(two / (two + steep + root(steep * steep + four)), edge)
            large = one - small
            box, spare = where_more(reduced, zero, small, large), where_more(reduced, zero, large, small)
            low, high = mu / box, mu / spare
            apart = reduced - (low - high)
            put(now_box, at, box)
            put(now_spare, at, spare)
            put(now_low, at, low + most(apart, zero))
            put(now_high, at, high + most(zero - apart, zero))
        for m in range(many):
            slack = most(get(a_option_cost, t * many + m) - get(w_part, width + m), mu)
            put(now_slack, t * many + m, slack)
            put(now_options, t * many + m, mu / slack)


@compiled
def _distance(z: Sizes, p: Pattern, single: Numbers, a: Tables, now: Iterate, w: Work) -> tuple[Lanes, Lanes]:
    """What the rows miss, into ``w.missing``; the larger of that and of primal's distance from dual, and the
    products of shares and multipliers."""
    a_right = a.right
    now_box = now.box
    now_high = now.high
    now_low = now.low
    now_options = now.options
    now_slack = now.slack
    now_spare = now.spare
    w_missing = w.missing
    _, width, many, rows, _, _, _, _, _ = counts(z)
    zero = spread(now_box, 0.0)
    furthest, gap = zero, zero
    for t in range(z.blocks):
        used(z, p, single, a, t, now_box, now_options, t * many, w_missing)
        for m in range(t * rows, (t + 1) * rows):
            miss = get(a_right, m) - get(w_missing, m)
            put(w_missing, m, miss)
            furthest = most(furthest, most(miss, zero - miss))
        for m in range(t * width, (t + 1) * width):
            gap = gap + get(now_low, m) * get(now_box, m) + get(now_high, m) * get(now_spare, m)
        for m in range(t * many, (t + 1) * many):
            gap = gap + get(now_slack, m) * get(now_options, m)
    return most(furthest, gap), gap


@compiled
def _step(z: Sizes, p: Pattern, single: Numbers, pairs: Numbers, a: Tables, now: Iterate, w: Work,
          to: Iterate, gap: Lanes, alive: Lanes, ridge: float) -> None:  # fmt: skip
    """One predictor-corrector step; instances that are not alive stand still."""
    now_box = now.box
    now_high = now.high
    now_low = now.low
    now_options = now.options
    now_rows = now.rows
    now_slack = now.slack
    now_spare = now.spare
    to_box = to.box
    to_high = to.high
    to_low = to.low
    to_options = to.options
    to_slack = to.slack
    w_found = w.found
    w_missing = w.missing
    w_part = w.part
    w_per_slack = w.per_slack
    w_pull = w.pull
    w_right = w.right
    w_weight = w.weight
    _, width, many, rows, _, _, _, _, _ = counts(z)
    part = w_part
    zero, one = spread(now_box, 0.0), spread(now_box, 1.0)
    for t in range(z.blocks):
        for m in range(t * width, (t + 1) * width):
            low, high = get(now_low, m), get(now_high, m)
            box, spare = get(now_box, m), get(now_spare, m)
            # one over (low / box + high / spare)
            d = box * spare / (low * spare + high * box)
            put(w_weight, m, d)
            put(w_pull, m, d * (low - high))
        for m in range(t * many, (t + 1) * many):
            put(w_per_slack, m, one / get(now_slack, m))
        used(z, p, single, a, t, w_pull, now_options, t * many, w_right)
        for m in range(t * rows, (t + 1) * rows):
            add(w_right, m, get(w_missing, m))
        assemble(z, p, pairs, a, t, now, w, ridge)
        factor(z, p, t, w)
        forward(z, p, a, t, w)
    for t in range(z.blocks - 1, -1, -1):
        backward(z, p, a, t, w, w_found, t * rows)
    if z.capped:
        border(z, p, a, w)
        complete(z, a, w, w_found)
    # predictor: straight to the optimum
    smallest, largest, first, second = zero, zero, zero, zero
    for t in range(z.blocks):
        priced(z, p, single, a, t, w_found, part)
        for m in range(width):
            at = t * width + m
            step = get(w_weight, at) * get(part, m) - get(w_pull, at)
            put(to_box, at, step)
            by = step / get(now_box, at)
            low = get(now_low, at) * step
            first, second = first + low, second + low * by
            smallest, largest = least(smallest, by), most(largest, by)
            by = (zero - step) / get(now_spare, at)
            high = (zero - step) * get(now_high, at)
            first, second = first + high, second + high * by
            smallest, largest = least(smallest, by), most(largest, by)
        for m in range(many):
            at = t * many + m
            by = get(part, width + m) * get(w_per_slack, at) - one
            step = by * get(now_options, at) * get(now_slack, at)
            put(to_options, at, by * (one + by) - one)
            first, second = first + step, second + step * by
            smallest, largest = least(smallest, by), most(largest, by)
    primal = one / most(zero - smallest, one)
    dual = one / most(one + largest, one)
    ahead = gap + primal * first - dual * (gap + first) - primal * dual * (first + second)
    count = spread(now_box, (2 * width + many) * z.blocks)
    ahead = least(most(ahead / gap, zero), one)
    centre = ahead * ahead * ahead * gap / count
    # corrector: centred, with the predictor's second-order term
    for t in range(z.blocks):
        for m in range(t * width, (t + 1) * width):
            box, spare, step = get(now_box, m), get(now_spare, m), get(to_box, m)
            by = step / box
            want_low = centre / box + get(now_low, m) * (by * (one + by) - one)
            by = (zero - step) / spare
            want_high = centre / spare + get(now_high, m) * (by * (one + by) - one)
            put(to_low, m, want_low)
            put(to_high, m, want_high)
            put(w_pull, m, get(w_weight, m) * (want_high - want_low))
        for m in range(many):
            at = t * many + m
            put(part, m, zero - centre * get(w_per_slack, at) - get(now_options, at) * get(to_options, at))
        used(z, p, single, a, t, w_pull, part, 0, w_right)
        for m in range(t * rows, (t + 1) * rows):
            add(w_right, m, get(w_missing, m))
        forward(z, p, a, t, w)
    for t in range(z.blocks - 1, -1, -1):
        backward(z, p, a, t, w, w_found, t * rows)
    if z.capped:
        complete(z, a, w, w_found)
        refine(z, p, single, a, now, w, to, gap, 1 if epsilon(now_box) > 1e-9 else 3)
    smallest, lowest = zero, zero
    for t in range(z.blocks):
        priced(z, p, single, a, t, w_found, part)
        for m in range(width):
            at = t * width + m
            step = get(w_weight, at) * get(part, m) - get(w_pull, at)
            put(to_box, at, step)
            by = step / get(now_box, at)
            smallest = least(smallest, by)
            low = get(now_low, at)
            change = get(to_low, at) - low * by
            put(to_low, at, change)
            lowest = least(lowest, change / low)
            by = step / get(now_spare, at)
            smallest = least(smallest, zero - by)
            high = get(now_high, at)
            change = get(to_high, at) + high * by
            put(to_high, at, change)
            lowest = least(lowest, change / high)
        for m in range(many):
            at = t * many + m
            price, per_slack, amount = get(part, width + m), get(w_per_slack, at), get(now_options, at)
            dearer = price * per_slack
            step = amount * (dearer + get(to_options, at)) + centre * per_slack
            smallest = least(smallest, step / amount)
            put(to_options, at, step)
            put(to_slack, at, zero - price)
            lowest = least(lowest, zero - dearer)
    nearly = one - least(most(gap / count, spread(now_box, 1e-6)), spread(now_box, 0.005))
    primal = where_more(alive, zero, nearly / most(zero - smallest, one), zero)
    dual = where_more(alive, zero, nearly / most(zero - lowest, one), zero)
    for m in range(z.blocks * width):
        step = primal * get(to_box, m)
        add(now_box, m, step)
        take(now_spare, m, step)
        add(now_low, m, dual * get(to_low, m))
        add(now_high, m, dual * get(to_high, m))
    for m in range(z.blocks * many):
        add(now_options, m, primal * get(to_options, m))
        add(now_slack, m, dual * get(to_slack, m))
    for m in range(z.blocks * rows):
        add(now_rows, m, dual * get(w_found, m))


@compiled
def _judge(z: Sizes, p: Pattern, single: Numbers, a: Tables, now: Iterate, w: Work) -> None:
    """Cost of each block, and the least that its multipliers allow (:func:`.interior.proven_bound`)."""
    a_cost = a.cost
    a_opened = a.opened
    a_option_cost = a.option_cost
    a_right = a.right
    now_box = now.box
    now_options = now.options
    now_rows = now.rows
    w_cost = w.cost
    w_least = w.least
    w_part = w.part
    n, k, o = z.sites, z.classes, z.options
    queues, width, many, rows, _, _, _, _, _ = counts(z)
    zero = spread(now_box, 0.0)
    size = spread(now_box, 16 * (width + many) * epsilon(now_box))
    for t in range(z.blocks):
        priced(z, p, single, a, t, now_rows, w_part)
        cost, lowest, total = zero, zero, zero
        for m in range(rows):
            y = sound(get(now_rows, t * rows + m))
            lowest = lowest + get(a_right, t * rows + m) * y
            total = total + most(y, zero - y)
        for m in range(width):
            price = get(a_cost, t * width + m)
            cost = cost + price * get(now_box, t * width + m)
            lowest = lowest + least(price - get(w_part, m), zero)
        for j in range(n):
            for c in range(k):
                q = j * k + c
                spent, best = zero, zero
                for m in range(q * o, (q + 1) * o):
                    price = get(a_option_cost, t * many + m)
                    spent = spent + price * get(now_options, t * many + m)
                    best = least(best, price - get(w_part, width + m))
                opened = get(a_opened, t * queues + q)
                cost, lowest = cost + opened * spent, lowest + opened * best
        put(w_cost, t, cost)
        put(w_least, t, lowest - size * total)


@compiled
def _settle(w: Work, now: Iterate, kept: Iterate, tolerance: float, good: float) -> tuple[bool, bool]:
    """Which instances are done: near enough, or near and no longer coming nearer; whether any is not, and
    whether any is near."""
    alive, distance, before = w.alive, w.distance, w.before
    going = close = False
    for lane in range(side(alive)):
        if alive[lane] > 0:
            apart = distance[lane] if finite(distance[lane]) else inf
            stuck = before[lane] < good and apart > before[lane] / 2
            if stuck and apart > before[lane]:
                copy(kept, now, lane, side(alive))
            if apart < tolerance or stuck:
                alive[lane] = 0.0
            before[lane] = apart
            going = going or alive[lane] > 0
            close = close or apart < good
    return going, close


@compiled
def _collect(whole: Tables, a: Tables, blocks: int, batch: int, first: int) -> None:
    """The coefficients of a few instances."""
    gather(whole.cost, a.cost, blocks, batch, first)
    gather(whole.option_cost, a.option_cost, blocks, batch, first)
    gather(whole.opened, a.opened, blocks, batch, first)
    gather(whole.job_seconds, a.job_seconds, blocks, batch, first)
    gather(whole.job_power, a.job_power, blocks, batch, first)
    gather(whole.idle_power, a.idle_power, blocks, batch, first)
    gather(whole.power_entry, a.power_entry, blocks, batch, first)
    gather(whole.supply, a.supply, blocks, batch, first)
    gather(whole.balance, a.balance, blocks, batch, first)
    gather(whole.held, a.held, blocks, batch, first)
    gather(whole.lost, a.lost, blocks, batch, first)
    gather(whole.site, a.site, blocks, batch, first)
    gather(whole.right, a.right, blocks, batch, first)
    gather(whole.empty, a.empty, blocks, batch, first)
    gather(whole.tied_held, a.tied_held, blocks, batch, first)
    gather(whole.tied_site, a.tied_site, blocks, batch, first)
    gather(whole.rise, a.rise, blocks, batch, first)
    gather(whole.begun, a.begun, blocks, batch, first)


@compiled
def _report(z: Sizes, now: Iterate, w: Work, found: Found, batch: int, first: int) -> None:
    """What a few instances have come to."""
    alive, missing, cost, least_cost = w.alive, w.missing, w.cost, w.least
    found_cost, found_least, residual = found.cost, found.least, found.residual
    lanes = side(alive)
    for lane in range(min(lanes, batch - first)):
        furthest = 0.0
        for m in range(lane, len(missing), lanes):
            furthest = max(furthest, abs(missing[m]))
        residual[first + lane] = furthest
        for t in range(z.blocks):
            found_cost[t * batch + first + lane] = cost[t * lanes + lane]
            found_least[t * batch + first + lane] = least_cost[t * lanes + lane]
    scatter(now.box, found.box, z.blocks, batch, first)
    scatter(now.options, found.options, z.blocks, batch, first)
    scatter(now.rows, found.rows, z.blocks, batch, first)


@compiled
def follow(z: Sizes, p: Pattern, single: Numbers, pairs: Numbers, whole: Tables, a: Tables, now: Iterate,
           change: Iterate, kept: Iterate, w: Work, found: Found, limits: Limits) -> None:  # fmt: skip
    """Steps until the tolerance is met, a few instances after the other.

    ``single``, ``pairs``: tables of options (:class:`..features.Features`).
    """
    alive, before, batch = w.alive, w.before, len(found.residual)
    for first in range(0, batch, side(alive)):
        _collect(whole, a, z.blocks, batch, first)
        if limits.middle > 0:
            _resume(z, p, single, a, now, w, limits.middle)
        else:
            _begin(z, p, single, a, now, w, limits.start)
        for lane in range(side(alive)):
            before[lane], alive[lane] = inf, 1.0
        for _ in range(limits.steps):
            furthest, gap = _distance(z, p, single, a, now, w)
            put(w.distance, 0, furthest)
            going, close = _settle(w, now, kept, limits.tolerance, limits.good)
            if not going:
                break
            if close:
                copy(now, kept, 0, 1)
            _step(z, p, single, pairs, a, now, w, change, gap, get(alive, 0), limits.ridge)
        _distance(z, p, single, a, now, w)
        _judge(z, p, single, a, now, w)
        _report(z, now, w, found, batch, first)
