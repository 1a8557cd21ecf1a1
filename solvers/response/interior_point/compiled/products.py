"""Products with a block's matrix, and with its transpose."""

from __future__ import annotations

from stepwatt.solvers.response.native import Numbers, add, compiled, get, put, spread

from .layout import Pattern, Sizes, Tables, counts


@compiled
def used(
    z: Sizes,
    p: Pattern,
    single: Numbers,
    a: Tables,
    t: int,
    box: Numbers,
    options: Numbers,
    at: int,
    out: Numbers,
) -> None:
    """A x of block t, into ``out``; options of the block begin at ``at``."""
    a_balance = a.balance
    a_held = a.held
    a_idle_power = a.idle_power
    a_job_power = a.job_power
    a_job_seconds = a.job_seconds
    a_lost = a.lost
    a_opened = a.opened
    a_power_entry = a.power_entry
    a_rise = a.rise
    a_site = a.site
    a_supply = a.supply
    a_tied_held = a.tied_held
    a_tied_site = a.tied_site
    p_column = p.column
    p_row = p.row
    p_tie_column = p.tie_column
    p_tie_row = p.tie_row
    n, k, o = z.sites, z.classes, z.options
    queues, width, _, rows, _, _, held, lost, site = counts(z)
    x, y = t * width, t * rows
    zero = spread(box, 0.0)
    for q in range(queues):
        total = get(a_lost, t * queues + q) * get(box, x + lost + q)
        for s in range(z.segments):
            total = total + get(a_held, (t * z.segments + s) * queues + q) * get(
                box, x + held + s * queues + q
            )
        for j in range(n):
            total = total + get(a_supply, (t * queues + q) * n + j) * get(box, x + q * n + j)
        if t > 0:
            total = total + get(a_tied_held, (t - 1) * queues + q) * get(box, x - width + held + q)
        put(out, y + q, total)
    own = y + 2 * queues
    for m in range(z.kinds * n):
        put(out, own + m, zero)
    for e in range(len(p_row)):
        for j in range(n):
            m = own + p_row[e] * n + j
            entry = get(a_site, (t * len(p_row) + e) * n + j)
            add(out, m, entry * get(box, x + site + p_column[e] * n + j))
    if t > 0:
        for e in range(len(p_tie_row)):
            for j in range(n):
                m = own + p_tie_row[e] * n + j
                entry = get(a_tied_site, ((t - 1) * len(p_tie_row) + e) * n + j)
                add(out, m, entry * get(box, x - width + site + p_tie_column[e] * n + j))
    if z.capped:
        for j in range(n):
            add(out, y + rows - n + j, get(a_rise, t * n + j) * get(box, site + z.rise * n + j))
    for j in range(n):
        watts, busy = zero, zero
        for c in range(k):
            q = j * k + c
            jobs, seconds, energy = zero, zero, zero
            for m in range(o):
                amount = get(options, at + q * o + m)
                jobs = jobs + spread(box, single[(q * 3) * o + m]) * amount
                seconds = seconds + spread(box, single[(q * 3 + 1) * o + m]) * amount
                energy = energy + spread(box, single[(q * 3 + 2) * o + m]) * amount
            total = get(a_opened, t * queues + q) * jobs
            for i in range(n):
                r = i * k + c
                total = total + get(a_balance, (t * queues + r) * n + j) * get(box, x + r * n + j)
            put(out, y + queues + c * n + j, total)
            watts = watts + get(a_job_power, t * queues + q) * energy
            watts = watts + get(a_idle_power, t * queues + q) * seconds
            busy = busy + get(a_job_seconds, t * queues + q) * seconds
        add(out, own + j, busy)
        for m in range(2):
            r = own + (1 + m) * n + j
            add(out, r, get(a_power_entry, (t * 2 + m) * n + j) * watts)


@compiled
def priced(z: Sizes, p: Pattern, single: Numbers, a: Tables, t: int, rows: Numbers, out: Numbers) -> None:
    """Aᵀy of block t, into ``out``: box columns, then options."""
    a_balance = a.balance
    a_held = a.held
    a_idle_power = a.idle_power
    a_job_power = a.job_power
    a_job_seconds = a.job_seconds
    a_lost = a.lost
    a_opened = a.opened
    a_power_entry = a.power_entry
    a_rise = a.rise
    a_site = a.site
    a_supply = a.supply
    a_tied_held = a.tied_held
    a_tied_site = a.tied_site
    p_column = p.column
    p_row = p.row
    p_tie_column = p.tie_column
    p_tie_row = p.tie_row
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
                    get(a_supply, e) * supply + get(a_balance, e) * get(rows, y + queues + c * n + j),
                )
            for s in range(z.segments):
                put(out, held + s * queues + q, get(a_held, (t * z.segments + s) * queues + q) * supply)
            if t + 1 < z.blocks:
                later = get(a_tied_held, t * queues + q) * get(rows, y + height + q)
                add(out, held + q, later)
            put(out, lost + q, get(a_lost, t * queues + q) * supply)
    for m in range(z.columns * n):
        put(out, site + m, zero)
    for e in range(len(p_row)):
        for j in range(n):
            m = site + p_column[e] * n + j
            entry = get(a_site, (t * len(p_row) + e) * n + j)
            add(out, m, entry * get(rows, own + p_row[e] * n + j))
    if t + 1 < z.blocks:
        for e in range(len(p_tie_row)):
            for j in range(n):
                m = site + p_tie_column[e] * n + j
                entry = get(a_tied_site, (t * len(p_tie_row) + e) * n + j)
                add(out, m, entry * get(rows, own + height + p_tie_row[e] * n + j))
    if z.capped and t == 0:
        for block in range(z.blocks):
            for j in range(n):
                entry = get(a_rise, block * n + j) * get(rows, (block + 1) * height - n + j)
                add(out, site + z.rise * n + j, entry)
    for j in range(n):
        watts = get(a_power_entry, t * 2 * n + j) * get(rows, own + n + j)
        watts = watts + get(a_power_entry, (t * 2 + 1) * n + j) * get(rows, own + 2 * n + j)
        for c in range(k):
            q = j * k + c
            job = get(a_opened, t * queues + q) * get(rows, y + queues + c * n + j)
            second = get(a_job_seconds, t * queues + q) * get(rows, own + j)
            second = second + get(a_idle_power, t * queues + q) * watts
            watt = get(a_job_power, t * queues + q) * watts
            for m in range(o):
                price = spread(rows, single[(q * 3) * o + m]) * job
                price = price + spread(rows, single[(q * 3 + 1) * o + m]) * second
                price = price + spread(rows, single[(q * 3 + 2) * o + m]) * watt
                put(out, width + q * o + m, price)
