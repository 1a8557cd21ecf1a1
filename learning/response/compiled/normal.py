"""The normal matrix of a block, factored, and what ties blocks together: a recursion over them."""

from __future__ import annotations

from typing import Any

from .lanes import add, compiled, get, most, put, root, sound, spread, take, where_more
from .layout import Iterate, Pattern, Sizes, Tables, Work, counts

#: Pivots of the scaled normal matrix below this are rounding: their rows stand still.
_PIVOT = 1e-14


@compiled
def _place(z: Sizes, kind: int, j: int) -> int:
    """The row of the reordered matrix that is the site row of this kind."""
    if kind < z.inner:
        return (z.classes + kind) * z.sites + j
    return (z.classes + z.inner + z.waiting + kind - z.inner) * z.sites + j


@compiled
def assemble(
    z: Sizes, p: Pattern, pairs: Any, a: Tables, t: int, now: Iterate, w: Work, ridge: float
) -> None:
    """The scaled normal matrix of block t, inner rows first, below the diagonal; and ties from block t-1."""
    n, k, o = z.sites, z.classes, z.options
    queues, width, many, _, inner, tying, held, lost, site = counts(z)
    size = inner + tying
    x = t * width
    matrix, weight = w.matrix, w.weight
    zero = spread(matrix, matrix.dtype.type(0))
    for m in range(size * size):
        put(matrix, m, zero)
    for i in range(n):
        for c in range(k):
            q = i * k + c
            row = t * queues + q
            entry = get(a.lost, row)
            staying = entry * entry * get(weight, x + lost + q) + get(
                a.empty, t * (2 * queues + z.kinds * n) + q
            )
            for s in range(z.segments):
                entry = get(a.held, (t * z.segments + s) * queues + q)
                staying = staying + entry * entry * get(weight, x + held + s * queues + q)
            if t > 0:
                entry = get(a.tied_held, row - queues)
                staying = staying + entry * entry * get(weight, x - width + held + q)
            total = staying
            for j in range(n):
                entry = get(a.supply, row * n + j)
                total = total + entry * entry * get(weight, x + q * n + j)
            if p.place[c] < 0:
                put(w.supplied, row, total)
                share = spread(matrix, matrix.dtype.type(1)) / total
                for j in range(n):
                    left = staying
                    for m in range(n):
                        if m != j:
                            entry = get(a.supply, row * n + m)
                            left = left + entry * entry * get(weight, x + q * n + m)
                    entry, d = get(a.balance, row * n + j), get(weight, x + q * n + j)
                    m = (c * n + j) * size + c * n + j
                    add(matrix, m, entry * entry * d * left * share)
                    one = entry * get(a.supply, row * n + j) * d * share
                    for b in range(j):
                        other = get(a.balance, row * n + b) * get(a.supply, row * n + b)
                        m = (c * n + j) * size + c * n + b
                        take(matrix, m, one * other * get(weight, x + q * n + b))
            else:
                tie = inner + p.place[c] * n + i
                put(matrix, tie * size + tie, total)
                for j in range(n):
                    b = get(a.balance, row * n + j)
                    d = get(weight, x + q * n + j)
                    m = (c * n + j) * size + c * n + j
                    add(matrix, m, b * b * d)
                    put(matrix, tie * size + c * n + j, b * get(a.supply, row * n + j) * d)
    for j in range(n):
        aa, ab, bb = zero, zero, zero
        for c in range(k):
            q = j * k + c
            row = t * queues + q
            jj, js, je, ss, se, ee = zero, zero, zero, zero, zero, zero
            for m in range(o):
                d = get(now.options, t * many + q * o + m) / get(now.slack, t * many + q * o + m)
                jj = jj + spread(matrix, pairs[(q * 6) * o + m]) * d
                js = js + spread(matrix, pairs[(q * 6 + 1) * o + m]) * d
                je = je + spread(matrix, pairs[(q * 6 + 2) * o + m]) * d
                ss = ss + spread(matrix, pairs[(q * 6 + 3) * o + m]) * d
                se = se + spread(matrix, pairs[(q * 6 + 4) * o + m]) * d
                ee = ee + spread(matrix, pairs[(q * 6 + 5) * o + m]) * d
            b = c * n + j
            put(
                matrix,
                b * size + b,
                get(matrix, b * size + b)
                + get(a.opened, row) * jj
                + get(a.empty, t * (2 * queues + z.kinds * n) + queues + b),
            )
            s, e, i = get(a.job_seconds, row), get(a.job_power, row), get(a.idle_power, row)
            watts = e * je + i * js
            put(matrix, _place(z, 0, j) * size + b, s * js)
            put(matrix, _place(z, 1, j) * size + b, watts * get(a.power_entry, t * 2 * n + j))
            put(matrix, _place(z, 2, j) * size + b, watts * get(a.power_entry, (t * 2 + 1) * n + j))
            aa = aa + s * s * ss
            ab = ab + s * (e * se + i * ss)
            bb = bb + e * e * ee + i * (e * (se + se) + i * ss)
        power, heat = get(a.power_entry, t * 2 * n + j), get(a.power_entry, (t * 2 + 1) * n + j)
        g, h, r = _place(z, 0, j), _place(z, 1, j), _place(z, 2, j)
        put(matrix, g * size + g, aa)
        put(matrix, h * size + g, power * ab)
        put(matrix, r * size + g, heat * ab)
        put(matrix, h * size + h, power * power * bb)
        put(matrix, r * size + h, heat * power * bb)
        put(matrix, r * size + r, heat * heat * bb)
        for m in range(z.kinds):
            r = _place(z, m, j)
            nothing = get(a.empty, t * (2 * queues + z.kinds * n) + 2 * queues + m * n + j)
            add(matrix, r * size + r, nothing)
        for m in range(len(p.pairs)):
            e, f = p.pairs[m, 0], p.pairs[m, 1]
            d = get(weight, x + site + p.column[e] * n + j)
            one, other = get(a.site, (t * len(p.row) + e) * n + j), get(a.site, (t * len(p.row) + f) * n + j)
            r = _place(z, p.row[e], j) * size + _place(z, p.row[f], j)
            add(matrix, r, one * other * d)
        if t > 0:
            for e in range(len(p.tie_row)):
                r = _place(z, p.tie_row[e], j)
                entry = get(a.tied_site, ((t - 1) * len(p.tie_row) + e) * n + j)
                d = get(weight, x - width + site + p.tie_column[e] * n + j)
                add(matrix, r * size + r, entry * entry * d)
    one = spread(matrix, matrix.dtype.type(1))
    for r in range(size):
        put(w.scale, t * size + r, one / root(get(matrix, r * size + r)))
    for r in range(size):
        mine = get(w.scale, t * size + r)
        for m in range(r):
            put(matrix, r * size + m, get(matrix, r * size + m) * mine * get(w.scale, t * size + m))
        put(matrix, r * size + r, spread(matrix, matrix.dtype.type(1 + ridge)))
    if t > 0:
        waiting, links = z.waiting * n, len(p.between)
        first = (t - 1) * (waiting + links * n)
        here, there = (t - 1) * size + inner, t * size + inner
        for c in range(k):
            if p.place[c] >= 0:
                for i in range(n):
                    q, m = i * k + c, p.place[c] * n + i
                    entry = get(a.held, (t - 1) * z.segments * queues + q) * get(
                        a.tied_held, (t - 1) * queues + q
                    )
                    entry = entry * get(weight, x - width + held + q)
                    put(w.between, first + m, entry * get(w.scale, here + m) * get(w.scale, there + m))
        for m in range(links * n):
            put(w.between, first + waiting + m, zero)
        for u in range(len(p.meets)):
            e, f, b = p.meets[u, 0], p.meets[u, 1], p.meets[u, 2]
            for j in range(n):
                entry = get(a.site, ((t - 1) * len(p.row) + e) * n + j)
                entry = entry * get(a.tied_site, ((t - 1) * len(p.tie_row) + f) * n + j)
                entry = entry * get(weight, x - width + site + p.column[e] * n + j)
                m = first + waiting + b * n + j
                add(w.between, m, entry)
        for b in range(links):
            for j in range(n):
                m = first + waiting + b * n + j
                one = get(w.scale, (t - 1) * size + _place(z, p.between[b, 0], j))
                put(
                    w.between,
                    m,
                    get(w.between, m) * one * get(w.scale, t * size + _place(z, p.between[b, 1], j)),
                )


