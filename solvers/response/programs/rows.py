"""Products with a slot program's matrix, and its factored normal matrix: what the interior point asks for.

The normal matrix is summed over groups of columns, and supply rows, which no two columns of different
(origin, class) share, are eliminated before factoring.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Protocol

import torch
from torch import Tensor

from .features import Features
from .slot_program import GPU, HEAT, POWER, Program

RIDGE = 1e-14


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
        matrix.diagonal().fill_(1.0 + RIDGE)
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


def _blocks(part: Tensor, first: tuple[int, int], second: tuple[int, int]) -> Tensor:
    """A view of a part (R,C,B) of the matrix with rows and columns each as two axes."""
    rows, columns, batch = part.stride()
    size = (*first, *second, part.shape[-1])
    strides = (rows * first[1], rows, columns * second[1], columns, batch)
    return part.as_strided(size, strides, part.storage_offset())


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
