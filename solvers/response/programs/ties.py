"""The matrix of a whole horizon: slots side by side, tied by what they leave to the next one.

What a slot leaves (waiting jobs, stored energy, warmth) enters two slots, so the normal matrix is block
tridiagonal. Everything within slots is eliminated for all of them at once; only the rows that tie slots
together are then factored one after the other, as in a Riccati recursion. The highest import of a site enters
all slots: a column that borders that matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .rows import Rows, site_blocks, taken
from .slot_program import HEAT, Program

#: Site rows behind those of a slot: content of the battery; with demand charges, what may be imported without
#: raising the highest import.
STORE, CAP = 3, 4
#: The column that ties a site row to the next slot's.
TYING = {HEAT: "warm", STORE: "stored"}
#: How often a solution with a border is refined: where imports are at their highest, little but that holds
#: the power row, so that the matrix without the border is nearly singular.
REFINED = 2
#: What is added to the scaled diagonal.
DAY_RIDGE = {torch.float64: 1e-13, torch.float32: 1e-7}


@dataclass(frozen=True)
class Ties:
    """What a slot leaves, as entries in the rows of the next one (0 behind the last slot): ``held`` (n,K,TB)
    in supply; ``sites`` (·,n,TB) by kind of site row. ``waits`` (n·K,): whether such jobs may wait. ``rise``
    (n,TB), with demand charges: the entries of the first slot's column of that name in all slots."""

    held: Tensor
    sites: dict[int, Tensor]
    waits: Tensor
    rise: Tensor | None = None


class DayRows(Rows):
    """Products with the matrix of a whole horizon."""

    def __init__(self, p: Program, ties: Ties, supply_unit: Tensor, blocks: int):
        super().__init__(p)
        self.ties, self.blocks, self.supply_unit = ties, blocks, supply_unit
        self.batch = p.money.shape[-1] // blocks

    def normal(self, box: Tensor, options: Tensor) -> DayNormal:
        """The factored normal matrix."""
        return DayNormal(self, box, options)

    def taken(self, index: Tensor) -> DayRows:
        """Those of the chosen columns: all slots of the chosen instances."""
        sites = {kind: entry[..., index] for kind, entry in self.ties.sites.items()}
        rise = None if self.ties.rise is None else self.ties.rise[..., index]
        ties = Ties(self.ties.held[..., index], sites, self.ties.waits, rise)
        return DayRows(taken(self.p, index), ties, self.supply_unit[..., index], self.blocks)

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
