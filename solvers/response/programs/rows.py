"""Where the rows and columns of a slot program lie, and what is one instance's."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .slot_program import Program

Numbers = NDArray[Any]

#: What is added to the scaled diagonal of the normal matrix.
RIDGE = 1e-14


class Rows:
    """Parts of a program's rows and columns; ``blocks``: how many columns of the batch are one instance's."""

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

    def split(self, rows: Numbers) -> tuple[Numbers, Numbers, Numbers, Numbers | None]:
        """Supply (n,K,B), balance (K,n,B), site rows (R,n,B), links (n,n,B)."""
        n, k, b = self.sites, self.classes, rows.shape[-1]
        supply, balance, sites, links = (rows[part] for part in self.parts)
        return (
            supply.reshape(n, k, b),
            balance.reshape(k, n, b),
            sites.reshape(-1, n, b),
            None if self.p.link_slack is None else links.reshape(n, n, b),
        )

    def boxes(self, box: Numbers) -> tuple[Numbers, Numbers, Numbers, Numbers, Numbers | None]:
        """Transfers (n,K,n,B), held (S,n,K,B), lost (n,K,B), sites (N,n,B), link slack (n,n,B)."""
        n, k, b = self.sites, self.classes, box.shape[-1]
        transfers, held, lost, sites, links = (box[part] for part in self.columns)
        return (
            transfers.reshape(n, k, n, b),
            held.reshape(-1, n, k, b),
            lost.reshape(n, k, b),
            sites.reshape(-1, n, b),
            None if self.p.link_slack is None else links.reshape(n, n, b),
        )

    def total(self, values: Numbers) -> Numbers:
        """(B,) sums over all that is one instance's."""
        return values
