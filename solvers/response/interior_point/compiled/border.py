"""The highest imports: columns that enter all blocks, and so border the block tridiagonal matrix.

What the matrix without them says is corrected for them (Sherman, Morrison, Woodbury).
"""

from __future__ import annotations

from stepwatt.solvers.response.native import (
    Lanes,
    Numbers,
    add,
    compiled,
    epsilon,
    get,
    most,
    put,
    root,
    side,
    spread,
    take,
    where_more,
)

from .factor import backward, forward
from .layout import Iterate, Pattern, Sizes, Tables, Work, counts
from .products import priced, used

#: Sum of the products of shares and multipliers from which on it pays to solve again.
_NEAR = 1.0


@compiled
def _risen(z: Sizes, a: Tables, j: int, rows: Numbers, first: int) -> Lanes:
    """The product of rows, which begin at ``first``, with the column of site j."""
    _, _, _, height, _, _, _, _, _ = counts(z)
    total = spread(rows, 0.0)
    for t in range(z.blocks):
        capped = first + (t + 1) * height - z.sites + j
        total = total + get(a.rise, t * z.sites + j) * get(rows, capped)
    return total


@compiled
def border(z: Sizes, p: Pattern, a: Tables, w: Work) -> None:
    """Solve for the columns, into ``w.border``, and factor what remains of them; uses ``w.right``."""
    n = z.sites
    _, _, _, height, _, _, _, _, site = counts(z)
    whole = z.blocks * height
    zero, one = spread(w.right, 0.0), spread(w.right, 1.0)
    for m in range(whole):
        put(w.right, m, zero)
    for j in range(n):
        for t in range(z.blocks):
            put(w.right, (t + 1) * height - n + j, get(a.rise, t * n + j))
            forward(z, p, a, t, w, False)
        for t in range(z.blocks - 1, -1, -1):
            backward(z, p, a, t, w, w.border, j * whole + t * height, False)
            put(w.right, (t + 1) * height - n + j, zero)
    least = spread(w.right, 4 * epsilon(w.right))
    for i in range(n):
        for j in range(i + 1):
            total = _risen(z, a, j, w.border, i * whole)
            if i == j:
                total = total + one / get(w.weight, site + z.rise * n + j)
            smallest = total * least
            for m in range(j):
                total = total - get(w.corner, i * n + m) * get(w.corner, j * n + m)
            if i == j:
                put(w.corner, i * n + i, one / root(most(total, smallest)))
            else:
                put(w.corner, i * n + j, total * get(w.corner, j * n + j))


@compiled
def complete(z: Sizes, a: Tables, w: Work, found: Numbers) -> None:
    """What was found without the columns, corrected for them."""
    n = z.sites
    _, _, _, height, _, _, _, _, _ = counts(z)
    whole = z.blocks * height
    for i in range(n):
        total = _risen(z, a, i, found, 0)
        for j in range(i):
            total = total - get(w.corner, i * n + j) * get(w.vector, j)
        put(w.vector, i, total * get(w.corner, i * n + i))
    for i in range(n - 1, -1, -1):
        total = get(w.vector, i)
        for j in range(i + 1, n):
            total = total - get(w.corner, j * n + i) * get(w.vector, j)
        put(w.vector, i, total * get(w.corner, i * n + i))
    for m in range(whole):
        total = get(found, m)
        for i in range(n):
            total = total - get(w.border, i * whole + m) * get(w.vector, i)
        put(found, m, total)


@compiled
def refine(
    z: Sizes,
    p: Pattern,
    a: Tables,
    now: Iterate,
    w: Work,
    to: Iterate,
    gap: Lanes,
    times: int,
    general: bool,
) -> None:
    """Solve again for what ``w.found`` leaves of ``w.right``, in instances that are near (:mod:`..ties` says
    why); uses ``to.box`` and ``w.missing``.
    """
    put(w.vector, 0, gap)
    far = True
    for lane in range(side(w.vector)):
        far = far and w.vector[lane] > _NEAR
    if far:
        return
    zero, near = spread(w.again, 0.0), spread(w.again, _NEAR)
    _, width, many, height, _, _, _, _, _ = counts(z)
    for m in range(z.blocks * height):
        put(w.again, m, get(w.found, m))
    for _ in range(times):
        for t in range(z.blocks):
            priced(z, p, a, t, w.again, w.part, general)
            for m in range(width):
                put(to.box, t * width + m, get(w.weight, t * width + m) * get(w.part, m))
            for m in range(many):
                at = t * many + m
                put(w.part, m, get(now.options, at) * get(w.per_slack, at) * get(w.part, width + m))
            used(z, p, a, t, to.box, w.part, 0, w.missing, general)
            for m in range(t * height, (t + 1) * height):
                take(w.right, m, get(w.missing, m) + get(a.empty, m) * get(w.again, m))
            forward(z, p, a, t, w, False)
        for t in range(z.blocks - 1, -1, -1):
            backward(z, p, a, t, w, w.again, t * height, False)
        complete(z, a, w, w.again)
        for m in range(z.blocks * height):
            add(w.found, m, where_more(gap, near, zero, get(w.again, m)))
