"""Limited links between sites: their rows in programs of one block, behind all others."""

from __future__ import annotations

from stepwatt.solvers.response.native import Lanes, Numbers, add, compiled, get, put, take

from .layout import Sizes, Tables, Work, counts, link_row


@compiled
def links_used(z: Sizes, a: Tables, box: Numbers, out: Numbers) -> None:
    """What transfers and slack take of limited links."""
    n, k = z.sites, z.classes
    _, width, _, height, _, _, _, _, _ = counts(z)
    for i in range(n):
        for j in range(n):
            m = i * n + j
            total = get(a.link_slack, m) * get(box, width - z.links + m)
            for c in range(k):
                e = (i * k + c) * n + j
                total = total + get(a.link, e) * get(box, e)
            put(out, height - z.links + m, total)


@compiled
def links_priced(z: Sizes, a: Tables, rows: Numbers, out: Numbers) -> None:
    """What limited links add to prices."""
    n, k = z.sites, z.classes
    _, width, _, height, _, _, _, _, _ = counts(z)
    for i in range(n):
        for j in range(n):
            price = get(rows, height - z.links + i * n + j)
            put(out, width - z.links + i * n + j, get(a.link_slack, i * n + j) * price)
            for c in range(k):
                e = (i * k + c) * n + j
                add(out, e, get(a.link, e) * price)


@compiled
def links_met(z: Sizes, a: Tables, w: Work, i: int, c: int, share: Lanes) -> None:
    """Links from site i with each other and with balance, where class c's supply there is eliminated; it
    takes ``share``, one over its diagonal."""
    n = z.sites
    _, _, _, _, inner, tying, _, _, _ = counts(z)
    size, first = inner + tying, (i * z.classes + c) * n
    for j in range(n):
        d, link = get(w.weight, first + j), get(a.link, first + j)
        row = link_row(z, i * n + j) * size
        m = row + link_row(z, i * n + j)
        add(w.matrix, m, link * link * d)
        add(w.matrix, row + c * n + j, link * get(a.balance, first + j) * d)
        one = link * get(a.supply, first + j) * d * share
        for b in range(n):
            other = get(a.supply, first + b) * get(w.weight, first + b)
            take(w.matrix, row + c * n + b, one * get(a.balance, first + b) * other)
            if b <= j:
                take(w.matrix, row + link_row(z, i * n + b), one * get(a.link, first + b) * other)


@compiled
def links_own(z: Sizes, a: Tables, w: Work) -> None:
    """What slack adds to links, and 1 where a link is not limited."""
    _, width, _, height, inner, tying, _, _, _ = counts(z)
    size = inner + tying
    for m in range(z.links):
        slack, r = get(a.link_slack, m), link_row(z, m)
        own = slack * slack * get(w.weight, width - z.links + m)
        add(w.matrix, r * size + r, own + get(a.empty, height - z.links + m))