@compiled
def _pivot(pivot: Any, matrix: Any) -> Any:
    """One over the root of a pivot, 0 where it is rounding."""
    zero = spread(matrix, matrix.dtype.type(0))
    smallest = spread(matrix, matrix.dtype.type(_PIVOT))
    one = spread(matrix, matrix.dtype.type(1))
    return where_more(pivot, smallest, one / root(most(pivot, smallest)), zero)


@compiled
def _link(z: Sizes, p: Pattern, u: int) -> Any:
    """Rows here and in the next block, among those that tie, of the entry number ``u`` between them."""
    n = z.sites
    if u < z.waiting * n:
        return u, u
    b, j = divmod(u - z.waiting * n, n)
    first = z.waiting - z.inner
    return (first + p.between[b, 0]) * n + j, (first + p.between[b, 1]) * n + j


@compiled
def factor(z: Sizes, p: Pattern, t: int, w: Work) -> None:
    """Factor the inner rows of block t's matrix and invert what remains of those that tie."""
    n = z.sites
    _, _, _, _, inner, tying, _, _, _ = counts(z)
    size, matrix = inner + tying, w.matrix
    f = t * size * inner
    for j in range(inner):
        total = get(matrix, j * size + j)
        for m in range(j):
            one = get(w.factor, f + j * inner + m)
            total = total - one * one
        pivot = _pivot(total, matrix)
        put(w.factor, f + j * inner + j, pivot)
        for i in range(j + 1, size):
            total = get(matrix, i * size + j)
            for m in range(j):
                total = total - get(w.factor, f + i * inner + m) * get(w.factor, f + j * inner + m)
            put(w.factor, f + i * inner + j, total * pivot)
    if tying == 0:
        return
    # what is left of the rows that tie, in place
    for i in range(tying):
        for j in range(i + 1):
            total = get(matrix, (inner + i) * size + inner + j)
            for m in range(inner):
                total = total - get(w.factor, f + (inner + i) * inner + m) * get(
                    w.factor, f + (inner + j) * inner + m
                )
            put(matrix, (inner + i) * size + inner + j, total)
    if t > 0:
        links = (z.waiting + len(p.between)) * n
        before, first = (t - 1) * tying * tying, (t - 1) * links
        for u in range(links):
            here, there = _link(z, p, u)
            one = get(w.between, first + u)
            for v in range(links):
                across, beside = _link(z, p, v)
                if beside <= there:
                    m = (inner + there) * size + inner + beside
                    product = one * get(w.between, first + v) * get(w.inverse, before + here * tying + across)
                    take(matrix, m, product)
    for j in range(tying):
        row = (inner + j) * size + inner
        total = get(matrix, row + j)
        for m in range(j):
            one = get(matrix, row + m)
            total = total - one * one
        pivot = _pivot(total, matrix)
        put(matrix, row + j, pivot)
        for i in range(j + 1, tying):
            below = (inner + i) * size + inner
            total = get(matrix, below + j)
            for m in range(j):
                total = total - get(matrix, below + m) * get(matrix, row + m)
            put(matrix, below + j, total * pivot)
    # invert the triangle in place, row by row
    zero = spread(matrix, matrix.dtype.type(0))
    for i in range(tying):
        row = (inner + i) * size + inner
        pivot = get(matrix, row + i)
        for j in range(i):
            total = zero
            for m in range(j, i):
                total = total + get(matrix, row + m) * get(matrix, (inner + m) * size + inner + j)
            # entries left of j are no longer needed by later columns of this row
            put(w.vector, j, zero - total * pivot)
        for j in range(i):
            put(matrix, row + j, get(w.vector, j))
    here = t * tying * tying
    for i in range(tying):
        for j in range(i + 1):
            total = zero
            for m in range(i, tying):
                row = (inner + m) * size + inner
                total = total + get(matrix, row + i) * get(matrix, row + j)
            put(w.inverse, here + i * tying + j, total)
            put(w.inverse, here + j * tying + i, total)


