"""A batched interior-point method for slot programs (Mehrotra 1992, "On the implementation of a primal-dual
interior point method", SIAM J. Optim. 2(4)): predictor, corrector, one Cholesky factor per step and instance.

The normal matrix is summed over groups of columns, and supply rows, which no two columns of different
(origin, class) share, are eliminated before factoring. Every iterate's multipliers prove a bound.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Protocol

import torch
from torch import Tensor

from .features import Features
from .program import GPU, HEAT, POWER, Program

#: Relative distance of primal and dual at which an instance is done, and of its rows from their right sides.
TOLERANCE = 1e-9
MOST_STEPS = 40
_RIDGE = 1e-14
#: An instance whose distance is at least this small is also done when a step does not halve it.
GOOD = 1e-6
_SMALL = 64
_START = 0.1


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


class Factored(Protocol):
    """A factored normal matrix A D Aᵀ."""

    def solve(self, right: Tensor) -> Tensor:
        """y of A D Aᵀ y = right, (rows,B)."""


class Rows:
    """Products with the program's matrix. ``blocks``: how many columns of the batch are one instance's."""

    blocks = 1

    def __init__(self, p: Program):
        self.p = p
        self.sites, self.classes = p.option_unit.shape[:2]
        n, k = self.sites, self.classes
        ends = [n * k, 2 * n * k, 2 * n * k + len(p.site) * n, p.right.shape[0]]
        self.parts = [slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True)]
        columns = [
            n * k * n,
            len(p.held) * n * k,
            n * k,
            p.site.shape[1] * n,
            0 if p.link_slack is None else n * n,
        ]
        self.columns = [slice(sum(columns[:m]), sum(columns[: m + 1])) for m in range(len(columns))]

    def split(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Supply (n,K,B), balance (K,n,B), site rows (R,n,B), links (n,n,B)."""
        n, k, b = self.sites, self.classes, rows.shape[-1]
        supply, balance, sites, links = (rows[part] for part in self.parts)
        return (
            supply.view(n, k, b),
            balance.view(k, n, b),
            sites.view(-1, n, b),
            None if self.p.link_slack is None else links.view(n, n, b),
        )

    def boxes(self, box: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]:
        """Transfers (n,K,n,B), held (S,n,K,B), lost (n,K,B), sites (N,n,B), link slack (n,n,B)."""
        n, k, b = self.sites, self.classes, box.shape[-1]
        transfers, held, lost, sites, links = (box[part] for part in self.columns)
        return (
            transfers.view(n, k, n, b),
            held.view(-1, n, k, b),
            lost.view(n, k, b),
            sites.view(-1, n, b),
            None if self.p.link_slack is None else links.view(n, n, b),
        )

    def normal(self, box: Tensor, options: Tensor) -> Factored:
        """The factored normal matrix."""
        return Normal(self, box, options)

    def taken(self, index: Tensor) -> Rows:
        """Those of the chosen instances."""
        return Rows(taken(self.p, index))

    def total(self, values: Tensor) -> Tensor:
        """(B,) sums over all that is one instance's."""
        return values

    def least(self, values: Tensor) -> Tensor:
        """(B,) the least of all that is one instance's."""
        return values

    def priced(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Aᵀy for box columns and options."""
        p = self.p
        supply, balance, sites, links = self.split(rows)
        transfers = torch.addcmul(p.transfer_supply * supply[:, :, None], p.transfer_balance, balance[None])
        if links is not None and p.transfer_link is not None:
            transfers = torch.addcmul(transfers, p.transfer_link, links.unsqueeze(1))
        parts = [transfers, p.held * supply, p.lost * supply, (p.site * sites[:, None]).sum(0)]
        if links is not None and p.link_slack is not None:
            parts.append(p.link_slack * links)
        watts = (p.power_entry * sites[POWER : HEAT + 1]).sum(0)[:, None]
        seconds = p.job_seconds * sites[GPU][:, None] + p.idle_power * watts
        prices = torch.stack([p.open * balance.transpose(0, 1), seconds, p.job_power * watts], dim=2)
        return torch.cat([part.flatten(0, -2) for part in parts]), p.features.priced(prices)

    def used(self, box: Tensor, options: Tensor) -> Tensor:
        """A x (rows,B)."""
        p = self.p
        transfers, held, lost, sites, links = self.boxes(box)
        supply = (p.transfer_supply * transfers).sum(2) + (p.held * held).sum(0) + p.lost * lost
        jobs, seconds, energy = p.features.sums(options).unbind(2)
        balance = (p.transfer_balance * transfers).sum(0) + (p.open * jobs).transpose(0, 1)
        watts = (p.job_power * energy + p.idle_power * seconds).sum(1)
        own = (p.site * sites).sum(1)
        own[GPU] += (p.job_seconds * seconds).sum(1)
        own[POWER : HEAT + 1] += p.power_entry * watts
        parts = [supply, balance, own]
        if links is not None and p.transfer_link is not None and p.link_slack is not None:
            parts.append((p.transfer_link * transfers).sum(1) + p.link_slack * links)
        return torch.cat([part.flatten(0, -2) for part in parts])


class Normal:
    """The factored normal matrix A D Aᵀ for one diagonal D, supply rows eliminated."""

    def __init__(self, rows: Rows, box: Tensor, options: Tensor):
        p, n, k = rows.p, rows.sites, rows.classes
        self.rows = rows
        transfers, held, lost, sites, links = rows.boxes(box)
        empty_supply, empty_balance, empty_sites, empty_links = rows.split(p.empty)
        to_supply = p.transfer_supply * transfers
        staying = (p.held.square() * held).sum(0) + p.lost.square() * lost + empty_supply
        moving = p.transfer_supply * to_supply
        self.supply = staying + moving.sum(2)
        self.to_balance = p.transfer_balance * to_supply  # (n,K,n,B)
        size = n * k + 3 * n + (0 if links is None else n * n)
        b = box.shape[-1]
        matrix = box.new_zeros(size, size, b)
        jk = n * k
        # balance × balance: one block of sites per class
        j1, js, je, ss, se, ee = p.features.squares(options).unbind(2)
        across = self.to_balance / self.supply[:, :, None]
        block = -(self.to_balance[:, :, :, None] * across[:, :, None]).sum(0)  # (K,n,n,B)
        # the diagonal as a sum of positive terms: the difference would cancel
        others = (
            moving[:, :, None] * (1.0 - torch.eye(n, dtype=box.dtype, device=box.device))[..., None]
        ).sum(3)
        left = (staying[:, :, None] + others) / self.supply[:, :, None]
        square = (p.transfer_balance.square() * transfers * left).sum(0) + (p.open * j1).transpose(0, 1)
        block.diagonal(dim1=1, dim2=2).copy_((square + empty_balance).transpose(1, 2))
        _blocks(matrix[:jk, :jk], (k, n), (k, n)).diagonal(dim1=0, dim2=2).copy_(block.movedim(0, -1))
        # site rows × balance, site rows × site rows
        crossed, corner = site_blocks(p, sites, (js, je, ss, se, ee))
        _blocks(matrix[jk : jk + 3 * n, :jk], (3, n), (k, n)).diagonal(dim1=1, dim2=3).copy_(
            crossed.permute(0, 2, 3, 1)
        )
        corner.diagonal().add_(empty_sites.permute(1, 2, 0))
        end = jk + 3 * n
        _blocks(matrix[jk:end, jk:end], (3, n), (3, n)).diagonal(dim1=1, dim2=3).copy_(
            corner.permute(0, 1, 3, 2)
        )
        self.to_links: Tensor | None = None
        if links is not None:
            assert p.transfer_link is not None
            assert p.link_slack is not None
            assert empty_links is not None
            self.to_links = p.transfer_link * to_supply  # (n,K,n,B)
            own = (p.transfer_link.square() * transfers).sum(1) + p.link_slack.square() * links + empty_links
            tail = -torch.einsum("ikjb,iklb->ijlb", self.to_links, self.to_links / self.supply[:, :, None])
            tail.diagonal(dim1=1, dim2=2).add_(own.transpose(1, 2))
            _blocks(matrix[end:, end:], (n, n), (n, n)).diagonal(dim1=0, dim2=2).copy_(tail.movedim(0, -1))
            cross = -torch.einsum("ikjb,iklb->ijklb", self.to_links, across)
            direct = p.transfer_link * p.transfer_balance * transfers  # (n,K,n,B)
            cross.diagonal(dim1=1, dim2=3).add_(direct.permute(0, 1, 3, 2))
            matrix[end:, :jk].copy_(cross.reshape(n * n, jk, b))
        self.scale = matrix.diagonal().t().rsqrt()  # (rows,B)
        matrix.mul_(self.scale[:, None]).mul_(self.scale)
        matrix.diagonal().fill_(1.0 + _RIDGE)
        self.factor = torch.linalg.cholesky_ex(matrix.permute(2, 0, 1))[0]

    def solve(self, right: Tensor) -> Tensor:
        """y of A D Aᵀ y = right, (rows,B)."""
        supply = self.rows.split(right)[0]
        share = supply / self.supply
        rest = right[self.rows.parts[1].start :].clone()
        n, k, b = self.rows.sites, self.rows.classes, right.shape[-1]
        rest[: n * k] -= (self.to_balance * share[:, :, None]).sum(0).reshape(n * k, b)
        if self.to_links is not None:
            rest[n * k + 3 * n :] -= (self.to_links * share[:, :, None]).sum(1).reshape(n * n, b)
        rest *= self.scale
        found = torch.cholesky_solve(rest.t().unsqueeze(-1), self.factor).squeeze(-1).t() * self.scale
        back = (self.to_balance * found[: n * k].reshape(1, k, n, b)).sum(2)
        if self.to_links is not None:
            back = back + (self.to_links * found[n * k + 3 * n :].reshape(n, 1, n, b)).sum(2)
        return torch.cat([(share - back / self.supply).reshape(n * k, b), found])


def site_blocks(p: Program, sites: Tensor, squares: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Site rows × balance (3,n,K,B) and × site rows (R,R,n,B) of the normal matrix.

    ``sites`` (N,n,B) diagonal of the site columns; ``squares`` sums over options of seconds, energy and their
    products, weighted by the diagonal (n,K,B).
    """
    js, je, ss, se, ee = squares
    watts = p.job_power * je + p.idle_power * js
    crossed = torch.stack([p.job_seconds * js, *(watts * p.power_entry[:, :, None])])
    both = (p.job_seconds * (p.job_power * se + p.idle_power * ss)).sum(1)
    watts = (
        p.job_power.square() * ee + 2 * p.job_power * p.idle_power * se + p.idle_power.square() * ss
    ).sum(1)
    corner = (p.site_pairs * sites).sum(2)
    power = slice(POWER, HEAT + 1)
    corner[GPU, GPU] += (p.job_seconds.square() * ss).sum(1)
    corner[power, GPU] += p.power_entry * both
    corner[GPU, power] += p.power_entry * both
    corner[power, power] += p.power_entry[:, None] * p.power_entry[None] * watts
    return crossed, corner


def solve(p: Program, tolerance: float = TOLERANCE) -> Solution:
    """The program's optimum and a bound that holds whatever the accuracy."""
    return solve_rows(Rows(p), tolerance)


@torch.no_grad()
def solve_rows(whole: Rows, tolerance: float) -> Solution:
    """The optimum of a program given by products with its matrix, and a bound.

    Source: Mehrotra's predictor-corrector, begun with every box half full and all multipliers dual feasible,
    which they stay. Instances that are done leave the batch.
    """
    rows, p = whole, whole.p
    alive = torch.arange(p.money.shape[-1], device=p.money.device)
    now = _start(rows)
    out: tuple[Tensor, ...] = tuple(torch.empty_like(x) for x in now)
    before = kept = None
    for _ in range(MOST_STEPS):
        missing = rows.p.right - rows.used(now[0], now[1])
        distance = torch.maximum(rows.total(_products(now)), -rows.least(-missing.abs().amax(0)))
        distance = distance.nan_to_num(torch.inf)
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
    box, options, y = out[0], out[1], out[6]
    value = (p.cost * box).sum(0) + (p.option_cost * options * p.open[:, :, None]).sum((0, 1, 2))
    missing = (p.right - whole.used(box, options)).abs().amax(0)
    bound = proven_bound(whole, y)
    return Solution(box, options, y, whole.total(p.constant - p.money * value), bound, missing)


#: Box columns, options, what is left of the boxes, multipliers of lower and upper ends, of options, of rows.
Iterate = tuple[Tensor, ...]


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


def _blocks(part: Tensor, first: tuple[int, int], second: tuple[int, int]) -> Tensor:
    """A view of a part (R,C,B) of the matrix with rows and columns each as two axes."""
    rows, columns, batch = part.stride()
    size = (*first, *second, part.shape[-1])
    strides = (rows * first[1], rows, columns * second[1], columns, batch)
    return part.as_strided(size, strides, part.storage_offset())


def _start(rows: Rows) -> Iterate:
    p = rows.p
    box = torch.full_like(p.cost, 0.5)
    options = torch.full_like(p.option_cost, 0.5 / p.option_cost.shape[2])
    y = torch.zeros_like(p.right)
    cheapest = p.option_cost.amin(2) - _START
    y[rows.parts[1]] = (p.open * cheapest).transpose(0, 1).flatten(0, 1)
    reduced, above = _reduced(rows, y)
    low, high = reduced.clamp(min=0) + _START, (-reduced).clamp(min=0) + _START
    return box, options, 1.0 - box, low, high, above, y


def taken(p: Program, index: Tensor) -> Program:
    """The chosen instances."""
    chosen: dict[str, Any] = {}
    for f in fields(p):
        value = getattr(p, f.name)
        if isinstance(value, Features):
            value = value.taken(index)
        elif isinstance(value, Tensor) and value.shape[-1] > 1:
            value = value[..., index]
        chosen[f.name] = value
    return Program(**chosen)
