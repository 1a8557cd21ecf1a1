"""A batched interior-point method for slot programs (Mehrotra 1992, "On the implementation of a primal-dual
interior point method", SIAM J. Optim. 2(4)): predictor, corrector, one Cholesky factor per step and instance.

Every iterate's multipliers prove a bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .solution import GOOD, MOST_STEPS, START, TOLERANCE
from .tensors_rows import Program, Rows

#: Instances from which on single precision is worth a start, how far it is followed, from which distance on
#: it is of no use, and how far such a start keeps from the edges.
LARGE, ROUGH, USABLE, _EDGE = 256, 3e-3, 0.1, 1e-9
_SMALL = 64

#: Box columns, options, what is left of the boxes, multipliers of lower and upper ends, of options, of rows.
Iterate = tuple[Tensor, ...]


@dataclass(frozen=True)
class Solution:
    """Shares ``box`` (columns,B) and ``options`` (n,K,O,B), ``multipliers`` (rows,B), in the program's units.

    ``value`` (B,) USD of the maximum found, ``bound`` (B,) USD that no decision exceeds.
    """

    box: Tensor
    options: Tensor
    multipliers: Tensor
    value: Tensor
    bound: Tensor
    residual: Tensor


def solve(p: Program, tolerance: float = TOLERANCE) -> Solution:
    """The program's optimum and a bound that holds whatever the accuracy.

    In a large batch memory is what takes time; so the first steps, which need not be exact, are in single
    precision.
    """
    rows = Rows(p)
    if p.money.shape[-1] < LARGE:
        return solve_rows(rows, tolerance)
    rough = Rows(p.to(torch.float32))
    return solve_rows(rows, tolerance, _exact(rows, _follow(rough, _start(rough), ROUGH)))


@torch.no_grad()
def solve_rows(whole: Rows, tolerance: float, start: Iterate | None = None) -> Solution:
    """The optimum of a program given by products with its matrix, and a bound.

    Source: Mehrotra's predictor-corrector, begun with every box half full and all multipliers dual feasible,
    which they stay.
    """
    p = whole.p
    box, options, *_, y = _follow(whole, _start(whole) if start is None else start, tolerance)
    value = (p.cost * box).sum(0) + (p.option_cost * options * p.open[:, :, None]).sum((0, 1, 2))
    missing = (p.right - whole.used(box, options)).abs().amax(0)
    bound = proven_bound(whole, y)
    return Solution(box, options, y, whole.total(p.constant - p.money * value), bound, missing)


@torch.no_grad()
def _follow(rows: Rows, now: Iterate, tolerance: float) -> Iterate:
    """Steps until the tolerance is met; instances that are done leave the batch."""
    alive = torch.arange(rows.p.money.shape[-1], device=rows.p.money.device)
    out: tuple[Tensor, ...] = tuple(torch.empty_like(x) for x in now)
    before = kept = None
    for _ in range(MOST_STEPS):
        missing, distance = _left(rows, now)
        done = distance < tolerance
        if before is not None and kept is not None:
            stuck = (before < GOOD) & (distance > before / 2)
            worse = distance > before
            if bool((stuck & worse).any()):
                now = tuple(torch.where(stuck & worse, a, b) for a, b in zip(kept, now, strict=True))
            done = done | stuck
        if bool(done.all()):
            break
        if len(done) > _SMALL and int(done.sum()) * 3 > len(done):
            for whole_part, part in zip(out, now, strict=True):
                whole_part[..., alive] = part
            left = (~done).nonzero()[:, 0]
            alive, rows = alive[left], rows.taken(left)
            now = tuple(part[..., left] for part in now)
            missing, distance, done = missing[:, left], distance[left], done[left]
        before, kept = distance, now
        now = _step(rows, now, missing, done)
    for whole_part, part in zip(out, now, strict=True):
        whole_part[..., alive] = part
    return out


def _left(rows: Rows, now: Iterate) -> tuple[Tensor, Tensor]:
    """What the rows (rows,B) miss, and the larger of that and the distance of primal and dual, (B,)."""
    missing = rows.p.right - rows.used(now[0], now[1])
    distance = torch.maximum(rows.total(_products(now)), -rows.least(-missing.abs().amax(0)))
    return missing, distance.nan_to_num(torch.inf)


@torch.no_grad()
def _exact(rows: Rows, rough: Iterate) -> Iterate:
    """A rough iterate in double precision, dual feasible again; the start where it is of no use."""
    start = _start(rows)
    box, options, _, low, high, _, y = (part.double() for part in rough)
    box, options = box.clamp(_EDGE, 1.0 - _EDGE), options.clamp(min=_EDGE)
    low, high = low.clamp(min=_EDGE), high.clamp(min=_EDGE)
    # the row of a (site, class) takes what its cheapest option is below 0
    _, above = _reduced(rows, y)
    below = (rows.p.open * (above.amin(2) - _EDGE)).clamp(max=0.0)
    y[rows.parts[1]] += below.transpose(0, 1).flatten(0, 1)
    reduced, above = _reduced(rows, y)
    apart = reduced - (low - high)
    low, high = low + apart.clamp(min=0.0), high + (-apart).clamp(min=0.0)
    now = (box, options, 1.0 - box, low, high, above.clamp(min=_EDGE), y)
    usable = _left(rows, now)[1] < USABLE
    return tuple(torch.where(usable, part, fresh) for part, fresh in zip(now, start, strict=True))


def _products(now: Iterate) -> Tensor:
    box, options, spare, low, high, slack, _ = now
    return (low * box).sum(0) + (high * spare).sum(0) + (slack * options).sum((0, 1, 2))


def _step(rows: Rows, now: Iterate, missing: Tensor, done: Tensor) -> Iterate:
    """One predictor-corrector step; instances that are done stand still."""
    box, options, spare, low, high, slack, y = now
    d_box, d_options = 1.0 / (low / box + high / spare), options / slack
    normal = rows.normal(d_box, d_options)

    def direction(pull_box: Tensor, pull_options: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        right = missing + rows.used(d_box * pull_box, d_options * pull_options)
        step = torch.where(done, 0.0, normal.solve(right)).nan_to_num(0.0, 0.0, 0.0)
        priced_box, priced_options = rows.priced(step)
        return (
            d_box.mul(priced_box.sub_(pull_box)),
            d_options.mul(priced_options.sub_(pull_options)),
            step,
        )

    # predictor: straight to the optimum
    to_box, to_options, _ = direction(low - high, slack)
    by_low, by_high, by_options = to_box / box, -to_box / spare, to_options / options
    least, most = _range(rows, by_low, by_high, by_options)
    primal, dual = 1.0 / (-least).clamp(min=1.0), 1.0 / (1.0 + most).clamp(min=1.0)
    zeroth, first, second = (
        rows.total(_summed(low * box, by_low, power) + _summed(high * spare, by_high, power)
        + _summed(slack * options, by_options, power))
        for power in range(3)
    )  # fmt: skip
    ahead = zeroth + primal * first - dual * (zeroth + first) - primal * dual * (first + second)
    count = (2 * box.shape[0] + options[..., 0].numel()) * rows.blocks
    centre = (ahead / zeroth).clamp(min=0.0, max=1.0) ** 3 * zeroth / count
    # corrector: centred, with the predictor's second-order term
    want_low = centre / box + low * (by_low * (1.0 + by_low) - 1.0)
    want_high = centre / spare + high * (by_high * (1.0 + by_high) - 1.0)
    want_options = centre / options + slack * (by_options * (1.0 + by_options) - 1.0)
    to_box, to_options, to_y = direction(want_high - want_low, -want_options)
    to_low = want_low - low * to_box / box
    to_high = want_high + high * to_box / spare
    to_slack = want_options - slack * to_options / options
    primal = 1.0 / (-_range(rows, to_box / box, -to_box / spare, to_options / options)[0]).clamp(min=1.0)
    dual = 1.0 / (-_range(rows, to_low / low, to_high / high, to_slack / slack)[0]).clamp(min=1.0)
    nearly = 1.0 - (zeroth / count).clamp(min=1e-6, max=0.005)
    primal, dual = (torch.where(done, 0.0, nearly * length) for length in (primal, dual))
    return (
        torch.addcmul(box, primal, to_box),
        torch.addcmul(options, primal, to_options),
        torch.addcmul(spare, primal, to_box, value=-1.0),
        torch.addcmul(low, dual, to_low),
        torch.addcmul(high, dual, to_high),
        torch.addcmul(slack, dual, to_slack),
        torch.addcmul(y, dual, to_y),
    )


def _summed(weights: Tensor, values: Tensor, power: int) -> Tensor:
    """(B,) of weights times a power of the values."""
    product = weights if power == 0 else weights * values if power == 1 else weights * values * values
    return product.flatten(0, -2).sum(0)


def _range(rows: Rows, *ratios: Tensor) -> tuple[Tensor, Tensor]:
    """(B,) least and largest of all."""
    flat = [ratio.flatten(0, -2) for ratio in ratios]
    least = torch.stack([part.amin(0) for part in flat]).amin(0)
    most = torch.stack([part.amax(0) for part in flat]).amax(0)
    return rows.least(least), -rows.least(-most)


def proven_bound(rows: Rows, y: Tensor) -> Tensor:
    """(B,) USD: an upper bound on the program's maximum for any multipliers (weak duality over its box).

    Of the options of a (site, class) at most a unit runs in all, so only the best of them counts.
    """
    p, y = rows.p, y.nan_to_num(0.0, 0.0, 0.0)
    reduced, above = _reduced(rows, y)
    least = (p.right * y).sum(0) + reduced.clamp(max=0).sum(0)
    best = (above.amin(2) * p.open).clamp(max=0)
    # entries are of size one, and every column sums a handful of products
    rounding = 16 * torch.finfo(y.dtype).eps * (len(p.cost) + p.option_cost[..., 0].numel()) * y.abs().sum(0)
    return rows.total(p.constant - p.money * (least + best.sum((0, 1)) - rounding))


def _reduced(rows: Rows, y: Tensor) -> tuple[Tensor, Tensor]:
    box, options = rows.priced(y)
    p = rows.p
    return p.cost - box, p.option_cost - options


def _start(rows: Rows) -> Iterate:
    p = rows.p
    box = torch.full_like(p.cost, 0.5)
    options = torch.full_like(p.option_cost, 0.5 / p.option_cost.shape[2])
    y = torch.zeros_like(p.right)
    cheapest = p.option_cost.amin(2) - START
    y[rows.parts[1]] = (p.open * cheapest).transpose(0, 1).flatten(0, 1)
    reduced, above = _reduced(rows, y)
    low, high = reduced.clamp(min=0) + START, (-reduced).clamp(min=0) + START
    return box, options, 1.0 - box, low, high, above, y
