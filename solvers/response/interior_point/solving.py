"""Programs of slots and of whole horizons, handed to the compiled method and taken back."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..programs.rows import RIDGE, Rows
from ..programs.slot_program import HEAT, Program
from ..programs.ties import DAY_RIDGE, TYING, DayRows
from .compiled import Fixed, Limits, Pattern, Sizes, Tables, run
from .solution import GOOD, MOST_STEPS, START, TOLERANCE, Solution

Numbers = NDArray[Any]

#: Products of shares and multipliers at an iterate made of given multipliers.
MIDDLE = 0.03
#: Steps after which single precision has broken down.
ROUGH_STEPS = 28


def solve(p: Program, tolerance: float = TOLERANCE) -> Solution:
    """The optimum of a slot's program and a bound that holds whatever the accuracy."""
    return solve_rows(Rows(p), tolerance)


def solve_rows(rows: Rows, tolerance: float, begun: Numbers | None = None) -> Solution:
    """The same of a whole horizon (:class:`.DayRows`), too, which may begin at multipliers (rows,TB)."""
    p, kind = rows.p, rows.p.cost.dtype
    ties = rows.ties if isinstance(rows, DayRows) else None
    entries = np.argwhere((p.site != 0).any((2, 3)))
    z, pattern = _pattern(*_shape(rows), tuple(map(tuple, entries.tolist())))
    limits = Limits(
        tolerance,
        steps=MOST_STEPS if kind == np.float64 else ROUGH_STEPS,
        good=GOOD,
        ridge=RIDGE if ties is None else DAY_RIDGE[kind],
        start=START,
        middle=0.0 if begun is None else MIDDLE,
    )
    found = run(z, pattern, _tables(rows, entries, begun), limits)
    value, proven = (rows.total(p.constant - p.money * cost) for cost in (found.cost, found.least))
    residual = found.residual if rows.blocks == 1 else np.tile(found.residual, rows.blocks)
    return Solution(
        found.box,
        found.options.reshape(*p.option_cost.shape[:3], -1),
        found.rows,
        value,
        proven,
        # of one that has broken down every comparison is false: it seems to miss nothing
        np.where(np.isfinite(value) & np.isfinite(proven), residual, np.inf),
    )


def _tables(rows: Rows, entries: NDArray[np.int64], begun: Numbers | None) -> Tables:
    """The program's coefficients, each (rows, blocks·instances)."""
    p, ties = rows.p, rows.ties if isinstance(rows, DayRows) else None
    tied_site = [] if ties is None else [entry.reshape(-1, entry.shape[-1]) for entry in ties.sites.values()]
    wide = p.money.shape[-1]

    def flat(values: Numbers) -> Numbers:
        found = values.reshape(-1, values.shape[-1])
        return np.ascontiguousarray(found if found.shape[1] == wide else found.repeat(wide, 1))

    options = p.features.single
    single = options.ravel()
    if not p.features.shared:
        # an instance's options are the same in all blocks
        single = np.ascontiguousarray(options.reshape(-1, options.shape[-1])[:, : wide // rows.blocks])
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
        p.right[:0] if p.transfer_link is None else p.transfer_link,
        p.right[:0] if p.link_slack is None else p.link_slack,
    )
    return Tables(*[*(flat(part) for part in parts), single])


def _shape(rows: Rows) -> tuple[Any, ...]:
    """What the pattern depends on besides the site entries: sites, classes, options, segments, columns and
    kinds of rows of sites, blocks, links; which classes wait, what ties site rows, and where imports rise."""
    p, ties = rows.p, rows.ties if isinstance(rows, DayRows) else None
    n, k, o = p.option_cost.shape[:3]
    links = 0 if p.link_slack is None else n * n
    waits = rise = tied = None
    if ties is not None:
        waits = tuple(ties.waits.reshape(n, k)[0].tolist())
        columns = range(p.site.shape[1])
        tied = tuple((kind, c) for kind in ties.sites for c in columns[p.names[TYING[kind]]])
        rise = None if ties.rise is None else p.names["rise"].start
    return (n, k, o, len(p.held), p.site.shape[1], len(p.site), rows.blocks, links, waits, tied, rise)


@lru_cache(maxsize=64)
def _pattern(
    n: int,
    k: int,
    o: int,
    segments: int,
    columns: int,
    kinds: int,
    blocks: int,
    links: int,
    waits: tuple[bool, ...] | None,
    tied: tuple[tuple[int, int], ...] | None,
    rise: int | None,
    entries: tuple[tuple[int, int], ...],
) -> tuple[Sizes, Fixed]:
    place = np.full(k, -1)
    if waits is not None:
        place[np.array(waits, dtype=bool)] = np.arange(sum(waits))
    inner = kinds if tied is None else HEAT
    found = list(enumerate(entries))
    pairs = [(e, f) for e, (r, c) in found for f, (s, d) in found if c == d and r >= s]
    between: list[tuple[int, int]] = []
    meets: list[tuple[int, int, int]] = []
    for e, (r, c) in found:
        for f, (after, d) in enumerate(tied or ()):
            if c == d and r >= inner:
                if (r, after) not in between:
                    between.append((r, after))
                meets.append((e, f, between.index((r, after))))

    def table(values: Any, width: int) -> NDArray[np.int64]:
        return np.array(values, dtype=np.int64).reshape(-1, width)

    ends, own, waiting = table(tied or (), 2), table(entries, 2), int((place >= 0).sum())
    first = (waiting - inner) * n
    tied_rows = [(q, q) for q in range(waiting * n)]
    tied_rows += [(first + r * n + j, first + s * n + j) for r, s in between for j in range(n)]
    capped = int(rise is not None)
    sizes = Sizes(
        n, k, o, segments, columns, kinds, inner, capped, blocks, waiting, -1 if rise is None else rise, links
    )
    pattern = Pattern(
        place,
        own[:, 0].copy(),
        own[:, 1].copy(),
        ends[:, 0].copy(),
        ends[:, 1].copy(),
        table(pairs, 2).ravel(),
        table(meets, 3).ravel(),
        table(between, 2).ravel(),
        table(tied_rows, 2).ravel(),
    )
    return sizes, Fixed(pattern)
