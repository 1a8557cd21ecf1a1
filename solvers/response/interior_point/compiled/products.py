"""Products with a block's matrix, and with its transpose."""

from __future__ import annotations

from stepwatt.solvers.response.native import Numbers, add, compiled, get, put, spread

from .layout import Pattern, Sizes, Tables, counts, feature
from .links import links_priced, links_used


@compiled
def used(
    z: Sizes,
    p: Pattern,
    a: Tables,
    t: int,
    box: Numbers,
    options: Numbers,
    at: int,
    out: Numbers,
    general: bool,
) -> None:
    """A x of block t, into ``out``; options of the block begin at ``at``."""
    n, k, o = z.sites, z.classes, z.options
    queues, width, _, rows, _, _, held, lost, site = counts(z)
    x, y = t * width, t * rows
    zero = spread(box, 0.0)
    for q in range(queues):
        total = get(a.lost, t * queues + q) * get(box, x + lost + q)
        for s in range(z.segments):
            total = total + get(a.held, (t * z.segments + s) * queues + q) * get(
                box, x + held + s * queues + q
            )
        for j in range(n):
            total = total + get(a.supply, (t * queues + q) * n + j) * get(box, x + q * n + j)
        if t > 0:
            total = total + get(a.tied_held, (t - 1) * queues + q) * get(box, x - width + held + q)
        put(out, y + q, total)
    own = y + 2 * queues
    for m in range(z.kinds * n):
        put(out, own + m, zero)
    for e in range(len(p.row)):
        for j in range(n):
            m = own + p.row[e] * n + j
            entry = get(a.site, (t * len(p.row) + e) * n + j)
            add(out, m, entry * get(box, x + site + p.column[e] * n + j))
    if t > 0:
        for e in range(len(p.tie_row)):
            for j in range(n):
                m = own + p.tie_row[e] * n + j
                entry = get(a.tied_site, ((t - 1) * len(p.tie_row) + e) * n + j)
                add(out, m, entry * get(box, x - width + site + p.tie_column[e] * n + j))
    if general and z.links > 0:
        links_used(z, a, box, out)
    if z.capped:
        for j in range(n):
            add(out, y + rows - n + j, get(a.rise, t * n + j) * get(box, site + z.rise * n + j))
    for j in range(n):
        watts, busy = zero, zero
        for c in range(k):
            q = j * k + c
            jobs, seconds, energy = zero, zero, zero
            for m in range(o):
                amount = get(options, at + q * o + m)
                jobs = jobs + feature(a, general, (q * 3) * o + m) * amount
                seconds = seconds + feature(a, general, (q * 3 + 1) * o + m) * amount
                energy = energy + feature(a, general, (q * 3 + 2) * o + m) * amount
            total = get(a.opened, t * queues + q) * jobs
            for i in range(n):
                r = i * k + c
                total = total + get(a.balance, (t * queues + r) * n + j) * get(box, x + r * n + j)
            put(out, y + queues + c * n + j, total)
            watts = watts + get(a.job_power, t * queues + q) * energy
            watts = watts + get(a.idle_power, t * queues + q) * seconds
            busy = busy + get(a.job_seconds, t * queues + q) * seconds
        add(out, own + j, busy)
        for m in range(2):
            r = own + (1 + m) * n + j
            add(out, r, get(a.power_entry, (t * 2 + m) * n + j) * watts)


@compiled
def priced(z: Sizes, p: Pattern, a: Tables, t: int, rows: Numbers, out: Numbers, general: bool) -> None:
    """Aᵀy of block t, into ``out``: box columns, then options."""
    n, k, o = z.sites, z.classes, z.options
    queues, width, _, height, _, _, held, lost, site = counts(z)
    y = t * height
    own = y + 2 * queues
    zero = spread(rows, 0.0)
    for i in range(n):
        for c in range(k):
            q = i * k + c
            supply = get(rows, y + q)
            for j in range(n):
                e = (t * queues + q) * n + j
                put(
                    out,
                    q * n + j,
                    get(a.supply, e) * supply + get(a.balance, e) * get(rows, y + queues + c * n + j),
                )
            for s in range(z.segments):
                put(out, held + s * queues + q, get(a.held, (t * z.segments + s) * queues + q) * supply)
            if t + 1 < z.blocks:
                later = get(a.tied_held, t * queues + q) * get(rows, y + height + q)
                add(out, held + q, later)
            put(out, lost + q, get(a.lost, t * queues + q) * supply)
    for m in range(z.columns * n):
        put(out, site + m, zero)
    for e in range(len(p.row)):
        for j in range(n):
            m = site + p.column[e] * n + j
            entry = get(a.site, (t * len(p.row) + e) * n + j)
            add(out, m, entry * get(rows, own + p.row[e] * n + j))
    if t + 1 < z.blocks:
        for e in range(len(p.tie_row)):
            for j in range(n):
                m = site + p.tie_column[e] * n + j
                entry = get(a.tied_site, (t * len(p.tie_row) + e) * n + j)
                add(out, m, entry * get(rows, own + height + p.tie_row[e] * n + j))
    if general and z.links > 0:
        links_priced(z, a, rows, out)
    if z.capped and t == 0:
        for block in range(z.blocks):
            for j in range(n):
                entry = get(a.rise, block * n + j) * get(rows, (block + 1) * height - n + j)
                add(out, site + z.rise * n + j, entry)
    for j in range(n):
        watts = get(a.power_entry, t * 2 * n + j) * get(rows, own + n + j)
        watts = watts + get(a.power_entry, (t * 2 + 1) * n + j) * get(rows, own + 2 * n + j)
        for c in range(k):
            q = j * k + c
            job = get(a.opened, t * queues + q) * get(rows, y + queues + c * n + j)
            second = get(a.job_seconds, t * queues + q) * get(rows, own + j)
            second = second + get(a.idle_power, t * queues + q) * watts
            watt = get(a.job_power, t * queues + q) * watts
            for m in range(o):
                price = feature(a, general, (q * 3) * o + m) * job
                price = price + feature(a, general, (q * 3 + 1) * o + m) * second
                price = price + feature(a, general, (q * 3 + 2) * o + m) * watt
                put(out, width + q * o + m, price)
