"""Service quality as a function of denoising steps: the six curves of model.md ("Sets and data").

Every curve maps steps to quality and is clipped to [0, 1]; all accept numpy arrays.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from ..records import Finite, NonNegative, Positive, Record, defect

Floats = NDArray[np.float64]


class _Curve(Record):
    def raw(self, steps: Floats) -> Floats:
        raise AssertionError("every curve kind defines its formula")

    def __call__(self, steps: ArrayLike) -> Floats:
        """Quality (0..1) at the given step counts; any shape."""
        return np.clip(self.raw(np.asarray(steps, dtype=float)), 0.0, 1.0)


class Exponential(_Curve):
    """ceiling − span·exp(−rate·s): concave, the form most samplers follow (reference: facts 3.3)."""

    kind: Literal["exponential"]
    ceiling: Finite
    span: NonNegative
    rate: Positive

    def raw(self, steps: Floats) -> Floats:
        """The formula of the class, at step counts of any shape."""
        return self.ceiling - self.span * np.exp(-self.rate * steps)


class Power(_Curve):
    """ceiling − span·s^(−rate): concave."""

    kind: Literal["power"]
    ceiling: Finite
    span: NonNegative
    rate: Positive

    def raw(self, steps: Floats) -> Floats:
        """The formula of the class, at step counts of any shape."""
        return self.ceiling - self.span * steps**-self.rate


class Logarithmic(_Curve):
    """offset + gain·ln(s): concave."""

    kind: Literal["logarithmic"]
    offset: Finite
    gain: NonNegative

    def raw(self, steps: Floats) -> Floats:
        """The formula of the class, at step counts of any shape."""
        return self.offset + self.gain * np.log(steps)


class Sigmoid(_Curve):
    """floor + span/(1 + exp(−rate·(s − midpoint))): convex below the midpoint, concave above."""

    kind: Literal["sigmoid"]
    floor: Finite
    span: NonNegative
    rate: Positive
    midpoint: Finite

    def raw(self, steps: Floats) -> Floats:
        """The formula of the class, at step counts of any shape."""
        # 1/(1+exp(-z)) written with tanh, which does not overflow
        return self.floor + self.span * 0.5 * (1.0 + np.tanh(0.5 * self.rate * (steps - self.midpoint)))


class _Table(_Curve):
    steps: Annotated[list[Positive], Field(min_length=1)]
    values: Annotated[list[Finite], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.values) != len(self.steps):
            raise defect(("values",), self.values, f"{len(self.steps)} numbers, one per entry of steps")
        if any(b <= a for a, b in zip(self.steps, self.steps[1:], strict=False)):
            raise defect(("steps",), self.steps, "strictly increasing numbers")
        return self

    def raw(self, steps: Floats) -> Floats:
        """Between the points straight, beyond them level."""
        return np.interp(steps, self.steps, self.values)


class Piecewise(_Table):
    """Linear between the given points, constant outside."""

    kind: Literal["piecewise"]


class Tabulated(_Table):
    """Measured points; linear between them, constant outside."""

    kind: Literal["tabulated"]


Curve = Annotated[
    Exponential | Power | Logarithmic | Sigmoid | Piecewise | Tabulated, Field(discriminator="kind")
]
