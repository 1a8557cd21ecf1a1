"""The market: the mixture of what providers offered that balances, and the prices at which it does.

A linear program per instance (the restricted master of Dantzig and Wolfe 1960, "Decomposition principle for
linear programs", Oper. Res. 8(1)): shares of everybody's offers, which are whole plans for a slot, worth most
together, such that what is sent to a host is what it hosts. Prices are also taken well before its optimum,
from the middle of those that are nearly as good (Gondzio, González-Brevis and Munari 2013, EJOR 224(1)):
the last ones jump from round to round.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_MOST_STEPS = 40
_EXACT = 1e-9


@dataclass(frozen=True)
class Cleared:
    """``shares`` (N,n,R) of the offers; ``asked`` (N,G) USD, prices to ask next; ``value`` (N,) USD."""

    shares: Tensor
    asked: Tensor
    value: Tensor


@torch.no_grad()
def clear(worth: Tensor, net: Tensor, low: Tensor, high: Tensor, start: Tensor, rough: Tensor) -> Cleared:
    """Mix offers.

    Args:
        worth: (N,n,R) USD that a provider's own plan brings, payments left out.
        net: (N,n,R,G) jobs per good, positive where sent, negative where hosted.
        low: (N,G) USD, least price; high: (N,G) largest.
        start: (N,G) prices strictly between.
        rough: (N,) USD, distance from the optimum at which the prices to ask next are taken.

    A feasible primal-dual interior-point method: predictor, corrector, dense normal matrix.
    """
    batch, n, offers = worth.shape
    goods = net.shape[-1]
    unit = net.abs().amax((1, 2)).clamp(min=1e-9)  # (N,G)
    money = torch.maximum(worth.abs().amax((1, 2)), (torch.maximum(low.abs(), high.abs()) * unit).amax(1))
    money = money.clamp(min=1e-12)
    balance = (net / unit[:, None, None]).flatten(1, 2).transpose(1, 2)  # (N,G,nR)
    convex = torch.eye(n, dtype=worth.dtype).repeat_interleave(offers, 1).expand(batch, -1, -1)
    each = torch.eye(goods, dtype=worth.dtype).expand(batch, -1, -1)
    none = worth.new_zeros(batch, n, 2 * goods)
    matrix = torch.cat([torch.cat([convex, none], 2), torch.cat([balance, -each, each], 2)], 1)
    right = torch.cat([worth.new_ones(batch, n), worth.new_zeros(batch, goods)], 1)
    scale = unit / money[:, None]
    cost = torch.cat([-worth.flatten(1) / money[:, None], -low * scale, high * scale], 1)
    # begin feasible on both sides
    x = torch.full_like(worth.flatten(1), 1.0 / offers)
    excess = (balance @ x[..., None])[..., 0]
    x = torch.cat([x, excess.clamp(min=0) + 0.1, (-excess).clamp(min=0) + 0.1], 1)
    prices = start * scale
    least = (cost[:, : n * offers] - (prices[:, None] @ balance)[:, 0]).view(batch, n, offers).amin(2) - 0.1
    y = torch.cat([least, prices], 1)
    s = cost - (y[:, None] @ matrix)[:, 0]
    asked, found = prices, torch.zeros(batch, dtype=torch.bool)
    for _ in range(_MOST_STEPS):
        gap = (x * s).sum(1)
        now = ~found & (gap * money <= rough)
        asked = torch.where(now[:, None], y[:, n:], asked)
        found = found | now
        done = gap < _EXACT
        if bool(done.all()):
            break
        weight = x / s
        normal = (matrix * weight[:, None]) @ matrix.transpose(1, 2)
        normal.diagonal(dim1=1, dim2=2).mul_(1 + 1e-12).add_(1e-14)
        factor = torch.linalg.cholesky_ex(normal)[0]

        def direction(wanted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            """For x·ds + s·dx = wanted."""
            missing = right - (matrix @ x[..., None])[..., 0]  # noqa: B023
            pull = missing - (matrix @ (wanted / s)[..., None])[..., 0]  # noqa: B023
            dy = torch.cholesky_solve(pull[..., None], factor)[..., 0]  # noqa: B023
            ds = -(dy[:, None] @ matrix)[:, 0]
            return (wanted - x * ds) / s, dy, ds  # noqa: B023

        dx, dy, ds = direction(-x * s)
        primal, dual = _length(x, dx), _length(s, ds)
        ahead = ((x + primal * dx) * (s + dual * ds)).sum(1)
        centre = ((ahead / gap).clamp(0, 1) ** 3 * gap / x.shape[1])[:, None]
        dx, dy, ds = direction(centre - x * s - dx * ds)
        primal, dual = (torch.where(done[:, None], 0.0, 0.99 * _length(v, d)) for v, d in ((x, dx), (s, ds)))
        x, y, s = x + primal * dx, y + dual * dy, s + dual * ds
    asked = torch.where(found[:, None], asked, y[:, n:])
    return Cleared(
        shares=x[:, : n * offers].view(batch, n, offers),
        asked=asked / scale,
        value=-(cost * x).sum(1) * money,
    )


def _length(values: Tensor, change: Tensor) -> Tensor:
    """(N,1) longest step, at most 1, that keeps values nonnegative."""
    return 1.0 / (-change / values).amax(1, keepdim=True).clamp(min=1.0)
