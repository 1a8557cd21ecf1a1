"""Programs of slots and of whole horizons solved: by the compiled method, and where a program is not made for
it, by that of tensors (:mod:`.fallback`)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..programs.rows import RIDGE, Rows
from ..programs.slot_program import HEAT, Program
from ..programs.ties import DAY_RIDGE, TYING, DayRows
from .compiled import Iterate, Pattern, Sizes, Tables, Work, follow
from .compiled.lanes import LANES
from .solution import GOOD, MOST_STEPS, START, TOLERANCE, Solution

Numbers = NDArray[Any]

#: Products of shares and multipliers at an iterate made of given multipliers.
MIDDLE = 0.03
#: Steps after which single precision has broken down.
ROUGH_STEPS = 28


def solve(p: Program, tolerance: float = TOLERANCE) -> Solution:
    """The optimum of a slot's program and a bound that holds whatever the accuracy."""
    if compilable(p):
        return solve_compiled(Rows(p), tolerance)
    from . import fallback  # needs torch

    return fallback.solve(p, tolerance)


def solve_rows(rows: DayRows, tolerance: float, begun: Numbers | None = None) -> Solution:
    """The same of a whole horizon; the compiled method may begin at multipliers (rows,TB)."""
    if compilable(rows.p):
        return solve_compiled(rows, tolerance, begun)
    from . import fallback  # needs torch

    return fallback.solve_rows(rows, tolerance)


def compilable(p: Program) -> bool:
    """Whether the compiled method takes it: the same options in all, no limited links."""
    return p.features.shared and p.link_slack is None


def solve_compiled(rows: Rows, tolerance: float, begun: Numbers | None = None) -> Solution:
    """As :func:`.tensors.solve_rows`, a few instances after the other."""
    p, blocks, wide = rows.p, rows.blocks, rows.p.money.shape[-1]
    kind = p.cost.dtype
    ties = rows.ties if isinstance(rows, DayRows) else None
    n, k, o = p.option_cost.shape[:3]
    entries = np.argwhere((p.site != 0).any((2, 3)))
    whole = _tables(rows, entries, begun)
    z, pattern = _pattern(rows, entries)

    def lanes(count: int, of: int = blocks) -> Numbers:
        return np.zeros(of * count * LANES, kind)

    width, many, height = len(p.cost), n * k * o, len(p.right)
    inner = n * k + (z.inner + z.capped) * n
    tying = (z.waiting + z.kinds - z.inner - z.capped) * n
    size = inner + tying
    now, change, kept = (
        Iterate(*(lanes(x) for x in (width, width, width, width, many, many, height))) for _ in range(3)
    )
    work = Work(
        missing=lanes(height),
        right=lanes(height),
        per_slack=lanes(many),
        weight=lanes(width),
        pull=lanes(width),
        part=lanes(width + many, 1),
        supplied=lanes(n * k),
        matrix=lanes(size * size, 1),
        factor=lanes(size * inner),
        inverse=lanes(tying * tying),
        between=lanes((z.waiting + len(pattern.between)) * n),
        scale=lanes(size),
        half=lanes(inner),
        carried=lanes(tying),
        found=lanes(height),
        vector=lanes(size, 1),
        border=lanes(z.capped * n * height),
        corner=lanes(z.capped * n * n, 1),
        again=lanes(z.capped * height),
    )
    ridge = RIDGE if ties is None else DAY_RIDGE[kind]
    box, options, multipliers = (np.empty((x, wide), kind) for x in (width, many, height))
    cost, bound, residual = np.empty(wide, kind), np.empty(wide, kind), np.empty(wide // blocks, kind)
    follow(
        z,
        pattern,
        p.features.single.ravel(),
        p.features.pairs.ravel(),
        whole,
        Tables(*(lanes(len(x)) for x in whole)),
        now,
        change,
        kept,
        work,
        (box, options, multipliers),
        (cost, bound, residual),
        tolerance,
        (
            MOST_STEPS if kind == np.float64 else ROUGH_STEPS,
            GOOD,
            ridge,
            START,
            0.0 if begun is None else MIDDLE,
        ),
    )
    value, proven = (rows.total(p.constant - p.money * x) for x in (cost, bound))
    shares = options.reshape(n, k, o, wide)
    return Solution(box, shares, multipliers, value, proven, np.tile(residual, blocks))


def _tables(rows: Rows, entries: NDArray[np.int64], begun: Numbers | None) -> Tables:
    """The program's coefficients, each (rows, blocks·instances)."""
    p, ties = rows.p, rows.ties if isinstance(rows, DayRows) else None
    tied_site = [] if ties is None else [entry.reshape(-1, entry.shape[-1]) for entry in ties.sites.values()]
    wide = p.money.shape[-1]

    def flat(values: Numbers) -> Numbers:
        found = values.reshape(-1, values.shape[-1])
        return np.ascontiguousarray(found if found.shape[1] == wide else found.repeat(wide, 1))

    parts = (
        p.cost,
        p.option_cost,
        p.open,
        p.job_seconds,
        p.job_power,
        p.idle_power,
        p.power_entry,
        p.transfer_supply,
        p.transfer_balance,
        p.held,
        p.lost,
        p.site[entries[:, 0], entries[:, 1]],
        p.right,
        p.empty,
        p.lost[:0] if ties is None else ties.held,
        np.concatenate(tied_site) if tied_site else p.right[:0],
        p.right[:0] if ties is None or ties.rise is None else ties.rise,
        p.right[:0] if begun is None else begun,
    )
    return Tables(*(flat(part) for part in parts))


def _pattern(rows: Rows, entries: NDArray[np.int64]) -> tuple[Sizes, Pattern]:
    p, ties = rows.p, rows.ties if isinstance(rows, DayRows) else None
    n, k, o = p.option_cost.shape[:3]
    place, tied = np.full(k, -1), []
    if ties is not None:
        waits = ties.waits.reshape(n, k)[0]
        place[waits] = np.arange(waits.sum())
        tied = [(kind, c) for kind in ties.sites for c in range(len(p.site[0]))[p.names[TYING[kind]]]]
    inner = len(p.site) if ties is None else HEAT
    found = list(enumerate(map(tuple, entries.tolist())))
    pairs = [(e, f) for e, (r, c) in found for f, (s, d) in found if c == d and r >= s]
    between: list[tuple[int, int]] = []
    meets: list[tuple[int, int, int]] = []
    for e, (r, c) in found:
        for f, (after, d) in enumerate(tied):
            if c == d and r >= inner:
                if (r, after) not in between:
                    between.append((r, after))
                meets.append((e, f, between.index((r, after))))

    def table(values: list[Any], columns: int) -> NDArray[np.int64]:
        return np.array(values, dtype=np.int64).reshape(-1, columns)

    ends, waiting = table(tied, 2), int((place >= 0).sum())
    first = (waiting - inner) * n
    links = [(q, q) for q in range(waiting * n)]
    links += [(first + r * n + j, first + s * n + j) for r, s in between for j in range(n)]
    capped = ties is not None and ties.rise is not None
    rise = p.names["rise"].start if capped else -1
    kinds = (len(p.site), inner, int(capped))
    return Sizes(n, k, o, len(p.held), p.site.shape[1], *kinds, rows.blocks, waiting, rise), Pattern(
        place,
        entries[:, 0].copy(),
        entries[:, 1].copy(),
        ends[:, 0].copy(),
        ends[:, 1].copy(),
        table(pairs, 2),
        table(meets, 3),
        table(between, 2),
        table(links, 2),
    )
