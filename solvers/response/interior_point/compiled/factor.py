"""The normal matrix factored and solved: within blocks, and a recursion over what ties them together."""

from __future__ import annotations

from stepwatt.solvers.response.native import (
    Lanes,
    Numbers,
    add,
    compiled,
    get,
    most,
    put,
    root,
    sound,
    spread,
    take,
    where_more,
)

from .layout import Pattern, Sizes, Tables, Work, counts, link_row, site_row

#: Pivots of the scaled normal matrix below this are rounding: their rows stand still.
_PIVOT = 1e-14


@compiled
def _pivot(pivot: Lanes, matrix: Numbers) -> Lanes:
    """One over the root of a pivot, 0 where it is rounding."""
    zero = spread(matrix, 0.0)
    smallest = spread(matrix, _PIVOT)
    one = spread(matrix, 1.0)
    return where_more(pivot, smallest, one / root(most(pivot, smallest)), zero)


@compiled
def factor(z: Sizes, p: Pattern, t: int, w: Work) -> None:
    """Factor the inner rows of block t's matrix and invert what remains of those that tie."""
    _, _, _, _, inner, tying, _, _, _ = counts(z)
    size = inner + tying
    f = t * size * inner
    for j in range(inner):
        total = get(w.matrix, j * size + j)
        for m in range(j):
            one = get(w.factor, f + j * inner + m)
            total = total - one * one
        pivot = _pivot(total, w.matrix)
        put(w.factor, f + j * inner + j, pivot)
        for i in range(j + 1, size):
            total = get(w.matrix, i * size + j)
            for m in range(j):
                total = total - get(w.factor, f + i * inner + m) * get(w.factor, f + j * inner + m)
            put(w.factor, f + i * inner + j, total * pivot)
    if tying == 0:
        return
    # what is left of the rows that tie, in place
    for i in range(tying):
        for j in range(i + 1):
            total = get(w.matrix, (inner + i) * size + inner + j)
            for m in range(inner):
                total = total - get(w.factor, f + (inner + i) * inner + m) * get(
                    w.factor, f + (inner + j) * inner + m
                )
            put(w.matrix, (inner + i) * size + inner + j, total)
    if t > 0:
        links = len(p.links) // 2
        before, first = (t - 1) * tying * tying, (t - 1) * links
        for u in range(links):
            here, there = p.links[2 * u], p.links[2 * u + 1]
            one = get(w.between, first + u)
            for v in range(links):
                across, beside = p.links[2 * v], p.links[2 * v + 1]
                if beside <= there:
                    m = (inner + there) * size + inner + beside
                    product = one * get(w.between, first + v) * get(w.inverse, before + here * tying + across)
                    take(w.matrix, m, product)
    for j in range(tying):
        row = (inner + j) * size + inner
        total = get(w.matrix, row + j)
        for m in range(j):
            one = get(w.matrix, row + m)
            total = total - one * one
        pivot = _pivot(total, w.matrix)
        put(w.matrix, row + j, pivot)
        for i in range(j + 1, tying):
            below = (inner + i) * size + inner
            total = get(w.matrix, below + j)
            for m in range(j):
                total = total - get(w.matrix, below + m) * get(w.matrix, row + m)
            put(w.matrix, below + j, total * pivot)
    # invert the triangle in place, row by row
    zero = spread(w.matrix, 0.0)
    for i in range(tying):
        row = (inner + i) * size + inner
        pivot = get(w.matrix, row + i)
        for j in range(i):
            total = zero
            for m in range(j, i):
                total = total + get(w.matrix, row + m) * get(w.matrix, (inner + m) * size + inner + j)
            # entries left of j are no longer needed by later columns of this row
            put(w.vector, j, zero - total * pivot)
        for j in range(i):
            put(w.matrix, row + j, get(w.vector, j))
    here = t * tying * tying
    for i in range(tying):
        for j in range(i + 1):
            total = zero
            for m in range(i, tying):
                row = (inner + m) * size + inner
                total = total + get(w.matrix, row + i) * get(w.matrix, row + j)
            put(w.inverse, here + i * tying + j, total)
            put(w.inverse, here + j * tying + i, total)


