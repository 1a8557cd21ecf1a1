"""A slot's best response found by trade: each provider answers from its own problem, prices find the rest.

Mathematics, messages and what they disclose: docs/distributed.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.state import PlantState, Request

from ..response import Plan, SlotPrices, best_response
from .clearing import clear
from .private import own_place, own_rows

Numbers = NDArray[Any]

#: Rounds of questions and answers at most, the gap that ends them, and the one where slots only rehearse.
ROUNDS, GAP, ROUGH = 40, 1e-4, 1e-3
#: Share of the present gap within which the market's prices to ask next lie.
_CENTRAL = 0.1
#: How far prices may leave what a job costs when missed and what it brings at most, in shares of that range.
_MARGIN = 0.05
#: What a hosted job that does not run would cost, in terms of the most that it can bring.
_MUST = 10.0


@dataclass(frozen=True)
class Trade:
    """What came out: the joint ``request``; ``objective`` (N,) USD that the providers' plans bring together
    and ``bound`` (N,) USD that no joint response exceeds; ``prices`` (N,J,K) USD per job run at a host, those
    that prove the bound; ``sent`` (N,I,J,K) jobs; ``rounds`` (N,) of questions and answers needed."""

    request: Request
    objective: Numbers
    bound: Numbers
    prices: Numbers
    sent: Numbers
    rounds: NDArray[np.int64]

    @property
    def numbers(self) -> NDArray[np.int64]:
        """(N,) numbers that a provider sends and receives: see the messages in docs/distributed.md."""
        _, n, _, k = self.sent.shape
        announced, alone, answered, lots = k * (1 + n), 1, 2 * n * k + 2, (n + 1) * k
        found: NDArray[np.int64] = announced + alone + self.rounds * answered + lots
        return found

    @property
    def gap(self) -> Numbers:
        """(N,) (bound − objective)/max(|bound|, 1e-9)."""
        found: Numbers = (self.bound - self.objective) / np.maximum(np.abs(self.bound), 1e-9)
        return found


@dataclass(frozen=True)
class Terms:
    """What all know before the slots: ``serves`` (N,J,K) which classes hosts can run; ``least`` and ``most``
    (N,J,K) USD, ends of what a job run there can be worth to its origin."""

    serves: NDArray[np.bool_]
    least: Numbers
    most: Numbers


def terms(own: Problem) -> Terms:
    """From what every host announces once: the classes it serves, and the most a job brings there."""
    n = own.shape.sites
    serves = own_rows((own.row >= 0).any(-1), n)
    brings = own_rows(np.where(own.row >= 0, own.revenue, 0.0).max(-1), n).max(1, keepdims=True)
    missed = own_rows(own.miss_penalty, n).max(1, keepdims=True)
    span = np.maximum(brings + missed, 1e-9)
    least, most = -missed - _MARGIN * span, brings + _MARGIN * span
    return Terms(serves, np.broadcast_to(least, serves.shape), np.broadcast_to(most, serves.shape))


def announced(own: Problem, t: int, state: PlantState) -> Numbers:
    """(N,I,K) jobs that each will order at most: those at hand, rounded up to a power of two."""
    at_hand = own_rows(state.waiting + own.arrivals[t], own.shape.sites)
    return np.where(at_hand > 0, 2.0 ** np.ceil(np.log2(np.maximum(at_hand, 1e-9))), 0.0)


def exchange(
    own: Problem,
    t: int,
    state: PlantState,
    prices: SlotPrices,
    opening: Numbers,
    *,
    rounds: int = ROUNDS,
    gap: float = GAP,
) -> Trade:
    """Trade jobs of slot t until what is lost against the joint response is certified to be within ``gap``.

    Args:
        own: the providers' own problems (:func:`.private.private`).
        t: the slot.
        state: as each knows it (:func:`.private.private_state`), n·N in all.
        prices: what each says its own leavings are worth, n·N in all.
        opening: (N,J,K) prices of jobs to begin with.
        rounds: of questions and answers at most.
        gap: relative to the bound.
    """
    n = own.shape.sites
    batch, goods = len(own) // n, n * own.shape.classes
    known, orders = terms(own), announced(own, t, state)
    span = known.most - known.least
    asked = np.maximum(np.minimum(opening, known.most - 0.01 * span), known.least + 0.01 * span)
    alone = answers(own, t, state, prices, None, orders)
    worth, net = [alone.worth], [alone.net]
    bound = np.full(batch, np.inf)
    value, best = alone.worth.sum(1), asked
    needed = np.full(batch, rounds)
    shares = np.ones((batch, n, 1))
    for number in range(1, rounds + 1):
        answer = answers(own, t, state, prices, asked, orders)
        profits = answer.profit.sum(1)
        best = np.where((profits < bound)[:, None, None], asked, best)
        bound = np.minimum(bound, profits)
        worth.append(answer.worth)
        net.append(answer.net)
        cleared = clear(
            np.stack(worth, 2),
            np.stack(net, 2).reshape(batch, n, -1, goods),
            known.least.reshape(batch, goods),
            known.most.reshape(batch, goods),
            asked.reshape(batch, goods),
            _CENTRAL * np.maximum(bound - value, 0.0),
        )
        shares, value = cleared.shares, np.maximum(value, cleared.value)
        done = bound - value <= gap * np.abs(bound)
        needed = np.where(done & (needed == rounds), number, needed)
        if done.all():
            break
        asked = cleared.asked.reshape(asked.shape)
    sent = _lots(np.einsum("bir,birjk->bijk", shares, np.stack(net, 2)))
    request, objective = _settled(own, t, state, prices, sent, known)
    return Trade(request, objective, bound, best, sent, needed)


@dataclass(frozen=True)
class Answers:
    """``profit`` (N,n) USD at most, at the prices asked; ``net`` (N,n,J,K) jobs, positive where sent and
    negative where hosted; ``worth`` (N,n) USD of the own plan, payments left out."""

    profit: Numbers
    net: Numbers
    worth: Numbers


def answers(
    own: Problem, t: int, state: PlantState, prices: SlotPrices, asked: Numbers | None, orders: Numbers
) -> Answers:
    """What each provider would do at the prices; without prices, alone."""
    n = own.shape.sites
    batch = len(own) // n
    at = own_place(n, batch)
    if asked is None:
        paid = np.zeros_like(own.moving_cost)
        home = at[:, :, None, None] * at[:, None, None, :]
        trading = replace(own, open=own.open * home)
    else:
        known = np.tile(asked, (n, 1, 1)).swapaxes(1, 2)[:, None]  # (n·N,1,K,J)
        away = at[:, :, None, None] * (1 - at[:, None, None, :])
        comes = (1 - at[:, :, None, None]) * at[:, None, None, :]
        paid = (comes - away) * known
        trading = replace(own, moving_cost=own.moving_cost + paid)
        others = np.tile(orders, (n, 1, 1)) * (1 - at[..., None])
        state = replace(state, waiting=state.waiting + others)
    plan = best_response(trading, t, state, prices)
    moved = plan.request.transfers  # (n·N,I,K,J)
    net = own_rows(moved, n).swapaxes(2, 3).copy()  # (N,i,J,K)
    here = np.arange(n)
    net[:, here, here] = net[:, here, here] - own_rows(np.moveaxis(moved, 3, 1).sum(2), n)
    payments = (paid * moved).sum((1, 2, 3))

    def by_provider(values: Numbers) -> Numbers:
        return values.reshape(n, batch).T

    return Answers(by_provider(plan.bound), net, by_provider(plan.objective + payments))


def _lots(net: Numbers) -> Numbers:
    """(N,I,J,K) jobs that both sides agree on, of net jobs that almost balance: the shorter side decides."""
    here = np.arange(net.shape[1])
    room = np.maximum(-net[:, here, here], 0.0)  # (N,J,K)
    wanted = np.maximum(net, 0.0)
    wanted[:, here, here] = 0.0
    total = wanted.sum(1)
    found: Numbers = wanted * np.minimum(room / np.maximum(total, 1e-30), 1.0)[:, None]
    return found


def _settled(
    own: Problem, t: int, state: PlantState, prices: SlotPrices, sent: Numbers, known: Terms
) -> tuple[Request, Numbers]:
    """Everybody's best plan for the agreed trade, as one request, and what the plans bring together."""
    n = own.shape.sites
    batch, k = len(own) // n, own.shape.classes
    at = own_place(n, batch)
    leaves = sent.swapaxes(0, 1).reshape(n * batch, n, k).sum(1)  # (n·N,K)
    hosted = sent.sum(1).swapaxes(0, 1).reshape(n * batch, k)
    other = np.roll(at, 1, axis=1) * (1 - at)
    waiting = state.waiting - at[..., None] * leaves[:, None] + other[..., None] * hosted[:, None]
    own_at_hand = (own.arrivals[t] * at[..., None]).sum(1)
    short = at[..., None] * np.maximum(-(waiting * at[..., None]).sum(1) - own_at_hand, 0.0)[:, None]
    must = _MUST * np.tile(known.most, (n, 1, 1)).max(1)
    closed = replace(
        own,
        open=own.open * at[:, None, None, :],
        miss_penalty=own.miss_penalty + other[..., None] * must[:, None],
    )
    plan = best_response(closed, t, replace(state, waiting=waiting + short), prices)
    request = _joint(plan, sent, own_rows(state.waiting + own.arrivals[t], n))
    moving = own_rows(own.moving_cost, n).swapaxes(2, 3)
    objective = plan.objective.reshape(n, batch).sum(0) - (moving * sent).sum((1, 2, 3))
    return request, objective


def _joint(plan: Plan, sent: Numbers, at_hand: Numbers) -> Request:
    """One request of all; of the jobs ``at_hand`` (N,I,K) no more is asked for than there are."""
    asked, n = plan.request, sent.shape[1]
    assert asked.mix is not None
    assert asked.imported is not None
    transfers = sent.swapaxes(2, 3).copy()  # (N,I,K,J)
    home = own_rows(asked.transfers, n)  # (N,I,K,J)
    here = np.arange(n)
    transfers[:, here, :, here] = home[:, here, :, here]
    share = np.minimum(at_hand / np.maximum(transfers.sum(3), 1e-30), 1.0)
    return Request(
        transfers=transfers * share[..., None],
        mix=own_rows(asked.mix, n),
        cooling=own_rows(asked.cooling, n),
        battery=own_rows(asked.battery, n),
        generator=own_rows(asked.generator, n),
        imported=own_rows(asked.imported, n),
    )
