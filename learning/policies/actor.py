"""The network of a trained policy as plain arrays: what it takes to play, and nothing to train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stepwatt.formulation import InputError
from stepwatt.formulation.records import Record

Singles = NDArray[np.float32]
Size = Annotated[int, Field(ge=1, le=1_000_000)]


class Description(Record):
    """The sizes of a network; ``stochastic``: it also says a standard deviation, which playing leaves out."""

    obs_size: Size
    act_size: Size
    hidden: Annotated[list[Size], Field(max_length=100)]
    stochastic: bool

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Array shapes of one run by name, layer by layer: a weight (1,in,out) and a bias (1,1,out)."""
        sizes = [self.obs_size, *self.hidden, self.act_size * (2 if self.stochastic else 1)]
        found: dict[str, tuple[int, ...]] = {}
        for number, (size_in, size_out) in enumerate(pairwise(sizes)):
            found[f"net.layers.{number}.weight"] = (1, size_in, size_out)
            found[f"net.layers.{number}.bias"] = (1, 1, size_out)
        return found


@dataclass(frozen=True)
class Actor:
    """A multilayer perceptron with ReLU between its layers and tanh of its mean, in single precision.

    What :class:`.agents.policy.Policy` of one run says, without torch; ``state`` holds its arrays, named and
    shaped as there.
    """

    description: Description
    state: Mapping[str, Singles]

    @classmethod
    def read(cls, description: Description, arrays: Mapping[str, NDArray[Any]]) -> Actor:
        """The network of that description, of arrays that may be wrong.

        Raises:
            InputError: an array that is missing, unknown, of another shape, or of other than finite numbers.
        """
        shapes = description.shapes()
        for name in arrays:
            if name not in shapes:
                raise InputError(field=name, value="an array", expected=f"none but {', '.join(shapes)}")
        state = {name: _read(name, shape, arrays.get(name)) for name, shape in shapes.items()}
        return cls(description, state)

    def __call__(self, observation: NDArray[Any]) -> Singles:
        """(...,O) observations to (...,A) actions in [-1,1].

        Raises:
            InputError: observations of another size, or weights of which single precision has no sum.
        """
        x = np.asarray(observation, dtype=np.float32)
        if x.shape[-1] != self.description.obs_size:
            raise InputError(
                field="observation",
                value=f"{x.shape[-1]} numbers",
                expected=f"{self.description.obs_size}, as the policy was trained",
            )
        *inner, last = range(len(self.state) // 2)
        with np.errstate(over="ignore", invalid="ignore"):
            for number in inner:
                x = self._layer(number, x)
                np.maximum(x, 0, out=x)
            mean = self._layer(last, x)[..., : self.description.act_size]
        if np.isnan(mean).any():
            expected = "a number: the weights of the network, or what it sees, are too large"
            raise InputError(field="action", value=float("nan"), expected=expected)
        action: Singles = np.tanh(mean)
        return action

    def _layer(self, number: int, x: Singles) -> Singles:
        weight, bias = (self.state[f"net.layers.{number}.{part}"] for part in ("weight", "bias"))
        x = x @ weight[0]
        x += bias[0, 0]
        return x


def _read(name: str, shape: tuple[int, ...], found: NDArray[Any] | None) -> Singles:
    if found is None or found.dtype.kind != "f" or found.shape != shape:
        value = "none" if found is None else f"{found.dtype} of shape {found.shape}"
        raise InputError(field=name, value=value, expected=f"real numbers of shape {shape}")
    with np.errstate(over="ignore"):
        read = found.astype(np.float32)
    if not np.isfinite(read).all():
        raise InputError(field=name, value=float(read[~np.isfinite(read)][0]), expected="finite numbers")
    return read
