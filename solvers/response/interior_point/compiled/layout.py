"""How programs lie in memory for compiled loops: tuples of flat arrays of lanes, and where parts begin.

Compiled functions name the arrays they use before they loop: one taken out of its tuple within a loop costs a
reference count every time.
"""

from __future__ import annotations

from typing import NamedTuple

from stepwatt.solvers.response.native import Integers, Numbers, compiled, get, load, put, save, side


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
    ``tie_column``); ``pairs`` (2·) of site entries in one column, the larger kind of row first; ``meets``
    (3·) of a site entry, a tie in its column, and their place in ``between`` (2·), kinds of row here and in
    the next block; ``links`` (2·) of tying rows here and there, waiting jobs first, then as ``between``."""

    place: Integers
    row: Integers
    column: Integers
    tie_row: Integers
    tie_column: Integers
    pairs: Integers
    meets: Integers
    between: Integers
    links: Integers


class Tables(NamedTuple):
    """Coefficients as in :class:`.Program`, and rows' multipliers to begin with: of the whole batch
    (rows, blocks·instances), or flat of a few instances."""

    cost: Numbers
    option_cost: Numbers
    opened: Numbers
    job_seconds: Numbers
    job_power: Numbers
    idle_power: Numbers
    power_entry: Numbers
    supply: Numbers
    balance: Numbers
    held: Numbers
    lost: Numbers
    site: Numbers
    right: Numbers
    empty: Numbers
    tied_held: Numbers
    tied_site: Numbers
    rise: Numbers
    begun: Numbers


class Found(NamedTuple):
    """What is found: shares, options and multipliers (rows, blocks·instances), cost and least cost (blocks·
    instances,), and what rows miss at most (instances,)."""

    box: Numbers
    options: Numbers
    rows: Numbers
    cost: Numbers
    least: Numbers
    residual: Numbers


class Limits(NamedTuple):
    """When an instance is done: at a ``tolerance``, after so many ``steps``, or where it is stuck nearer than
    ``good``; the ``ridge`` of the scaled diagonal; and how the first iterate is made: with multipliers
    ``start`` from their ends, or around given ones, with products ``middle``, if that is not 0."""

    tolerance: float
    steps: int
    good: float
    ridge: float
    start: float
    middle: float


class Iterate(NamedTuple):
    """Shares, what is left of the boxes, multipliers of their ends, of options and of rows."""

    box: Numbers
    spare: Numbers
    low: Numbers
    high: Numbers
    options: Numbers
    slack: Numbers
    rows: Numbers


class Work(NamedTuple):
    """What a step needs besides: what rows miss, right sides, inverse slacks, diagonal and pull of the boxes,
    one block's columns, the factored matrix (:mod:`.normal`), the multipliers found, what borders the matrix
    (:mod:`.border`); which instances go on, how far they are and were, and their costs by block."""

    missing: Numbers
    right: Numbers
    per_slack: Numbers
    weight: Numbers
    pull: Numbers
    part: Numbers
    supplied: Numbers
    matrix: Numbers
    factor: Numbers
    inverse: Numbers
    between: Numbers
    scale: Numbers
    half: Numbers
    carried: Numbers
    found: Numbers
    vector: Numbers
    border: Numbers
    corner: Numbers
    again: Numbers
    alive: Numbers
    distance: Numbers
    before: Numbers
    cost: Numbers
    least: Numbers


@compiled
def counts(z: Sizes) -> tuple[int, int, int, int, int, int, int, int, int]:
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
def gather(whole: Numbers, out: Numbers, blocks: int, batch: int, first: int) -> None:
    """A few instances' numbers, from (rows, blocks·batch); the last one fills the lanes left over."""
    width, lanes = blocks * batch, side(out)
    rows = len(whole) // width
    for t in range(blocks):
        for m in range(rows):
            place, begin = t * rows + m, m * width + t * batch
            if first + lanes <= batch:
                put(out, place, load(whole, begin + first))
            else:
                for lane in range(lanes):
                    out[place * lanes + lane] = whole[begin + min(first + lane, batch - 1)]


@compiled
def scatter(part: Numbers, whole: Numbers, blocks: int, batch: int, first: int) -> None:
    """The way back."""
    width, lanes = blocks * batch, side(part)
    rows = len(whole) // width
    for t in range(blocks):
        for m in range(rows):
            place, begin = t * rows + m, m * width + t * batch
            if first + lanes <= batch:
                save(whole, begin + first, get(part, place))
            else:
                for lane in range(batch - first):
                    whole[begin + first + lane] = part[place * lanes + lane]


@compiled
def copy(one: Iterate, other: Iterate, lane: int, step: int) -> None:
    """Into the other, from a lane on in steps."""
    stride(one.box, other.box, lane, step)
    stride(one.spare, other.spare, lane, step)
    stride(one.low, other.low, lane, step)
    stride(one.high, other.high, lane, step)
    stride(one.options, other.options, lane, step)
    stride(one.slack, other.slack, lane, step)
    stride(one.rows, other.rows, lane, step)


@compiled
def stride(one: Numbers, other: Numbers, lane: int, step: int) -> None:
    """Every so many entries of an array into another."""
    for m in range(lane, len(one), step):
        other[m] = one[m]
