"""How programs lie in memory for compiled loops: tuples of flat arrays of lanes, and where parts begin."""

from __future__ import annotations

from typing import NamedTuple

from stepwatt.solvers.response.native import (
    Integers,
    Lanes,
    Numbers,
    compiled,
    get,
    load,
    put,
    save,
    side,
    spread,
)


class Sizes(NamedTuple):
    """How many: sites, classes, options, segments of waiting jobs, site columns, kinds of site rows, kinds
    that stay within a block at the beginning and at the end, blocks, classes that wait. ``rise``: the site
    column of the first block that enters the last kind of rows of all blocks, or -1. ``links``: limited
    links, as many as there are pairs of sites, or 0; they are in programs of one block."""

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
    links: int


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
    """Coefficients as in :class:`.Program`, rows' multipliers to begin with, and what a job of an
    option is: itself, GPU-seconds, MW (:class:`..features.Features`). Of the whole batch (rows,
    blocks·instances), or flat of a few instances; but ``single`` (rows, instances), or (rows,) of all."""

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
    link: Numbers
    link_slack: Numbers
    single: Numbers


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
    one block's columns, the factored matrix (:mod:`.factor`), the multipliers found, what borders the matrix
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
        site + z.columns * z.sites + z.links,
        queues * z.options,
        2 * queues + z.kinds * z.sites + z.links,
        queues + (z.inner + z.capped) * z.sites + z.links,
        (z.waiting + z.kinds - z.inner - z.capped) * z.sites,
        held,
        lost,
        site,
    )


@compiled
def site_row(z: Sizes, kind: int, j: int) -> int:
    """The row of the reordered matrix that is the site row of this kind."""
    if kind < z.inner:
        return (z.classes + kind) * z.sites + j
    if kind >= z.kinds - z.capped:
        return (z.classes + z.inner) * z.sites + j
    return (z.classes + z.capped + z.waiting + kind) * z.sites + z.links + j


@compiled
def link_row(z: Sizes, m: int) -> int:
    """The row of the reordered matrix that is limited link m."""
    return (z.classes + z.inner + z.capped) * z.sites + m


@compiled
def feature(a: Tables, general: bool, number: int) -> Lanes:
    """Entry ``number`` of the table of options, which in ``general`` instances have each of their own."""
    single = a.single
    if general:
        return get(single, number)
    return spread(single, single[number])


@compiled
def product(a: Tables, general: bool, first: int, second: int) -> Lanes:
    """The product of two entries of that table."""
    single = a.single
    if general:
        return get(single, first) * get(single, second)
    return spread(single, single[first] * single[second])


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
