"""How programs lie in memory for compiled loops: tuples of flat arrays of lanes, and where parts begin.

Compiled functions name the arrays they use before they loop: one taken out of its tuple within a loop costs a
reference count every time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .lanes import LANES, compiled, get, load, put, save


class Sizes(NamedTuple):
    """How many: sites, classes, options, segments of waiting jobs, site columns, kinds of site rows, kinds
    that stay within a block at the beginning and at the end, blocks, classes that wait. ``rise``: the site
    column of the first block that enters the last kind of rows of all blocks, or -1."""

    sites: int
    classes: int
    options: int
    segments: int
    columns: int
    kinds: int
    inner: int
    capped: int
    blocks: int
    waiting: int
    rise: int


class Pattern(NamedTuple):
    """Which entries there are (integers): ``place`` of a class among those that wait, or -1; kind of row and
    column of every site entry (``row``, ``column``) and of every entry in the next block (``tie_row``,
    ``tie_column``); ``pairs`` (·,2) of site entries in one column, the larger kind of row first; ``meets``
    (·,3) of a site entry, a tie in its column, and their place in ``between`` (·,2), kinds of row here and in
    the next block; ``links`` (·,2) of tying rows here and there, waiting jobs first, then as ``between``."""

    place: Any
    row: Any
    column: Any
    tie_row: Any
    tie_column: Any
    pairs: Any
    meets: Any
    between: Any
    links: Any


class Tables(NamedTuple):
    """Coefficients as in :class:`.Program`, and rows' multipliers to begin with: of the whole batch
    (rows, blocks·instances), or flat of a few instances."""

    cost: Any
    option_cost: Any
    opened: Any
    job_seconds: Any
    job_power: Any
    idle_power: Any
    power_entry: Any
    supply: Any
    balance: Any
    held: Any
    lost: Any
    site: Any
    right: Any
    empty: Any
    tied_held: Any
    tied_site: Any
    rise: Any
    begun: Any


class Iterate(NamedTuple):
    """Shares, what is left of the boxes, multipliers of their ends, of options and of rows."""

    box: Any
    spare: Any
    low: Any
    high: Any
    options: Any
    slack: Any
    rows: Any


class Work(NamedTuple):
    """What a step needs besides: what rows miss, right sides, inverse slacks, diagonal and pull of the boxes,
    one block's columns, the factored matrix (:mod:`.normal`), the multipliers found, and what borders the
    matrix (:mod:`.border`)."""

    missing: Any
    right: Any
    per_slack: Any
    weight: Any
    pull: Any
    part: Any
    supplied: Any
    matrix: Any
    factor: Any
    inverse: Any
    between: Any
    scale: Any
    half: Any
    carried: Any
    found: Any
    vector: Any
    border: Any
    corner: Any
    again: Any


@compiled
def counts(z: Sizes) -> Any:
    """Of queues, box columns, options, rows, inner rows, tying rows; first held, lost and site column."""
    queues = z.sites * z.classes
    held = queues * z.sites
    lost = held + z.segments * queues
    site = lost + queues
    return (
        queues,
        site + z.columns * z.sites,
        queues * z.options,
        2 * queues + z.kinds * z.sites,
        queues + (z.inner + z.capped) * z.sites,
        (z.waiting + z.kinds - z.inner - z.capped) * z.sites,
        held,
        lost,
        site,
    )


@compiled
def gather(whole: Any, out: Any, blocks: int, first: int) -> None:
    """A few instances' numbers, from (rows, blocks·instances); the last one fills the lanes left over."""
    rows, width = whole.shape
    flat, batch = whole.reshape(-1), width // blocks
    for t in range(blocks):
        for m in range(rows):
            place, begin = t * rows + m, m * width + t * batch
            if first + LANES <= batch:
                put(out, place, load(flat, begin + first))
            else:
                for lane in range(LANES):
                    out[place * LANES + lane] = flat[begin + min(first + lane, batch - 1)]


@compiled
def scatter(part: Any, whole: Any, blocks: int, first: int) -> None:
    """The way back."""
    rows, width = whole.shape
    flat, batch = whole.reshape(-1), width // blocks
    for t in range(blocks):
        for m in range(rows):
            place, begin = t * rows + m, m * width + t * batch
            if first + LANES <= batch:
                save(flat, begin + first, get(part, place))
            else:
                for lane in range(batch - first):
                    flat[begin + first + lane] = part[place * LANES + lane]


@compiled
def copy(one: Iterate, other: Iterate, lane: int, step: int) -> None:
    """Into the other, from a lane on in steps."""
    for m in range(lane, len(one.box), step):
        other.box[m], other.spare[m] = one.box[m], one.spare[m]
        other.low[m], other.high[m] = one.low[m], one.high[m]
    for m in range(lane, len(one.options), step):
        other.options[m], other.slack[m] = one.options[m], one.slack[m]
    for m in range(lane, len(one.rows), step):
        other.rows[m] = one.rows[m]
