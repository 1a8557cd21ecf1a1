"""A network that the sites of an instance share: what it says moves with the sites, however many there are.

Each site's row of numbers goes through the same layers; before each but the last, every row is joined by the
mean and the maximum over all rows (deep sets: Zaheer et al. 2017, arXiv 1703.06114). Exchanging two sites
exchanges their answers, and neither mean nor maximum grows with their number.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .parallel_runs import RunLinear

#: A row, the mean and the maximum: how much wider a layer's input is than what comes in.
POOLED = 3


class RunBySite(nn.Module):
    """S runs of it: (S,B,J·F) observations to (S,B,J·D), for any J.

    An observation is the rows one after the other. An answer has its parts one after the other, each with
    ``parts[p]`` numbers of every site: D is their sum; ``answers`` of 2 gives two answers, one behind the
    other.
    """

    def __init__(
        self,
        row_size: int,
        parts: Sequence[int],
        hidden: Sequence[int],
        rngs: Sequence[torch.Generator],
        *,
        answers: int = 1,
        last_gain: float = 1.0,
    ):
        super().__init__()
        self.row_size, self.parts = row_size, list(parts) * answers
        sizes = [row_size, *hidden]
        layers = [RunLinear(POOLED * a, b, rngs) for a, b in zip(sizes[:-1], hidden, strict=True)]
        layers.append(RunLinear(sizes[-1], sum(self.parts), rngs, last_gain))
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """All layers, ReLU between them."""
        runs, batch, size = x.shape
        rows = x.reshape(runs, batch, size // self.row_size, self.row_size)
        *inner, last = self.layers
        for layer in inner:
            rows = torch.relu(_joined(layer, rows))
        said = torch.split(last(rows.flatten(1, 2)).view(runs, batch, rows.shape[2], -1), self.parts, -1)
        return torch.cat([part.flatten(2) for part in said], -1)


def _joined(layer: nn.Module, rows: Tensor) -> Tensor:
    """The layer of every row joined by mean and maximum, which are multiplied once for all rows."""
    own = rows.shape[-1]
    shared = torch.cat([rows.mean(2), rows.amax(2)], -1)
    weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
    alike = torch.baddbmm(bias, shared, weight[:, own:])
    each: Tensor = torch.bmm(rows.flatten(1, 2), weight[:, :own]).view(*rows.shape[:3], -1)
    return each + alike[:, :, None]
