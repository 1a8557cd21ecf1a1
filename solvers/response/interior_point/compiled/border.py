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

from .layout import Iterate, Pattern, Sizes, Tables, Work, counts
from .normal import backward, forward
from .products import priced, used

#: Sum of the products of shares and multipliers from which on it pays to solve again.
_NEAR = 1.0


@compiled
def _risen(z: Sizes, a: Tables, j: int, rows: Numbers, first: int) -> Lanes:
    """The product of rows, which begin at ``first``, with the column of site j."""
    a_rise = a.rise
    _, _, _, height, _, _, _, _, _ = counts(z)
    total = spread(rows, 0.0)
    for t in range(z.blocks):
        capped = first + (t + 1) * height - z.sites + j
        total = total + get(a_rise, t * z.sites + j) * get(rows, capped)
    return total


@compiled
def border(z: Sizes, p: Pattern, a: Tables, w: Work) -> None:
    """Solve for the columns, into ``w.border``, and factor what remains of them; uses ``w.right``."""
    a_rise = a.rise
    w_border = w.border
    w_corner = w.corner
    w_right = w.right
    w_weight = w.weight
    n = z.sites
    _, _, _, height, _, _, _, _, site = counts(z)
    whole = z.blocks * height
    zero, one = spread(w_right, 0.0), spread(w_right, 1.0)
    for m in range(whole):
        put(w_right, m, zero)
    for j in range(n):
        for t in range(z.blocks):
            put(w_right, (t + 1) * height - n + j, get(a_rise, t * n + j))
            forward(z, p, a, t, w)
        for t in range(z.blocks - 1, -1, -1):
            backward(z, p, a, t, w, w_border, j * whole + t * height)
            put(w_right, (t + 1) * height - n + j, zero)
    least = spread(w_right, 4 * epsilon(w_right))
    for i in range(n):
        for j in range(i + 1):
            total = _risen(z, a, j, w_border, i * whole)
            if i == j:
                total = total + one / get(w_weight, site + z.rise * n + j)
            smallest = total * least
            for m in range(j):
                total = total - get(w_corner, i * n + m) * get(w_corner, j * n + m)
            if i == j:
                put(w_corner, i * n + i, one / root(most(total, smallest)))
            else:
                put(w_corner, i * n + j, total * get(w_corner, j * n + j))


@compiled
def complete(z: Sizes, a: Tables, w: Work, found: Numbers) -> None:
    """What was found without the columns, corrected for them."""
    w_border = w.border
    w_corner = w.corner
    w_vector = w.vector
    n = z.sites
    _, _, _, height, _, _, _, _, _ = counts(z)
    whole = z.blocks * height
    for i in range(n):
        total = _risen(z, a, i, found, 0)
        for j in range(i):
            total = total - get(w_corner, i * n + j) * get(w_vector, j)
        put(w_vector, i, total * get(w_corner, i * n + i))
    for i in range(n - 1, -1, -1):
        total = get(w_vector, i)
        for j in range(i + 1, n):
            total = total - get(w_corner, j * n + i) * get(w_vector, j)
        put(w_vector, i, total * get(w_corner, i * n + i))
    for m in range(whole):
        total = get(found, m)
        for i in range(n):
            total = total - get(w_border, i * whole + m) * get(w_vector, i)
        put(found, m, total)


@compiled
def refine(
    z: Sizes,
    p: Pattern,
    single: Numbers,
    a: Tables,
    now: Iterate,
    w: Work,
    to: Iterate,
    gap: Lanes,
    times: int,
) -> None:
    """Solve again for what ``w.found`` leaves of ``w.right``, in instances that are near (:mod:`..ties` says
    why); uses ``to.box`` and ``w.missing``.
    """
    w_vector = w.vector
    put(w_vector, 0, gap)
    far = True
    for lane in range(side(w_vector)):
        far = far and w_vector[lane] > _NEAR
    if far:
        return
    a_empty = a.empty
    now_options = now.options
    to_box = to.box
    w_again = w.again
    w_found = w.found
    w_missing = w.missing
    w_part = w.part
    w_per_slack = w.per_slack
    w_right = w.right
    w_weight = w.weight
    zero, near = spread(w_again, 0.0), spread(w_again, _NEAR)
    _, width, many, height, _, _, _, _, _ = counts(z)
    for m in range(z.blocks * height):
        put(w_again, m, get(w_found, m))
    for _ in range(times):
        for t in range(z.blocks):
            priced(z, p, single, a, t, w_again, w_part)
            for m in range(width):
                put(to_box, t * width + m, get(w_weight, t * width + m) * get(w_part, m))
            for m in range(many):
                at = t * many + m
                put(w_part, m, get(now_options, at) * get(w_per_slack, at) * get(w_part, width + m))
            used(z, p, single, a, t, to_box, w_part, 0, w_missing)
            for m in range(t * height, (t + 1) * height):
                take(w_right, m, get(w_missing, m) + get(a_empty, m) * get(w_again, m))
            forward(z, p, a, t, w)
        for t in range(z.blocks - 1, -1, -1):
            backward(z, p, a, t, w, w_again, t * height)
        complete(z, a, w, w_again)
        for m in range(z.blocks * height):
            add(w_found, m, where_more(gap, near, zero, get(w_again, m)))
