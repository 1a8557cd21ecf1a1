"""The network of a trained policy as plain arrays: what it takes to play, and nothing to train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from stepwatt.formulation import InputError
from stepwatt.formulation.records import Record, defect

Singles = NDArray[np.float32]
Size = Annotated[int, Field(ge=1, le=1_000_000)]

#: Of a row, the mean and the maximum over all: how much wider a layer's input is where sites share a network.
POOLED = 3


class Description(Record):
    """The sizes of a network; ``stochastic``: it also says a standard deviation, which playing leaves out.

    ``parts`` given, the sites share it (:mod:`..networks.by_site`), and sizes are those of one site: its row,
    what it says, and how much of that belongs to each part of an action.
    """

    obs_size: Size
    act_size: Size
    hidden: Annotated[list[Size], Field(max_length=100)]
    stochastic: bool
    parts: Annotated[list[Size], Field(default_factory=list, max_length=100)]

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        if self.parts and sum(self.parts) != self.act_size:
            raise defect(("parts",), self.parts, f"numbers that add up to {self.act_size}")
        return self

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Array shapes of one run by name, layer by layer: a weight (1,in,out) and a bias (1,1,out)."""
        sizes = [self.obs_size, *self.hidden, self.act_size * (2 if self.stochastic else 1)]
        found: dict[str, tuple[int, ...]] = {}
        for number, (size_in, size_out) in enumerate(pairwise(sizes)):
            joined = POOLED if self.parts and number < len(self.hidden) else 1
            found[f"net.layers.{number}.weight"] = (1, joined * size_in, size_out)
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
        size, parts = self.description.obs_size, self.description.parts
        if x.shape[-1] != size and not (parts and x.shape[-1] and x.shape[-1] % size == 0):
            raise InputError(
                field="observation",
                value=f"{x.shape[-1]} numbers",
                expected=f"{size}{' of each site' if parts else ''}, as the policy was trained",
            )
        if parts:
            x = x.reshape(*x.shape[:-1], -1, size)
        *inner, last = range(len(self.state) // 2)
        with np.errstate(over="ignore", invalid="ignore"):
            for number in inner:
                x = self._layer(number, _with_others(x) if parts else x)
                np.maximum(x, 0, out=x)
            mean = self._layer(last, x)[..., : self.description.act_size]
        if parts:
            told = np.split(mean, np.cumsum(parts)[:-1], axis=-1)
            mean = np.concatenate([part.reshape(*part.shape[:-2], -1) for part in told], axis=-1)
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


def _with_others(rows: Singles) -> Singles:
    """(...,J,F) rows, each with the mean and the maximum over all."""
    mean, highest = rows.mean(-2, keepdims=True), rows.max(-2, keepdims=True)
    found: Singles = np.concatenate(
        [rows, *(np.broadcast_to(one, rows.shape) for one in (mean, highest))], axis=-1
    )
    return found


def _read(name: str, shape: tuple[int, ...], found: NDArray[Any] | None) -> Singles:
    if found is None or found.dtype.kind != "f" or found.shape != shape:
        value = "none" if found is None else f"{found.dtype} of shape {found.shape}"
        raise InputError(field=name, value=value, expected=f"real numbers of shape {shape}")
    with np.errstate(over="ignore"):
        read = found.astype(np.float32)
    if not np.isfinite(read).all():
        raise InputError(field=name, value=float(read[~np.isfinite(read)][0]), expected="finite numbers")
    return read
