"""Programs as tensors: products with the matrix, and its factored normal matrix, for :mod:`.interior`.

The normal matrix is summed over groups of columns, and supply rows, which no two columns of different
(origin, class) share, are eliminated before factoring. That of a whole horizon is block tridiagonal
(:mod:`.ties`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from ..programs import features, ties
from ..programs import slot_program as program
from ..programs.rows import RIDGE
from ..programs.slot_program import GPU, HEAT, POWER
from ..programs.ties import CAP, STORE, TYING

#: How often a solution with a border is refined: where imports are at their highest, little but that holds
#: the power row, so that the matrix without the border is nearly singular.
REFINED = 2
DAY_RIDGE = {torch.float64: 1e-13, torch.float32: 1e-7}


@dataclass(frozen=True)
class Features:
    """:class:`.features.Features` as tensors."""

    single: Tensor
    pairs: Tensor

    def to(self, kind: torch.dtype) -> Features:
        """The same numbers in another precision."""
        return Features(self.single.to(kind), self.pairs.to(kind))

    def sums(self, amounts: Tensor) -> Tensor:
        """(n,K,3,B) of amounts (n,K,O,B)."""
        return _summed(self.single, amounts)

    def squares(self, amounts: Tensor) -> Tensor:
        """(n,K,6,B) of amounts (n,K,O,B)."""
        return _summed(self.pairs, amounts)

    def priced(self, prices: Tensor) -> Tensor:
        """(n,K,O,B): what one of each option costs at prices (n,K,3,B)."""
        if self.single.dim() == 4:
            return self.single.transpose(-1, -2) @ prices
        cost = self.single[:, :, 0] * prices[:, :, :1]
        for m in (1, 2):
            cost = torch.addcmul(cost, self.single[:, :, m], prices[:, :, m : m + 1])
        return cost

    def taken(self, index: Tensor) -> Features:
        """Those of the chosen instances."""
        if self.single.dim() == 4:
            return self
        return Features(self.single[..., index], self.pairs[..., index])


def _summed(table: Tensor, amounts: Tensor) -> Tensor:
    if table.dim() == 4:
        return table @ amounts
    return torch.stack([(table[:, :, m] * amounts).sum(2) for m in range(table.shape[2])], dim=2)


@dataclass(frozen=True)
class Program:
    """What the method reads of :class:`.program.Program`, as tensors."""

    cost: Tensor
    option_cost: Tensor
    features: Features
    open: Tensor
    job_seconds: Tensor
    job_power: Tensor
    idle_power: Tensor
    power_entry: Tensor
    transfer_supply: Tensor
    transfer_balance: Tensor
    transfer_link: Tensor | None
    held: Tensor
    lost: Tensor
    site: Tensor
    link_slack: Tensor | None
    right: Tensor
    empty: Tensor
    option_unit: Tensor
    money: Tensor
    constant: Tensor
    names: dict[str, slice]

    def to(self, kind: torch.dtype) -> Program:
        """The same numbers in another precision."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        real = {n: v.to(kind) for n, v in values.items() if isinstance(v, Tensor)}
        return replace(self, **{**values, **real, "features": self.features.to(kind)})


def program_of(p: program.Program) -> Program:
    """The same numbers as tensors, without a copy."""
    values: dict[str, Any] = {f.name: getattr(p, f.name) for f in fields(Program)}
    for name, value in values.items():
        if isinstance(value, features.Features):
            values[name] = Features(torch.from_numpy(value.single), torch.from_numpy(value.pairs))
        elif name != "names" and value is not None:
            values[name] = torch.from_numpy(value)
    return Program(**values)


def rows_of(rows: ties.DayRows) -> DayRows:
    """The rows of a horizon of tensors."""
    own = rows.ties
    entries = {kind: torch.from_numpy(entry) for kind, entry in own.sites.items()}
    rise = None if own.rise is None else torch.from_numpy(own.rise)
    tied = Ties(torch.from_numpy(own.held), entries, torch.from_numpy(own.waits), rise)
    return DayRows(program_of(rows.p), tied, rows.blocks)


