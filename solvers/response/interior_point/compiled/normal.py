"""The normal matrix of a block, and what ties it to the block before."""

from __future__ import annotations

from stepwatt.solvers.response.native import add, compiled, get, put, root, spread, take

from .layout import Iterate, Pattern, Sizes, Tables, Work, counts, product, site_row
from .links import links_met, links_own


@compiled
def assemble(
    z: Sizes, p: Pattern, a: Tables, t: int, now: Iterate, w: Work, ridge: float, general: bool
) -> None:
    """The scaled normal matrix of block t, inner rows first, below the diagonal; and ties from block t-1."""
    n, k, o = z.sites, z.classes, z.options
    queues, width, many, _, inner, tying, held, lost, site = counts(z)
    size = inner + tying
    x = t * width
    zero = spread(w.matrix, 0.0)
    for m in range(size * size):
        put(w.matrix, m, zero)
    for i in range(n):
        for c in range(k):
            q = i * k + c
            row = t * queues + q
            entry = get(a.lost, row)
            staying = entry * entry * get(w.weight, x + lost + q) + get(
                a.empty, t * (2 * queues + z.kinds * n) + q
            )
            for s in range(z.segments):
                entry = get(a.held, (t * z.segments + s) * queues + q)
                staying = staying + entry * entry * get(w.weight, x + held + s * queues + q)
            if t > 0:
                entry = get(a.tied_held, row - queues)
                staying = staying + entry * entry * get(w.weight, x - width + held + q)
            total = staying
            for j in range(n):
                entry = get(a.supply, row * n + j)
                total = total + entry * entry * get(w.weight, x + q * n + j)
            if p.place[c] < 0:
                put(w.supplied, row, total)
                share = spread(w.matrix, 1.0) / total
                for j in range(n):
                    left = staying
                    for m in range(n):
                        if m != j:
                            entry = get(a.supply, row * n + m)
                            left = left + entry * entry * get(w.weight, x + q * n + m)
                    entry, d = get(a.balance, row * n + j), get(w.weight, x + q * n + j)
                    m = (c * n + j) * size + c * n + j
                    add(w.matrix, m, entry * entry * d * left * share)
                    one = entry * get(a.supply, row * n + j) * d * share
                    for b in range(j):
                        other = get(a.balance, row * n + b) * get(a.supply, row * n + b)
                        m = (c * n + j) * size + c * n + b
                        take(w.matrix, m, one * other * get(w.weight, x + q * n + b))
                if general and z.links > 0:
                    links_met(z, a, w, i, c, share)
            else:
                tie = inner + p.place[c] * n + i
                put(w.matrix, tie * size + tie, total)
                for j in range(n):
                    entry = get(a.balance, row * n + j)
                    d = get(w.weight, x + q * n + j)
                    m = (c * n + j) * size + c * n + j
                    add(w.matrix, m, entry * entry * d)
                    put(w.matrix, tie * size + c * n + j, entry * get(a.supply, row * n + j) * d)
    for j in range(n):
        aa, ab, bb = zero, zero, zero
        for c in range(k):
            q = j * k + c
            row = t * queues + q
            jj, js, je, ss, se, ee = zero, zero, zero, zero, zero, zero
            for m in range(o):
                d = get(now.options, t * many + q * o + m) * get(w.per_slack, t * many + q * o + m)
                job, second, energy = (q * 3) * o + m, (q * 3 + 1) * o + m, (q * 3 + 2) * o + m
                jj = jj + product(a, general, job, job) * d
                js = js + product(a, general, job, second) * d
                je = je + product(a, general, job, energy) * d
                ss = ss + product(a, general, second, second) * d
                se = se + product(a, general, second, energy) * d
                ee = ee + product(a, general, energy, energy) * d
            b = c * n + j
            put(
                w.matrix,
                b * size + b,
                get(w.matrix, b * size + b)
                + get(a.opened, row) * jj
                + get(a.empty, t * (2 * queues + z.kinds * n) + queues + b),
            )
            by_second, by_energy, idle = (
                get(a.job_seconds, row),
                get(a.job_power, row),
                get(a.idle_power, row),
            )
            watts = by_energy * je + idle * js
            put(w.matrix, site_row(z, 0, j) * size + b, by_second * js)
            put(w.matrix, site_row(z, 1, j) * size + b, watts * get(a.power_entry, t * 2 * n + j))
            put(w.matrix, site_row(z, 2, j) * size + b, watts * get(a.power_entry, (t * 2 + 1) * n + j))
            aa = aa + by_second * by_second * ss
            ab = ab + by_second * (by_energy * se + idle * ss)
            bb = bb + by_energy * by_energy * ee + idle * (by_energy * (se + se) + idle * ss)
        power, heat = get(a.power_entry, t * 2 * n + j), get(a.power_entry, (t * 2 + 1) * n + j)
        g, h, r = site_row(z, 0, j), site_row(z, 1, j), site_row(z, 2, j)
        put(w.matrix, g * size + g, aa)
        put(w.matrix, h * size + g, power * ab)
        put(w.matrix, r * size + g, heat * ab)
        put(w.matrix, h * size + h, power * power * bb)
        put(w.matrix, r * size + h, heat * power * bb)
        put(w.matrix, r * size + r, heat * heat * bb)
        for m in range(z.kinds):
            r = site_row(z, m, j)
            nothing = get(a.empty, t * (2 * queues + z.kinds * n) + 2 * queues + m * n + j)
            add(w.matrix, r * size + r, nothing)
        for m in range(len(p.pairs) // 2):
            e, f = p.pairs[2 * m], p.pairs[2 * m + 1]
            d = get(w.weight, x + site + p.column[e] * n + j)
            one, other = get(a.site, (t * len(p.row) + e) * n + j), get(a.site, (t * len(p.row) + f) * n + j)
            r = site_row(z, p.row[e], j) * size + site_row(z, p.row[f], j)
            add(w.matrix, r, one * other * d)
        if t > 0:
            for e in range(len(p.tie_row)):
                r = site_row(z, p.tie_row[e], j)
                entry = get(a.tied_site, ((t - 1) * len(p.tie_row) + e) * n + j)
                d = get(w.weight, x - width + site + p.tie_column[e] * n + j)
                add(w.matrix, r * size + r, entry * entry * d)
    if general and z.links > 0:
        links_own(z, a, w)
    one = spread(w.matrix, 1.0)
    for r in range(size):
        put(w.scale, t * size + r, one / root(get(w.matrix, r * size + r)))
    for r in range(size):
        mine = get(w.scale, t * size + r)
        for m in range(r):
            put(w.matrix, r * size + m, get(w.matrix, r * size + m) * mine * get(w.scale, t * size + m))
        put(w.matrix, r * size + r, spread(w.matrix, 1 + ridge))
    if t > 0:
        waiting, links = z.waiting * n, len(p.between) // 2
        first = (t - 1) * (waiting + links * n)
        here, there = (t - 1) * size + inner, t * size + inner
        for c in range(k):
            if p.place[c] >= 0:
                for i in range(n):
                    q, m = i * k + c, p.place[c] * n + i
                    entry = get(a.held, (t - 1) * z.segments * queues + q) * get(
                        a.tied_held, (t - 1) * queues + q
                    )
                    entry = entry * get(w.weight, x - width + held + q)
                    put(w.between, first + m, entry * get(w.scale, here + m) * get(w.scale, there + m))
        for m in range(links * n):
            put(w.between, first + waiting + m, zero)
        for u in range(len(p.meets) // 3):
            e, f, b = p.meets[3 * u], p.meets[3 * u + 1], p.meets[3 * u + 2]
            for j in range(n):
                entry = get(a.site, ((t - 1) * len(p.row) + e) * n + j)
                entry = entry * get(a.tied_site, ((t - 1) * len(p.tie_row) + f) * n + j)
                entry = entry * get(w.weight, x - width + site + p.column[e] * n + j)
                m = first + waiting + b * n + j
                add(w.between, m, entry)
        for b in range(links):
            for j in range(n):
                m = first + waiting + b * n + j
                one = get(w.scale, (t - 1) * size + site_row(z, p.between[2 * b], j))
                put(
                    w.between,
                    m,
                    get(w.between, m) * one * get(w.scale, t * size + site_row(z, p.between[2 * b + 1], j)),
                )
