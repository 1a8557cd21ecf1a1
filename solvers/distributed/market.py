"""The market for jobs run elsewhere: prices that follow the imbalance, and lots that both sides can keep.

Exchange by the alternating direction method of multipliers (Boyd et al. 2011, "Distributed Optimization and
Statistical Learning via ADMM", section 7.3.2), over-relaxed. The good is a job run at a host, of a class, in
a slot; all tables are (J,K,T): hosts, classes, slots. Net jobs are positive where a provider sends, negative
in its own row, where it hosts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Price move (share of the mean opening price) that answers an imbalance of the mean opening volume.
_STIFFNESS = 0.7
#: Over-relaxation: how far past a proposal the next question goes.
_RELAXATION = 1.7
#: How much the average of prices leans to the latest ones: the larger, the more.
_MEMORY = 8.0
#: Share of every lot left out, for the tolerance of the proposals' solver.
_SPARE = 1e-4
#: Jobs that a whole job may lack, for the same reason.
_ALMOST = 0.01
#: Share of the trade that may hang on how lots are rounded before another way is tried.
_LITTLE = 1e-3


@dataclass(frozen=True)
class Lots:
    """Agreed trade: ``sent[i]`` (J,K,T) jobs that provider i sends to each host, which is to run them."""

    sent: Floats  # (I,J,K,T)

    @property
    def hosted(self) -> Floats:
        """(J,K,T) jobs of others that each host runs."""
        total: Floats = self.sent.sum(axis=0)
        return total

    def whole(self) -> list[Lots]:
        """Lots of whole jobs to choose from: rounded down, and next to the cumulative trade.

        What can be kept can be kept in part; but where jobs are few, rounding down gives away much.
        """
        down = np.floor(self.sent / (1 - _SPARE) + _ALMOST)
        near = np.diff(np.round(self.sent.cumsum(axis=-1)), axis=-1, prepend=0.0)
        little = np.abs(near - down).sum() <= _LITTLE * self.sent.sum()
        return [Lots(down)] if little else [Lots(down), Lots(near)]


class Market:
    """Prices (J,K,T) USD that an origin receives, and a host pays, for each job run at the host.

    Args:
        opening: first prices.
        answers: net jobs of every provider at the opening prices, each (J,K,T).
    """

    def __init__(self, opening: Floats, answers: Sequence[Floats]) -> None:
        self.prices = self.average = opening
        self._tables = 0
        volume = float(np.abs(np.array(answers)).mean()) * len(answers) / 2
        price = float(np.abs(opening).mean())
        self.stiffness = _STIFFNESS * (price or 1.0) / (volume or 1.0)
        self._held = np.zeros((len(answers), *opening.shape))
        self._imbalance = np.zeros_like(opening)

    def asked(self) -> Floats:
        """(I,J,K,T) the trade each provider is asked for: what it proposed less its part of the imbalance."""
        return self._held - self._imbalance

    def clear(self, proposals: Sequence[Floats]) -> Lots:
        """Take the proposals: move prices and questions, and cut both sides to what the other one offers."""
        offered = np.array(proposals)
        self._held = _RELAXATION * offered + (1 - _RELAXATION) * self.asked()
        self._imbalance = self._held.mean(axis=0)
        self.prices = self.prices - self.stiffness * self._imbalance
        self._tables += 1
        share = _MEMORY / (_MEMORY + self._tables)
        self.average = (1 - share) * self.average + share * self.prices
        return lots_of(offered)


def lots_of(offered: Floats) -> Lots:
    """The trade in which, good by good, the longer side is rationed in proportion; net jobs (I,J,K,T)."""
    wanted = np.maximum(offered, 0.0)
    orders = wanted.sum(axis=0)
    places = np.arange(len(offered))
    room = np.maximum(-offered[places, places], 0.0)
    share = np.divide(room, orders, out=np.zeros_like(room), where=orders > 0)
    return Lots(wanted * np.minimum(share, 1.0) * (1 - _SPARE))


def imbalance_of(offered: Sequence[Floats]) -> float:
    """Jobs ordered and not hosted, or the other way round, as a share of all jobs offered on both sides."""
    net = np.array(offered)
    total = float(np.abs(net).sum())
    return float(np.abs(net.sum(axis=0)).sum()) / total if total > 0 else 0.0
