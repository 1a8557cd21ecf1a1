"""One step of gradient descent for S runs, none of which feels another."""

from __future__ import annotations

import torch
from torch import Tensor


def parameters_of(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """All that the optimizer moves."""
    return [one for group in optimizer.param_groups for one in group["params"]]


def descend(optimizer: torch.optim.Optimizer, loss: Tensor, longest: float | None = None) -> None:
    """Step along the gradient of the sum of the losses (S,); elementwise optimizers keep the runs apart.

    Gradients are computed for the optimizer's own parameters only. ``longest`` limits the length of each
    run's gradient; all parameters must then lead with the axis S.
    """
    parameters = parameters_of(optimizer)
    optimizer.zero_grad()
    torch.autograd.backward(loss.sum(), inputs=parameters)
    if longest is not None:
        _shorten([one.grad for one in parameters if one.grad is not None], longest)
    optimizer.step()


def _shorten(gradients: list[Tensor], longest: float) -> None:
    squares = torch.stack([one.flatten(1).square().sum(1) for one in gradients])
    share = (longest / (squares.sum(0).sqrt() + 1e-6)).clamp(max=1.0)
    for one in gradients:
        one.mul_(share.view(-1, *[1] * (one.dim() - 1)))
