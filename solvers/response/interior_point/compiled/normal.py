"""The normal matrix of a block, factored, and what ties blocks together: a recursion over them."""

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

from .layout import Iterate, Pattern, Sizes, Tables, Work, counts

#: Pivots of the scaled normal matrix below this are rounding: their rows stand still.
_PIVOT = 1e-14


@compiled
def _place(z: Sizes, kind: int, j: int) -> int:
    """The row of the reordered matrix that is the site row of this kind."""
    if kind < z.inner:
        return (z.classes + kind) * z.sites + j
    if kind >= z.kinds - z.capped:
        return (z.classes + z.inner) * z.sites + j
    return (z.classes + z.capped + z.waiting + kind) * z.sites + j


@compiled
def assemble(
    z: Sizes, p: Pattern, pairs: Numbers, a: Tables, t: int, now: Iterate, w: Work, ridge: float
) -> None:
    """The scaled normal matrix of block t, inner rows first, below the diagonal; and ties from block t-1."""
    a_balance = a.balance
    a_empty = a.empty
    a_held = a.held
    a_idle_power = a.idle_power
    a_job_power = a.job_power
    a_job_seconds = a.job_seconds
    a_lost = a.lost
    a_opened = a.opened
    a_power_entry = a.power_entry
    a_site = a.site
    a_supply = a.supply
    a_tied_held = a.tied_held
    a_tied_site = a.tied_site
    now_options = now.options
    p_between = p.between
    p_column = p.column
    p_meets = p.meets
    p_pairs = p.pairs
    p_place = p.place
    p_row = p.row
    p_tie_column = p.tie_column
    p_tie_row = p.tie_row
    w_between = w.between
    w_matrix = w.matrix
    w_per_slack = w.per_slack
    w_scale = w.scale
    w_supplied = w.supplied
    w_weight = w.weight
    n, k, o = z.sites, z.classes, z.options
    queues, width, many, _, inner, tying, held, lost, site = counts(z)
    size = inner + tying
    x = t * width
    zero = spread(w_matrix, 0.0)
    for m in range(size * size):
        put(w_matrix, m, zero)
    for i in range(n):
        for c in range(k):
            q = i * k + c
            row = t * queues + q
            entry = get(a_lost, row)
            staying = entry * entry * get(w_weight, x + lost + q) + get(
                a_empty, t * (2 * queues + z.kinds * n) + q
            )
            for s in range(z.segments):
                entry = get(a_held, (t * z.segments + s) * queues + q)
                staying = staying + entry * entry * get(w_weight, x + held + s * queues + q)
            if t > 0:
                entry = get(a_tied_held, row - queues)
                staying = staying + entry * entry * get(w_weight, x - width + held + q)
            total = staying
            for j in range(n):
                entry = get(a_supply, row * n + j)
                total = total + entry * entry * get(w_weight, x + q * n + j)
            if p_place[c] < 0:
                put(w_supplied, row, total)
                share = spread(w_matrix, 1.0) / total
                for j in range(n):
                    left = staying
                    for m in range(n):
                        if m != j:
                            entry = get(a_supply, row * n + m)
                            left = left + entry * entry * get(w_weight, x + q * n + m)
                    entry, d = get(a_balance, row * n + j), get(w_weight, x + q * n + j)
                    m = (c * n + j) * size + c * n + j
                    add(w_matrix, m, entry * entry * d * left * share)
                    one = entry * get(a_supply, row * n + j) * d * share
                    for b in range(j):
                        other = get(a_balance, row * n + b) * get(a_supply, row * n + b)
                        m = (c * n + j) * size + c * n + b
                        take(w_matrix, m, one * other * get(w_weight, x + q * n + b))
            else:
                tie = inner + p_place[c] * n + i
                put(w_matrix, tie * size + tie, total)
                for j in range(n):
                    entry = get(a_balance, row * n + j)
                    d = get(w_weight, x + q * n + j)
                    m = (c * n + j) * size + c * n + j
                    add(w_matrix, m, entry * entry * d)
                    put(w_matrix, tie * size + c * n + j, entry * get(a_supply, row * n + j) * d)
    for j in range(n):
        aa, ab, bb = zero, zero, zero
        for c in range(k):
            q = j * k + c
            row = t * queues + q
            jj, js, je, ss, se, ee = zero, zero, zero, zero, zero, zero
            for m in range(o):
                d = get(now_options, t * many + q * o + m) * get(w_per_slack, t * many + q * o + m)
                jj = jj + spread(w_matrix, pairs[(q * 6) * o + m]) * d
                js = js + spread(w_matrix, pairs[(q * 6 + 1) * o + m]) * d
                je = je + spread(w_matrix, pairs[(q * 6 + 2) * o + m]) * d
                ss = ss + spread(w_matrix, pairs[(q * 6 + 3) * o + m]) * d
                se = se + spread(w_matrix, pairs[(q * 6 + 4) * o + m]) * d
                ee = ee + spread(w_matrix, pairs[(q * 6 + 5) * o + m]) * d
            b = c * n + j
            put(
                w_matrix,
                b * size + b,
                get(w_matrix, b * size + b)
                + get(a_opened, row) * jj
                + get(a_empty, t * (2 * queues + z.kinds * n) + queues + b),
            )
            second, energy, idle = get(a_job_seconds, row), get(a_job_power, row), get(a_idle_power, row)
            watts = energy * je + idle * js
            put(w_matrix, _place(z, 0, j) * size + b, second * js)
            put(w_matrix, _place(z, 1, j) * size + b, watts * get(a_power_entry, t * 2 * n + j))
            put(w_matrix, _place(z, 2, j) * size + b, watts * get(a_power_entry, (t * 2 + 1) * n + j))
            aa = aa + second * second * ss
            ab = ab + second * (energy * se + idle * ss)
            bb = bb + energy * energy * ee + idle * (energy * (se + se) + idle * ss)
        power, heat = get(a_power_entry, t * 2 * n + j), get(a_power_entry, (t * 2 + 1) * n + j)
        g, h, r = _place(z, 0, j), _place(z, 1, j), _place(z, 2, j)
        put(w_matrix, g * size + g, aa)
        put(w_matrix, h * size + g, power * ab)
        put(w_matrix, r * size + g, heat * ab)
        put(w_matrix, h * size + h, power * power * bb)
        put(w_matrix, r * size + h, heat * power * bb)
        put(w_matrix, r * size + r, heat * heat * bb)
        for m in range(z.kinds):
            r = _place(z, m, j)
            nothing = get(a_empty, t * (2 * queues + z.kinds * n) + 2 * queues + m * n + j)
            add(w_matrix, r * size + r, nothing)
        for m in range(len(p_pairs) // 2):
            e, f = p_pairs[2 * m], p_pairs[2 * m + 1]
            d = get(w_weight, x + site + p_column[e] * n + j)
            one, other = get(a_site, (t * len(p_row) + e) * n + j), get(a_site, (t * len(p_row) + f) * n + j)
            r = _place(z, p_row[e], j) * size + _place(z, p_row[f], j)
            add(w_matrix, r, one * other * d)
        if t > 0:
            for e in range(len(p_tie_row)):
                r = _place(z, p_tie_row[e], j)
                entry = get(a_tied_site, ((t - 1) * len(p_tie_row) + e) * n + j)
                d = get(w_weight, x - width + site + p_tie_column[e] * n + j)
                add(w_matrix, r * size + r, entry * entry * d)
    one = spread(w_matrix, 1.0)
    for r in range(size):
        put(w_scale, t * size + r, one / root(get(w_matrix, r * size + r)))
    for r in range(size):
        mine = get(w_scale, t * size + r)
        for m in range(r):
            put(w_matrix, r * size + m, get(w_matrix, r * size + m) * mine * get(w_scale, t * size + m))
        put(w_matrix, r * size + r, spread(w_matrix, 1 + ridge))
    if t > 0:
        waiting, links = z.waiting * n, len(p_between) // 2
        first = (t - 1) * (waiting + links * n)
        here, there = (t - 1) * size + inner, t * size + inner
        for c in range(k):
            if p_place[c] >= 0:
                for i in range(n):
                    q, m = i * k + c, p_place[c] * n + i
                    entry = get(a_held, (t - 1) * z.segments * queues + q) * get(
                        a_tied_held, (t - 1) * queues + q
                    )
                    entry = entry * get(w_weight, x - width + held + q)
                    put(w_between, first + m, entry * get(w_scale, here + m) * get(w_scale, there + m))
        for m in range(links * n):
            put(w_between, first + waiting + m, zero)
        for u in range(len(p_meets) // 3):
            e, f, b = p_meets[3 * u], p_meets[3 * u + 1], p_meets[3 * u + 2]
            for j in range(n):
                entry = get(a_site, ((t - 1) * len(p_row) + e) * n + j)
                entry = entry * get(a_tied_site, ((t - 1) * len(p_tie_row) + f) * n + j)
                entry = entry * get(w_weight, x - width + site + p_column[e] * n + j)
                m = first + waiting + b * n + j
                add(w_between, m, entry)
        for b in range(links):
            for j in range(n):
                m = first + waiting + b * n + j
                one = get(w_scale, (t - 1) * size + _place(z, p_between[2 * b], j))
                put(
                    w_between,
                    m,
                    get(w_between, m) * one * get(w_scale, t * size + _place(z, p_between[2 * b + 1], j)),
                )


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
    p_links = p.links
    w_between = w.between
    w_factor = w.factor
    w_inverse = w.inverse
    w_matrix = w.matrix
    w_vector = w.vector
    _, _, _, _, inner, tying, _, _, _ = counts(z)
    size = inner + tying
    f = t * size * inner
    for j in range(inner):
        total = get(w_matrix, j * size + j)
        for m in range(j):
            one = get(w_factor, f + j * inner + m)
            total = total - one * one
        pivot = _pivot(total, w_matrix)
        put(w_factor, f + j * inner + j, pivot)
        for i in range(j + 1, size):
            total = get(w_matrix, i * size + j)
            for m in range(j):
                total = total - get(w_factor, f + i * inner + m) * get(w_factor, f + j * inner + m)
            put(w_factor, f + i * inner + j, total * pivot)
    if tying == 0:
        return
    # what is left of the rows that tie, in place
    for i in range(tying):
        for j in range(i + 1):
            total = get(w_matrix, (inner + i) * size + inner + j)
            for m in range(inner):
                total = total - get(w_factor, f + (inner + i) * inner + m) * get(
                    w_factor, f + (inner + j) * inner + m
                )
            put(w_matrix, (inner + i) * size + inner + j, total)
    if t > 0:
        links = len(p_links) // 2
        before, first = (t - 1) * tying * tying, (t - 1) * links
        for u in range(links):
            here, there = p_links[2 * u], p_links[2 * u + 1]
            one = get(w_between, first + u)
            for v in range(links):
                across, beside = p_links[2 * v], p_links[2 * v + 1]
                if beside <= there:
                    m = (inner + there) * size + inner + beside
                    product = one * get(w_between, first + v) * get(w_inverse, before + here * tying + across)
                    take(w_matrix, m, product)
    for j in range(tying):
        row = (inner + j) * size + inner
        total = get(w_matrix, row + j)
        for m in range(j):
            one = get(w_matrix, row + m)
            total = total - one * one
        pivot = _pivot(total, w_matrix)
        put(w_matrix, row + j, pivot)
        for i in range(j + 1, tying):
            below = (inner + i) * size + inner
            total = get(w_matrix, below + j)
            for m in range(j):
                total = total - get(w_matrix, below + m) * get(w_matrix, row + m)
            put(w_matrix, below + j, total * pivot)
    # invert the triangle in place, row by row
    zero = spread(w_matrix, 0.0)
    for i in range(tying):
        row = (inner + i) * size + inner
        pivot = get(w_matrix, row + i)
        for j in range(i):
            total = zero
            for m in range(j, i):
                total = total + get(w_matrix, row + m) * get(w_matrix, (inner + m) * size + inner + j)
            # entries left of j are no longer needed by later columns of this row
            put(w_vector, j, zero - total * pivot)
        for j in range(i):
            put(w_matrix, row + j, get(w_vector, j))
    here = t * tying * tying
    for i in range(tying):
        for j in range(i + 1):
            total = zero
            for m in range(i, tying):
                row = (inner + m) * size + inner
                total = total + get(w_matrix, row + i) * get(w_matrix, row + j)
            put(w_inverse, here + i * tying + j, total)
            put(w_inverse, here + j * tying + i, total)


@compiled
def forward(z: Sizes, p: Pattern, a: Tables, t: int, w: Work) -> None:
    """The first half of solving for ``w.right``: blocks in order."""
    a_balance = a.balance
    a_supply = a.supply
    p_links = p.links
    p_place = p.place
    w_between = w.between
    w_carried = w.carried
    w_factor = w.factor
    w_half = w.half
    w_inverse = w.inverse
    w_right = w.right
    w_scale = w.scale
    w_supplied = w.supplied
    w_vector = w.vector
    w_weight = w.weight
    n, k = z.sites, z.classes
    queues, width, _, rows, inner, tying, _, _, _ = counts(z)
    size, y, f = inner + tying, t * rows, t * (inner + tying) * inner
    v = w_vector
    for m in range(queues):
        put(v, m, get(w_right, y + queues + m))
    for i in range(n):
        for c in range(k):
            q = i * k + c
            row = t * queues + q
            if p_place[c] < 0:
                share = get(w_right, y + q) / get(w_supplied, row)
                for j in range(n):
                    entry = get(a_balance, row * n + j) * get(a_supply, row * n + j)
                    entry = entry * get(w_weight, t * width + q * n + j)
                    take(v, c * n + j, entry * share)
            else:
                put(v, inner + p_place[c] * n + i, get(w_right, y + q))
    for m in range(z.kinds):
        for j in range(n):
            put(v, _place(z, m, j), get(w_right, y + 2 * queues + m * n + j))
    for m in range(inner):
        total = get(v, m) * get(w_scale, t * size + m)
        for b in range(m):
            total = total - get(w_factor, f + m * inner + b) * get(v, b)
        total = total * get(w_factor, f + m * inner + m)
        put(v, m, total)
        put(w_half, t * inner + m, total)
    if tying == 0:
        return
    for m in range(inner, size):
        total = get(v, m) * get(w_scale, t * size + m)
        for b in range(inner):
            total = total - get(w_factor, f + m * inner + b) * get(v, b)
        put(v, m, total)
    if t > 0:
        links = len(p_links) // 2
        for u in range(links):
            here, there = p_links[2 * u], p_links[2 * u + 1]
            carried = get(w_between, (t - 1) * links + u) * get(w_carried, (t - 1) * tying + here)
            take(v, inner + there, carried)
    zero = spread(v, 0.0)
    for m in range(tying):
        total = zero
        for b in range(tying):
            total = total + get(w_inverse, (t * tying + m) * tying + b) * get(v, inner + b)
        put(w_carried, t * tying + m, total)


@compiled
def backward(z: Sizes, p: Pattern, a: Tables, t: int, w: Work, out: Numbers, y: int) -> None:
    """The second half: blocks in reverse, into ``out`` from row y on."""
    a_balance = a.balance
    a_supply = a.supply
    p_links = p.links
    p_place = p.place
    w_between = w.between
    w_carried = w.carried
    w_factor = w.factor
    w_half = w.half
    w_inverse = w.inverse
    w_right = w.right
    w_scale = w.scale
    w_supplied = w.supplied
    w_vector = w.vector
    w_weight = w.weight
    n, k = z.sites, z.classes
    queues, width, _, rows, inner, tying, _, _, _ = counts(z)
    size, f = inner + tying, t * (inner + tying) * inner
    v, zero = w_vector, spread(w_vector, 0.0)
    if tying:
        if t + 1 < z.blocks:
            links = len(p_links) // 2
            for m in range(tying):
                put(v, m, zero)
            for u in range(links):
                here, there = p_links[2 * u], p_links[2 * u + 1]
                later = get(w_between, t * links + u) * get(w_carried, (t + 1) * tying + there)
                add(v, here, later)
            for m in range(tying):
                total = get(w_carried, t * tying + m)
                for b in range(tying):
                    total = total - get(w_inverse, (t * tying + m) * tying + b) * get(v, b)
                put(w_carried, t * tying + m, total)
        for m in range(tying):
            put(v, inner + m, get(w_carried, t * tying + m))
    for m in range(inner):
        total = get(w_half, t * inner + m)
        for b in range(inner, size):
            total = total - get(w_factor, f + b * inner + m) * get(v, b)
        put(v, m, total)
    for m in range(inner - 1, -1, -1):
        total = get(v, m)
        for b in range(m + 1, inner):
            total = total - get(w_factor, f + b * inner + m) * get(v, b)
        put(v, m, total * get(w_factor, f + m * inner + m))
    for m in range(size):
        put(v, m, sound(get(v, m) * get(w_scale, t * size + m)))
    for m in range(queues):
        put(out, y + queues + m, get(v, m))
    for m in range(z.kinds):
        for j in range(n):
            put(out, y + 2 * queues + m * n + j, get(v, _place(z, m, j)))
    for i in range(n):
        for c in range(k):
            q = i * k + c
            row = t * queues + q
            if p_place[c] < 0:
                total = get(w_right, t * rows + q)
                for j in range(n):
                    entry = get(a_balance, row * n + j) * get(a_supply, row * n + j)
                    total = total - entry * get(w_weight, t * width + q * n + j) * get(v, c * n + j)
                put(out, y + q, sound(total / get(w_supplied, row)))
            else:
                put(out, y + q, get(v, inner + p_place[c] * n + i))