@dataclass(frozen=True)
class Ties:
    """:class:`.ties.Ties` as tensors."""

    held: Tensor
    sites: dict[int, Tensor]
    waits: Tensor
    rise: Tensor | None = None


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
    corner = (p.site[:, None] * p.site[None] * sites).sum(2)
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


class DayRows(Rows):
    """Products with the matrix of a whole horizon."""

    def __init__(self, p: Program, ties: Ties, blocks: int):
        super().__init__(p)
        self.ties, self.blocks = ties, blocks
        self.batch = p.money.shape[-1] // blocks

    def normal(self, box: Tensor, options: Tensor) -> DayNormal:
        """The factored normal matrix."""
        return DayNormal(self, box, options)

    def taken(self, index: Tensor) -> DayRows:
        """Those of the chosen columns: all slots of the chosen instances."""
        sites = {kind: entry[..., index] for kind, entry in self.ties.sites.items()}
        rise = None if self.ties.rise is None else self.ties.rise[..., index]
        ties = Ties(self.ties.held[..., index], sites, self.ties.waits, rise)
        return DayRows(taken(self.p, index), ties, self.blocks)

    def total(self, values: Tensor) -> Tensor:
        """(TB,) sums over an instance's slots, at each of them."""
        return values.view(self.blocks, -1).sum(0).repeat(self.blocks)

    def least(self, values: Tensor) -> Tensor:
        """(TB,) the least of an instance's slots, at each of them."""
        return values.view(self.blocks, -1).amin(0).repeat(self.blocks)

    def priced(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Aᵀy for box columns and options."""
        box, options = super().priced(rows)
        supply, _, sites, _ = self.split(rows)
        _, held, _, own, _ = self.boxes(box)
        held[0] += self.ties.held * self.next(supply)
        for kind, entry in self.ties.sites.items():
            own[self.p.names[TYING[kind]]] += entry * self.next(sites[kind])
        if self.ties.rise is not None:
            self.rise(own).add_(self.over(self.ties.rise * sites[CAP]))
        return box, options

    def used(self, box: Tensor, options: Tensor) -> Tensor:
        """A x (rows,TB)."""
        rows = super().used(box, options)
        _, held, _, own, _ = self.boxes(box)
        supply, _, sites, _ = self.split(rows)
        supply += self.before(self.ties.held * held[0])
        for kind, entry in self.ties.sites.items():
            sites[kind] += self.before((entry * own[self.p.names[TYING[kind]]]).sum(0))
        if self.ties.rise is not None:
            sites[CAP] += self.ties.rise * self.rise(own).repeat(1, self.blocks)
        return rows

    def rise(self, sites: Tensor) -> Tensor:
        """(n,N) the part of site columns (·,n,TB) that borders all slots."""
        return sites[self.p.names["rise"]][0, :, : self.batch]

    def over(self, values: Tensor) -> Tensor:
        """(n,N) sums over all slots of (n,TB)."""
        return values.view(len(values), self.blocks, -1).sum(1)

    def next(self, values: Tensor) -> Tensor:
        """(...,TB) what the next slot has."""
        return torch.cat([values[..., self.batch :], torch.zeros_like(values[..., : self.batch])], -1)

    def before(self, values: Tensor) -> Tensor:
        """(...,TB) what the slot before has."""
        return torch.cat([torch.zeros_like(values[..., : self.batch]), values[..., : -self.batch]], -1)


class DayNormal:
    """The factored normal matrix A D Aᵀ, block tridiagonal over slots."""

    def __init__(self, rows: DayRows, box: Tensor, options: Tensor):
        p, n, k, ties = rows.p, rows.sites, rows.classes, rows.ties
        self.rows, self.box, self.options = rows, box, options
        transfers, held, lost, sites, _ = rows.boxes(box)
        empty_supply, empty_balance, empty_sites, _ = rows.split(p.empty)
        jk, size = n * k, p.right.shape[0]
        columns = box.shape[-1]
        matrix = box.new_zeros(size, size, columns)
        tied = held[0] * ties.held
        tied_sites = {kind: entry * sites[p.names[TYING[kind]]] for kind, entry in ties.sites.items()}
        to_supply = p.transfer_supply * transfers
        supply = p.held.square() * held + rows.before(ties.held * tied)
        supply = supply.sum(0) + p.lost.square() * lost + (p.transfer_supply * to_supply).sum(2)
        matrix[:jk, :jk].diagonal(dim1=0, dim2=1).copy_((supply + empty_supply).reshape(jk, columns).t())
        across = (p.transfer_balance * to_supply).permute(1, 2, 0, 3)  # (K,n balance,n supply,·)
        part = matrix[jk : 2 * jk, :jk].view(k, n, n, k, columns)
        part.diagonal(dim1=0, dim2=3).copy_(across.permute(1, 2, 3, 0))
        j1, *squares = p.features.squares(options).unbind(2)
        balance = (p.transfer_balance.square() * transfers).sum(0) + (p.open * j1).transpose(0, 1)
        matrix[jk : 2 * jk, jk : 2 * jk].diagonal(dim1=0, dim2=1).copy_(
            (balance + empty_balance).reshape(jk, columns).t()
        )
        crossed, corner = site_blocks(p, sites, tuple(squares))
        part = matrix[2 * jk : 2 * jk + 3 * n, jk : 2 * jk].view(3, n, k, n, columns)
        part.diagonal(dim1=1, dim2=3).copy_(crossed.permute(0, 2, 3, 1))
        for kind, entry in ties.sites.items():
            corner[kind, kind] += rows.before((entry * tied_sites[kind]).sum(0))
        corner.diagonal().add_(empty_sites.permute(1, 2, 0))
        part = matrix[2 * jk :, 2 * jk :].view(len(p.site), n, len(p.site), n, columns)
        part.diagonal(dim1=1, dim2=3).copy_(corner.permute(0, 1, 3, 2))
        scale = matrix.diagonal().t().rsqrt()
        matrix.mul_(scale[:, None]).mul_(scale)
        matrix.diagonal().fill_(1.0 + DAY_RIDGE[matrix.dtype])
        self.scale = scale
        # supply and balance were filled below the diagonal only
        matrix[:jk, jk : 2 * jk] = matrix[jk : 2 * jk, :jk].transpose(0, 1)
        matrix[jk : 2 * jk, 2 * jk :] = matrix[2 * jk :, jk : 2 * jk].transpose(0, 1)
        # supply rows of classes that never wait are alone on the diagonal
        self.alone: list[tuple[slice, slice, Tensor]] = []
        kept = torch.ones(size, dtype=torch.bool)
        for c in (~ties.waits.view(n, k)[0]).nonzero()[:, 0].tolist():
            here, there = slice(c, jk, k), slice(jk + c * n, jk + (c + 1) * n)
            entry = matrix[there, here].clone()  # (n balance,n supply,·)
            matrix[there, there] -= (entry[:, None] * entry).sum(2)
            self.alone.append((here, there, entry))
            kept[here] = False
        # rows that tie slots together come last
        is_tie = torch.zeros(size, dtype=torch.bool)
        is_tie[:jk] = ties.waits
        is_tie[2 * jk + HEAT * n : 2 * jk + (STORE + 1) * n] = True
        self.ties, self.inner = is_tie.nonzero()[:, 0], (~is_tie & kept).nonzero()[:, 0]
        order, cut = torch.cat([self.inner, self.ties]), len(self.inner)
        whole = matrix[order[:, None], order].permute(2, 0, 1).contiguous()
        self.lower = whole[:, cut:, :cut]
        self.factor = torch.linalg.cholesky_ex(whole[:, :cut, :cut])[0]
        self.back = torch.cholesky_solve(self.lower.transpose(1, 2), self.factor)  # (·,inner,ties)
        own = whole[:, cut:, cut:] - self.lower @ self.back
        # entries between a slot's ties and the next one's
        waiting = int(ties.waits.sum())
        between = box.new_zeros(len(self.ties), len(self.ties), columns)
        between[:waiting, :waiting].diagonal(dim1=0, dim2=1).copy_(
            (p.held[0] * tied).reshape(jk, columns)[ties.waits].t()
        )
        kinds = range(HEAT, STORE + 1)
        part = between[waiting:, waiting:].view(len(kinds), n, len(kinds), n, columns)
        for at, kind in enumerate(kinds):
            for after in ties.sites:
                entry = (p.site[kind][p.names[TYING[after]]] * tied_sites[after]).sum(0)
                part[at, :, after - HEAT].diagonal(dim1=0, dim2=1).copy_(entry.t())
        between *= scale[self.ties][:, None]
        between *= rows.next(scale[self.ties])
        blocks, batch = rows.blocks, rows.batch
        self.between = between.permute(2, 0, 1).reshape(blocks, batch, *between.shape[:2])
        own = own.view(blocks, batch, *own.shape[1:])
        inverses: list[Tensor] = []
        for t in range(blocks):
            now = own[t]
            if t:
                tie = self.between[t - 1]
                now = now - tie.transpose(1, 2) @ inverses[-1] @ tie
            factor = torch.linalg.cholesky_ex(now)[0]
            # an instance that has broken down must not stop the others
            factor.diagonal(dim1=1, dim2=2).clamp_(min=torch.finfo(factor.dtype).tiny)
            inverses.append(torch.cholesky_inverse(factor))
        self.inverses = inverses
        self.border: list[Tensor] = []
        if ties.rise is not None:
            for site, entry in enumerate(ties.rise):
                right = box.new_zeros(size, columns)
                right[2 * jk + CAP * n + site] = entry
                self.border.append(self._solve(right))
            corner = torch.stack([self._risen(one) for one in self.border], 2)  # (N,n,n)
            self.corner = corner + torch.diag_embed(1.0 / rows.rise(sites).t())

    def _risen(self, rows: Tensor) -> Tensor:
        """(N,n) products of rows (rows,TB) with the columns of the border."""
        assert self.rows.ties.rise is not None
        return self.rows.over(self.rows.ties.rise * self.rows.split(rows)[2][CAP]).t()

    def solve(self, right: Tensor) -> Tensor:
        """y of A D Aᵀ y = right, (rows,TB)."""
        found = self._bordered(right)
        if self.border:
            for _ in range(REFINED):
                box, options = self.rows.priced(found)
                used = self.rows.used(self.box * box, self.options * options)
                found = found + self._bordered(right - used - self.rows.p.empty * found)
        return found

    def _bordered(self, right: Tensor) -> Tensor:
        found = self._solve(right)
        if self.border:
            risen = torch.linalg.solve_ex(self.corner, self._risen(found))[0]
            for one, amount in zip(self.border, risen.t(), strict=True):
                found = found - one * amount.repeat(self.rows.blocks)
        return found

    def _solve(self, right: Tensor) -> Tensor:
        """The same without the border."""
        blocks, batch = self.rows.blocks, self.rows.batch
        rows = right * self.scale
        for here, there, entry in self.alone:
            rows[there] -= (entry * rows[here]).sum(1)
        scaled = rows.t()  # (TB,rows)
        inner = torch.cholesky_solve(scaled[:, self.inner, None], self.factor)
        rest = scaled[:, self.ties, None] - self.lower @ inner
        rest = rest.view(blocks, batch, -1, 1)
        carried = [rest[0]]
        for t in range(1, blocks):
            tie = self.between[t - 1].transpose(1, 2)
            carried.append(rest[t] - tie @ (self.inverses[t - 1] @ carried[-1]))
        found = [self.inverses[-1] @ carried[-1]]
        for t in reversed(range(blocks - 1)):
            found.append(self.inverses[t] @ (carried[t] - self.between[t] @ found[-1]))
        ties = torch.stack(found[::-1]).view(blocks * batch, -1, 1)
        inner = inner - self.back @ ties
        rows[self.ties], rows[self.inner] = ties[..., 0].t(), inner[..., 0].t()
        for here, there, entry in self.alone:
            rows[here] -= (entry * rows[there][:, None]).sum(0)
        return rows * self.scale
