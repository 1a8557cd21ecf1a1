"""The market: the mixture of what providers offered that balances, and the prices at which it does.

A linear program per instance (the restricted master of Dantzig and Wolfe 1960, "Decomposition principle for
linear programs", Oper. Res. 8(1)): shares of everybody's offers, which are whole plans for a slot, worth most
together, such that what is sent to a host is what it hosts. Prices are also taken well before its optimum,
from the middle of those that are nearly as good (Gondzio, González-Brevis and Munari 2013, EJOR 224(1)):
the last ones jump from round to round.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]

_MOST_STEPS = 40
_EXACT = 1e-9


@dataclass(frozen=True)
class Cleared:
    """``shares`` (N,n,R) of the offers; ``asked`` (N,G) USD, prices to ask next; ``value`` (N,) USD."""

    shares: Numbers
    asked: Numbers
    value: Numbers


def clear(
    worth: Numbers, net: Numbers, low: Numbers, high: Numbers, start: Numbers, rough: Numbers
) -> Cleared:
    """Mix offers.

    Args:
        worth: (N,n,R) USD that a provider's own plan brings, payments left out.
        net: (N,n,R,G) jobs per good, positive where sent, negative where hosted.
        low: (N,G) USD, least price.
        high: (N,G) largest.
        start: (N,G) prices strictly between.
        rough: (N,) USD, distance from the optimum at which the prices to ask next are taken.

    A feasible primal-dual interior-point method: predictor, corrector, dense normal matrix.
    """
    batch, n, offers = worth.shape
    goods = net.shape[-1]
    unit = np.maximum(np.abs(net).max((1, 2)), 1e-9)  # (N,G)
    largest = (np.maximum(np.abs(low), np.abs(high)) * unit).max(1)
    money = np.maximum(np.maximum(np.abs(worth).max((1, 2)), largest), 1e-12)
    balance = (net / unit[:, None, None]).reshape(batch, n * offers, goods).swapaxes(1, 2)  # (N,G,nR)
    matrix = np.zeros((batch, n + goods, n * offers + 2 * goods))
    matrix[:, :n, : n * offers] = np.eye(n).repeat(offers, 1)
    matrix[:, n:, : n * offers] = balance
    matrix[:, n:, n * offers :] = np.concatenate([-np.eye(goods), np.eye(goods)], 1)
    right = np.concatenate([np.ones((batch, n)), np.zeros((batch, goods))], 1)
    scale = unit / money[:, None]
    cost = np.concatenate([-worth.reshape(batch, -1) / money[:, None], -low * scale, high * scale], 1)
    # begin feasible on both sides
    x = np.full((batch, n * offers), 1.0 / offers)
    excess = _times(balance, x)
    x = np.concatenate([x, np.maximum(excess, 0.0) + 0.1, np.maximum(-excess, 0.0) + 0.1], 1)
    prices = start * scale
    reduced = cost[:, : n * offers] - _times(balance.swapaxes(1, 2), prices)
    y = np.concatenate([reduced.reshape(batch, n, offers).min(2) - 0.1, prices], 1)
    s = cost - _times(matrix.swapaxes(1, 2), y)
    asked, found = prices, np.zeros(batch, dtype=bool)
    for _ in range(_MOST_STEPS):
        gap = (x * s).sum(1)
        now = ~found & (gap * money <= rough)
        asked = np.where(now[:, None], y[:, n:], asked)
        found = found | now
        done = gap < _EXACT
        if done.all():
            break
        weight = x / s
        normal = (matrix * weight[:, None]) @ matrix.swapaxes(1, 2)
        diagonal = np.einsum("bii->bi", normal)
        diagonal += 1e-12 * diagonal + 1e-14

        def direction(wanted: Numbers) -> tuple[Numbers, Numbers, Numbers]:
            """For x·ds + s·dx = wanted."""
            missing = right - _times(matrix, x)  # noqa: B023
            pull = missing - _times(matrix, wanted / s)  # noqa: B023
            dy = np.linalg.solve(normal, pull[..., None])[..., 0]  # noqa: B023
            ds = -_times(matrix.swapaxes(1, 2), dy)
            return (wanted - x * ds) / s, dy, ds  # noqa: B023

        dx, dy, ds = direction(-x * s)
        primal, dual = _length(x, dx), _length(s, ds)
        ahead = ((x + primal * dx) * (s + dual * ds)).sum(1)
        centre = (np.minimum(np.maximum(ahead / gap, 0.0), 1.0) ** 3 * gap / x.shape[1])[:, None]
        dx, dy, ds = direction(centre - x * s - dx * ds)
        primal, dual = (np.where(done[:, None], 0.0, 0.99 * _length(v, d)) for v, d in ((x, dx), (s, ds)))
        x, y, s = x + primal * dx, y + dual * dy, s + dual * ds
    asked = np.where(found[:, None], asked, y[:, n:])
    return Cleared(
        shares=x[:, : n * offers].reshape(batch, n, offers),
        asked=asked / scale,
        value=-(cost * x).sum(1) * money,
    )


def _times(matrix: Numbers, vector: Numbers) -> Numbers:
    """(N,·) products of matrices (N,·,m) and vectors (N,m)."""
    found: Numbers = (matrix @ vector[..., None])[..., 0]
    return found


def _length(values: Numbers, change: Numbers) -> Numbers:
    """(N,1) longest step, at most 1, that keeps values nonnegative."""
    found: Numbers = 1.0 / np.maximum((-change / values).max(1, keepdims=True), 1.0)
    return found
