"""The rounds of the exchange: questions to the providers, their answers, the best bound and lots so far."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stepwatt.formulation import Instance

from ..interface.result import relative_gap
from .market import Lots, Market, imbalance_of
from .messages import Post
from .proposal import Proposer
from .provider import Asp, private_view, register

Floats = NDArray[np.float64]


class Exchange:
    """The market and the providers at work.

    ``bound`` (USD) no schedule can be worth more; ``prices`` (J,K,T) those that prove it; ``worth`` (USD) of
    the best ``lots`` with fluid jobs; ``post`` the messages.
    """

    def __init__(self, inst: Instance) -> None:
        self.post = Post()
        views = [private_view(inst, name) for name in inst.sites]
        registered = [register(view) for view in views]
        for one in registered:
            self.post.send("registration", one.serves, one.most_orders)
        self.asps = tuple(Asp(view, registered) for view in views)
        shape = self.asps[0].shape
        self.bound, self.worth = np.inf, -np.inf
        self.prices = np.zeros(shape)
        self.lots = self._latest = Lots(np.zeros((len(self.asps), *shape)))
        self._history: list[dict[str, float]] = []

    @property
    def rounds(self) -> int:
        """Rounds so far."""
        return len(self._history)

    @property
    def gap(self) -> float:
        """Between the bound and the worth of the best lots with fluid jobs, relative."""
        return relative_gap(self.bound, self.worth) if np.isfinite(self.worth) else np.inf

    def open(self) -> None:
        """The first round: every host names what a job would be worth to it alone, and all answer to that.

        Raises:
            NoOperation: a site cannot be operated at all.
        """
        opening = np.array([asp.opening() for asp in self.asps])
        for own in opening:
            self.post.send("opening", own)
        self.post.send("prices", opening)
        answers = self._profits(opening)
        for net in answers:
            self.post.send("proposal", net)
        self._market = Market(opening, answers)
        self._proposers = [Proposer(asp) for asp in self.asps]
        self._judge_lots()
        self._note(answers)

    def ask(self) -> None:
        """One more round."""
        prices, asked, stiffness = self._market.prices, self._market.asked(), self._market.stiffness
        self.post.send("prices", prices)
        self._profits(self._market.average)
        proposals = []
        for asp, proposer in zip(self.asps, self._proposers, strict=True):
            self.post.send("asked", asked[asp.place], stiffness)
            proposals.append(proposer.propose(prices, asked[asp.place], stiffness))
            self.post.send("proposal", proposals[-1])
        self._judge_lots()
        self._note(proposals)
        self._latest = self._market.clear(proposals)

    def tighten(self, *, gap: float, seconds: float) -> None:
        """Ask once more for the best profits at the best prices, of whole jobs now, each for some seconds."""
        profits = [asp.whole_profit(self.prices, gap=gap, seconds=seconds) for asp in self.asps]
        for profit in profits:
            self.post.send("profit", profit)
        self.bound = min(self.bound, sum(profits))

    def _profits(self, prices: Floats) -> list[Floats]:
        """Ask for the best profits, whose sum is a bound; the answers' net jobs, (J,K,T) each."""
        profits, answers = zip(*(asp.response(prices) for asp in self.asps), strict=True)
        for profit in profits:
            self.post.send("profit", profit)
        if sum(profits) < self.bound:
            self.bound, self.prices = sum(profits), prices
        return list(answers)

    def _judge_lots(self) -> None:
        """Ask what the sites earn with the lots of the round before."""
        lots, total = self._latest, 0.0
        for asp in self.asps:
            sent, hosted = lots.sent[asp.place], lots.hosted[asp.place]
            self.post.send("lots", sent, hosted)
            worth = asp.worth(sent, hosted)
            self.post.send("worth", worth)
            total += worth
        if total > self.worth:
            self.worth, self.lots = total, lots

    def _note(self, proposals: list[Floats]) -> None:
        entry = {"bound": self.bound, "worth": self.worth, "imbalance": imbalance_of(proposals)}
        self._history.append(entry)

    def history(self) -> pd.DataFrame:
        """One row per round: best ``bound`` and ``worth`` so far (USD), ``imbalance`` of its proposals."""
        return pd.DataFrame(self._history, index=pd.RangeIndex(1, self.rounds + 1, name="round"))
