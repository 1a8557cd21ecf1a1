"""The method's steps over all blocks of a few instances, and over a batch."""

from __future__ import annotations

from math import inf

from stepwatt.solvers.response.native import (
    Lanes,
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
from .factor import backward, factor, forward
from .layout import (
    Found,
    Iterate,
    Limits,
    Pattern,
    Sizes,
    Tables,
    Work,
    copy,
    counts,
    gather,
    scatter,
    stride,
)
from .normal import assemble
from .products import priced, used

#: How near to its ends a box begins at most.
_EDGE = 1e-9


@compiled
def _begin(z: Sizes, p: Pattern, a: Tables, now: Iterate, w: Work, start: float, general: bool) -> None:
    """Every box half full, all multipliers dual feasible."""
    n, k, o = z.sites, z.classes, z.options
    queues, width, many, rows, _, _, _, _, _ = counts(z)
    zero = spread(now.box, 0.0)
    half = spread(now.box, 0.5)
    edge = spread(now.box, start)
    each = spread(now.box, 0.5 / o)
    for m in range(z.blocks * rows):
        put(now.rows, m, zero)
    for t in range(z.blocks):
        for j in range(n):
            for c in range(k):
                q = j * k + c
                cheapest = get(a.option_cost, t * many + q * o)
                for m in range(1, o):
                    cheapest = least(cheapest, get(a.option_cost, t * many + q * o + m))
                row = t * rows + queues + c * n + j
                put(now.rows, row, get(a.opened, t * queues + q) * (cheapest - edge))
    for t in range(z.blocks):
        priced(z, p, a, t, now.rows, w.part, general)
        for m in range(width):
            reduced = get(a.cost, t * width + m) - get(w.part, m)
            put(now.box, t * width + m, half)
            put(now.spare, t * width + m, half)
            put(now.low, t * width + m, most(reduced, zero) + edge)
            put(now.high, t * width + m, most(zero - reduced, zero) + edge)
        for m in range(many):
            put(now.options, t * many + m, each)
            put(now.slack, t * many + m, get(a.option_cost, t * many + m) - get(w.part, width + m))


@compiled
def _resume(z: Sizes, p: Pattern, a: Tables, now: Iterate, w: Work, middle: float, general: bool) -> None:
    """From given multipliers of rows: everything where all products with its multipliers are ``middle``."""
    n, k, o = z.sites, z.classes, z.options
    queues, width, many, rows, _, _, _, _, _ = counts(z)
    zero, one, two = spread(now.box, 0.0), spread(now.box, 1.0), spread(now.box, 2.0)
    four, mu, edge = spread(now.box, 4.0), spread(now.box, middle), spread(now.box, _EDGE)
    for t in range(z.blocks):
        for m in range(t * rows, (t + 1) * rows):
            put(now.rows, m, get(a.begun, m))
    for t in range(z.blocks):
        priced(z, p, a, t, now.rows, w.part, general)
        # the row of a (site, class) takes what its cheapest option is below ``middle``
        for j in range(n):
            for c in range(k):
                q = j * k + c
                cheapest = zero
                for m in range(q * o, (q + 1) * o):
                    cheapest = least(cheapest, get(a.option_cost, t * many + m) - get(w.part, width + m) - mu)
                add(now.rows, t * rows + queues + c * n + j, get(a.opened, t * queues + q) * cheapest)
    for t in range(z.blocks):
        priced(z, p, a, t, now.rows, w.part, general)
        for m in range(width):
            at = t * width + m
            reduced = get(a.cost, at) - get(w.part, m)
            steep = most(reduced, zero - reduced) / mu
            small = most(two / (two + steep + root(steep * steep + four)), edge)
            large = one - small
            box, spare = where_more(reduced, zero, small, large), where_more(reduced, zero, large, small)
            low, high = mu / box, mu / spare
            apart = reduced - (low - high)
            put(now.box, at, box)
            put(now.spare, at, spare)
            put(now.low, at, low + most(apart, zero))
            put(now.high, at, high + most(zero - apart, zero))
        for m in range(many):
            slack = most(get(a.option_cost, t * many + m) - get(w.part, width + m), mu)
            put(now.slack, t * many + m, slack)
            put(now.options, t * many + m, mu / slack)


@compiled
def _distance(z: Sizes, p: Pattern, a: Tables, now: Iterate, w: Work, general: bool) -> tuple[Lanes, Lanes]:
    """What the rows miss, into ``w.missing``; the larger of that and of primal's distance from dual, and the
    products of shares and multipliers."""
    _, width, many, rows, _, _, _, _, _ = counts(z)
    zero = spread(now.box, 0.0)
    furthest, gap = zero, zero
    for t in range(z.blocks):
        used(z, p, a, t, now.box, now.options, t * many, w.missing, general)
        for m in range(t * rows, (t + 1) * rows):
            miss = get(a.right, m) - get(w.missing, m)
            put(w.missing, m, miss)
            furthest = most(furthest, most(miss, zero - miss))
        for m in range(t * width, (t + 1) * width):
            gap = gap + get(now.low, m) * get(now.box, m) + get(now.high, m) * get(now.spare, m)
        for m in range(t * many, (t + 1) * many):
            gap = gap + get(now.slack, m) * get(now.options, m)
    return most(furthest, gap), gap


@compiled
def _step(z: Sizes, p: Pattern, a: Tables, now: Iterate, w: Work,
          to: Iterate, gap: Lanes, alive: Lanes, ridge: float, general: bool) -> None:  # fmt: skip
    """One predictor-corrector step; instances that are not alive stand still."""
    _, width, many, rows, _, _, _, _, _ = counts(z)
    part = w.part
    zero, one = spread(now.box, 0.0), spread(now.box, 1.0)
    for t in range(z.blocks):
        for m in range(t * width, (t + 1) * width):
            low, high = get(now.low, m), get(now.high, m)
            box, spare = get(now.box, m), get(now.spare, m)
            # one over (low / box + high / spare)
            d = box * spare / (low * spare + high * box)
            put(w.weight, m, d)
            put(w.pull, m, d * (low - high))
        for m in range(t * many, (t + 1) * many):
            put(w.per_slack, m, one / get(now.slack, m))
        used(z, p, a, t, w.pull, now.options, t * many, w.right, general)
        for m in range(t * rows, (t + 1) * rows):
            add(w.right, m, get(w.missing, m))
        assemble(z, p, a, t, now, w, ridge, general)
        factor(z, p, t, w)
        forward(z, p, a, t, w, general)
    for t in range(z.blocks - 1, -1, -1):
        backward(z, p, a, t, w, w.found, t * rows, general)
    if z.capped:
        border(z, p, a, w)
        complete(z, a, w, w.found)
    # predictor: straight to the optimum
    smallest, largest, first, second = zero, zero, zero, zero
    for t in range(z.blocks):
        priced(z, p, a, t, w.found, part, general)
        for m in range(width):
            at = t * width + m
            step = get(w.weight, at) * get(part, m) - get(w.pull, at)
            put(to.box, at, step)
            by = step / get(now.box, at)
            low = get(now.low, at) * step
            first, second = first + low, second + low * by
            smallest, largest = least(smallest, by), most(largest, by)
            by = (zero - step) / get(now.spare, at)
            high = (zero - step) * get(now.high, at)
            first, second = first + high, second + high * by
            smallest, largest = least(smallest, by), most(largest, by)
        for m in range(many):
            at = t * many + m
            by = get(part, width + m) * get(w.per_slack, at) - one
            step = by * get(now.options, at) * get(now.slack, at)
            put(to.options, at, by * (one + by) - one)
            first, second = first + step, second + step * by
            smallest, largest = least(smallest, by), most(largest, by)
    primal = one / most(zero - smallest, one)
    dual = one / most(one + largest, one)
    ahead = gap + primal * first - dual * (gap + first) - primal * dual * (first + second)
    count = spread(now.box, (2 * width + many) * z.blocks)
    ahead = least(most(ahead / gap, zero), one)
    centre = ahead * ahead * ahead * gap / count
    # corrector: centred, with the predictor's second-order term
    for t in range(z.blocks):
        for m in range(t * width, (t + 1) * width):
            box, spare, step = get(now.box, m), get(now.spare, m), get(to.box, m)
            by = step / box
            want_low = centre / box + get(now.low, m) * (by * (one + by) - one)
            by = (zero - step) / spare
            want_high = centre / spare + get(now.high, m) * (by * (one + by) - one)
            put(to.low, m, want_low)
            put(to.high, m, want_high)
            put(w.pull, m, get(w.weight, m) * (want_high - want_low))
        for m in range(many):
            at = t * many + m
            put(part, m, zero - centre * get(w.per_slack, at) - get(now.options, at) * get(to.options, at))
        used(z, p, a, t, w.pull, part, 0, w.right, general)
        for m in range(t * rows, (t + 1) * rows):
            add(w.right, m, get(w.missing, m))
        forward(z, p, a, t, w, general)
    for t in range(z.blocks - 1, -1, -1):
        backward(z, p, a, t, w, w.found, t * rows, general)
    if z.capped:
        complete(z, a, w, w.found)
        refine(z, p, a, now, w, to, gap, 1 if epsilon(now.box) > 1e-9 else 3, general)
    smallest, lowest = zero, zero
    for t in range(z.blocks):
        priced(z, p, a, t, w.found, part, general)
        for m in range(width):
            at = t * width + m
            step = get(w.weight, at) * get(part, m) - get(w.pull, at)
            put(to.box, at, step)
            by = step / get(now.box, at)
            smallest = least(smallest, by)
            low = get(now.low, at)
            change = get(to.low, at) - low * by
            put(to.low, at, change)
            lowest = least(lowest, change / low)
            by = step / get(now.spare, at)
            smallest = least(smallest, zero - by)
            high = get(now.high, at)
            change = get(to.high, at) + high * by
            put(to.high, at, change)
            lowest = least(lowest, change / high)
        for m in range(many):
            at = t * many + m
            price, per_slack, amount = get(part, width + m), get(w.per_slack, at), get(now.options, at)
            dearer = price * per_slack
            step = amount * (dearer + get(to.options, at)) + centre * per_slack
            smallest = least(smallest, step / amount)
            put(to.options, at, step)
            put(to.slack, at, zero - price)
            lowest = least(lowest, zero - dearer)
    nearly = one - least(most(gap / count, spread(now.box, 1e-6)), spread(now.box, 0.005))
    primal = where_more(alive, zero, nearly / most(zero - smallest, one), zero)
    dual = where_more(alive, zero, nearly / most(zero - lowest, one), zero)
    for m in range(z.blocks * width):
        step = primal * get(to.box, m)
        add(now.box, m, step)
        take(now.spare, m, step)
        add(now.low, m, dual * get(to.low, m))
        add(now.high, m, dual * get(to.high, m))
    for m in range(z.blocks * many):
        add(now.options, m, primal * get(to.options, m))
        add(now.slack, m, dual * get(to.slack, m))
    for m in range(z.blocks * rows):
        add(now.rows, m, dual * get(w.found, m))


@compiled
def _judge(z: Sizes, p: Pattern, a: Tables, now: Iterate, w: Work, general: bool) -> None:
    """Cost of each block, and the least that its multipliers allow, whatever the accuracy: weak duality over
    boxes, and of the options of a (site, class) at most a unit runs in all, so only the best counts."""
    n, k, o = z.sites, z.classes, z.options
    queues, width, many, rows, _, _, _, _, _ = counts(z)
    zero = spread(now.box, 0.0)
    size = spread(now.box, 16 * (width + many) * epsilon(now.box))
    for t in range(z.blocks):
        priced(z, p, a, t, now.rows, w.part, general)
        cost, lowest, total = zero, zero, zero
        for m in range(rows):
            y = sound(get(now.rows, t * rows + m))
            lowest = lowest + get(a.right, t * rows + m) * y
            total = total + most(y, zero - y)
        for m in range(width):
            price = get(a.cost, t * width + m)
            cost = cost + price * get(now.box, t * width + m)
            lowest = lowest + least(price - get(w.part, m), zero)
        for j in range(n):
            for c in range(k):
                q = j * k + c
                spent, best = zero, zero
                for m in range(q * o, (q + 1) * o):
                    price = get(a.option_cost, t * many + m)
                    spent = spent + price * get(now.options, t * many + m)
                    best = least(best, price - get(w.part, width + m))
                opened = get(a.opened, t * queues + q)
                cost, lowest = cost + opened * spent, lowest + opened * best
        put(w.cost, t, cost)
        put(w.least, t, lowest - size * total)


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
def _follow(z: Sizes, p: Pattern, whole: Tables, a: Tables, now: Iterate, change: Iterate, kept: Iterate,
            w: Work, found: Found, limits: Limits, general: bool) -> None:  # fmt: skip
    alive, before, batch = w.alive, w.before, len(found.residual)
    for first in range(0, batch, side(alive)):
        _collect(whole, a, z.blocks, batch, first)
        if general:
            gather(whole.single, a.single, 1, batch, first)
            gather(whole.link, a.link, 1, batch, first)
            gather(whole.link_slack, a.link_slack, 1, batch, first)
        else:
            stride(whole.single, a.single, 0, 1)
        if limits.middle > 0:
            _resume(z, p, a, now, w, limits.middle, general)
        else:
            _begin(z, p, a, now, w, limits.start, general)
        for lane in range(side(alive)):
            before[lane], alive[lane] = inf, 1.0
        for _ in range(limits.steps):
            furthest, gap = _distance(z, p, a, now, w, general)
            put(w.distance, 0, furthest)
            going, close = _settle(w, now, kept, limits.tolerance, limits.good)
            if not going:
                break
            if close:
                copy(now, kept, 0, 1)
            _step(z, p, a, now, w, change, gap, get(alive, 0), limits.ridge, general)
        _distance(z, p, a, now, w, general)
        _judge(z, p, a, now, w, general)
        _report(z, now, w, found, batch, first)


@compiled
def follow(z: Sizes, p: Pattern, whole: Tables, a: Tables, now: Iterate, change: Iterate, kept: Iterate,
           w: Work, found: Found, limits: Limits) -> None:  # fmt: skip
    """Steps until the tolerance is met, a few instances after the other; all have the same options, and no
    link is limited."""
    _follow(z, p, whole, a, now, change, kept, w, found, limits, False)


@compiled
def follow_general(z: Sizes, p: Pattern, whole: Tables, a: Tables, now: Iterate, change: Iterate,
                   kept: Iterate, w: Work, found: Found, limits: Limits) -> None:  # fmt: skip
    """The same of instances that have options of their own, or limited links."""
    _follow(z, p, whole, a, now, change, kept, w, found, limits, True)