@compiled
def forward(z: Sizes, p: Pattern, a: Tables, t: int, w: Work, general: bool) -> None:
    """The first half of solving for ``w.right``: blocks in order."""
    n, k = z.sites, z.classes
    queues, width, _, rows, inner, tying, _, _, _ = counts(z)
    size, y, f = inner + tying, t * rows, t * (inner + tying) * inner
    v = w.vector
    for m in range(queues):
        put(v, m, get(w.right, y + queues + m))
    if general:
        for m in range(z.links):
            put(v, link_row(z, m), get(w.right, rows - z.links + m))
    for i in range(n):
        for c in range(k):
            q = i * k + c
            row = t * queues + q
            if p.place[c] < 0:
                share = get(w.right, y + q) / get(w.supplied, row)
                for j in range(n):
                    entry = get(a.balance, row * n + j) * get(a.supply, row * n + j)
                    entry = entry * get(w.weight, t * width + q * n + j)
                    take(v, c * n + j, entry * share)
                if general and z.links > 0:
                    for j in range(n):
                        entry = get(a.link, q * n + j) * get(a.supply, q * n + j)
                        take(v, link_row(z, i * n + j), entry * get(w.weight, q * n + j) * share)
            else:
                put(v, inner + p.place[c] * n + i, get(w.right, y + q))
    for m in range(z.kinds):
        for j in range(n):
            put(v, site_row(z, m, j), get(w.right, y + 2 * queues + m * n + j))
    for m in range(inner):
        total = get(v, m) * get(w.scale, t * size + m)
        for b in range(m):
            total = total - get(w.factor, f + m * inner + b) * get(v, b)
        total = total * get(w.factor, f + m * inner + m)
        put(v, m, total)
        put(w.half, t * inner + m, total)
    if tying == 0:
        return
    for m in range(inner, size):
        total = get(v, m) * get(w.scale, t * size + m)
        for b in range(inner):
            total = total - get(w.factor, f + m * inner + b) * get(v, b)
        put(v, m, total)
    if t > 0:
        links = len(p.links) // 2
        for u in range(links):
            here, there = p.links[2 * u], p.links[2 * u + 1]
            carried = get(w.between, (t - 1) * links + u) * get(w.carried, (t - 1) * tying + here)
            take(v, inner + there, carried)
    zero = spread(v, 0.0)
    for m in range(tying):
        total = zero
        for b in range(tying):
            total = total + get(w.inverse, (t * tying + m) * tying + b) * get(v, inner + b)
        put(w.carried, t * tying + m, total)


@compiled
def backward(z: Sizes, p: Pattern, a: Tables, t: int, w: Work, out: Numbers, y: int, general: bool) -> None:
    """The second half: blocks in reverse, into ``out`` from row y on."""
    n, k = z.sites, z.classes
    queues, width, _, rows, inner, tying, _, _, _ = counts(z)
    size, f = inner + tying, t * (inner + tying) * inner
    v, zero = w.vector, spread(w.vector, 0.0)
    if tying:
        if t + 1 < z.blocks:
            links = len(p.links) // 2
            for m in range(tying):
                put(v, m, zero)
            for u in range(links):
                here, there = p.links[2 * u], p.links[2 * u + 1]
                later = get(w.between, t * links + u) * get(w.carried, (t + 1) * tying + there)
                add(v, here, later)
            for m in range(tying):
                total = get(w.carried, t * tying + m)
                for b in range(tying):
                    total = total - get(w.inverse, (t * tying + m) * tying + b) * get(v, b)
                put(w.carried, t * tying + m, total)
        for m in range(tying):
            put(v, inner + m, get(w.carried, t * tying + m))
    for m in range(inner):
        total = get(w.half, t * inner + m)
        for b in range(inner, size):
            total = total - get(w.factor, f + b * inner + m) * get(v, b)
        put(v, m, total)
    for m in range(inner - 1, -1, -1):
        total = get(v, m)
        for b in range(m + 1, inner):
            total = total - get(w.factor, f + b * inner + m) * get(v, b)
        put(v, m, total * get(w.factor, f + m * inner + m))
    for m in range(size):
        put(v, m, sound(get(v, m) * get(w.scale, t * size + m)))
    for m in range(queues):
        put(out, y + queues + m, get(v, m))
    if general:
        for m in range(z.links):
            put(out, rows - z.links + m, get(v, link_row(z, m)))
    for m in range(z.kinds):
        for j in range(n):
            put(out, y + 2 * queues + m * n + j, get(v, site_row(z, m, j)))
    for i in range(n):
        for c in range(k):
            q = i * k + c
            row = t * queues + q
            if p.place[c] < 0:
                total = get(w.right, t * rows + q)
                for j in range(n):
                    entry = get(a.balance, row * n + j) * get(a.supply, row * n + j)
                    total = total - entry * get(w.weight, t * width + q * n + j) * get(v, c * n + j)
                if general and z.links > 0:
                    for j in range(n):
                        entry = get(a.link, q * n + j) * get(a.supply, q * n + j)
                        total = total - entry * get(w.weight, q * n + j) * get(v, link_row(z, i * n + j))
                put(out, y + q, sound(total / get(w.supplied, row)))
            else:
                put(out, y + q, get(v, inner + p.place[c] * n + i))