@compiled
def forward(z: Sizes, p: Pattern, a: Tables, t: int, w: Work) -> None:
    """The first half of solving for ``w.right``: blocks in order."""
    n, k = z.sites, z.classes
    queues, width, _, rows, inner, tying, _, _, _ = counts(z)
    size, y, f = inner + tying, t * rows, t * (inner + tying) * inner
    v = w.vector
    for m in range(queues):
        put(v, m, get(w.right, y + queues + m))
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
            else:
                put(v, inner + p.place[c] * n + i, get(w.right, y + q))
    for m in range(z.kinds):
        for j in range(n):
            put(v, _place(z, m, j), get(w.right, y + 2 * queues + m * n + j))
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
        links = (z.waiting + len(p.between)) * n
        for u in range(links):
            here, there = _link(z, p, u)
            carried = get(w.between, (t - 1) * links + u) * get(w.carried, (t - 1) * tying + here)
            take(v, inner + there, carried)
    zero = spread(v, v.dtype.type(0))
    for m in range(tying):
        total = zero
        for b in range(tying):
            total = total + get(w.inverse, (t * tying + m) * tying + b) * get(v, inner + b)
        put(w.carried, t * tying + m, total)


@compiled
def backward(z: Sizes, p: Pattern, a: Tables, t: int, w: Work) -> None:
    """The second half: blocks in reverse, into ``w.found``."""
    n, k = z.sites, z.classes
    queues, width, _, rows, inner, tying, _, _, _ = counts(z)
    size, y, f = inner + tying, t * rows, t * (inner + tying) * inner
    v, zero = w.vector, spread(w.vector, w.vector.dtype.type(0))
    if tying:
        if t + 1 < z.blocks:
            links = (z.waiting + len(p.between)) * n
            for m in range(tying):
                put(v, m, zero)
            for u in range(links):
                here, there = _link(z, p, u)
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
        put(w.found, y + queues + m, get(v, m))
    for m in range(z.kinds):
        for j in range(n):
            put(w.found, y + 2 * queues + m * n + j, get(v, _place(z, m, j)))
    for i in range(n):
        for c in range(k):
            q = i * k + c
            row = t * queues + q
            if p.place[c] < 0:
                total = get(w.right, y + q)
                for j in range(n):
                    entry = get(a.balance, row * n + j) * get(a.supply, row * n + j)
                    total = total - entry * get(w.weight, t * width + q * n + j) * get(v, c * n + j)
                put(w.found, y + q, sound(total / get(w.supplied, row)))
            else:
                put(w.found, y + q, get(v, inner + p.place[c] * n + i))
