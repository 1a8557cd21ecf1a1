"""Service quality as a function of denoising steps: the six curves of model.md ("Sets and data").

Every curve maps steps to quality and is clipped to [0, 1]; all accept numpy arrays.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from ..records import Finite, NonNegative, Positive, Record, about, defect

Floats = NDArray[np.float64]


class _Curve(Record):
    def raw(self, steps: Floats) -> Floats:
        raise AssertionError("every curve kind defines its formula")

    def __call__(self, steps: ArrayLike) -> Floats:
        """Quality (0..1) at the given step counts; any shape."""
        return np.clip(self.raw(np.asarray(steps, dtype=float)), 0.0, 1.0)


class Exponential(_Curve):
    """ceiling − span·exp(−rate·s): concave, the form most samplers follow (reference: facts 3.3)."""

    kind: Annotated[Literal["exponential"], about("the formula", "", "q(s) = ceiling − span·exp(−rate·s)")]
    ceiling: Annotated[Finite, about("quality of very many steps", "1")]
    span: Annotated[NonNegative, about("how far below the ceiling the formula is at 0 steps", "1")]
    rate: Annotated[Positive, about("how fast it rises", "1/step")]

    def raw(self, steps: Floats) -> Floats:
        """The formula of the class, at step counts of any shape."""
        return self.ceiling - self.span * np.exp(-self.rate * steps)


class Power(_Curve):
    """ceiling − span·s^(−rate): concave."""

    kind: Annotated[Literal["power"], about("the formula", "", "q(s) = ceiling − span·s^(−rate)")]
    ceiling: Annotated[Finite, about("quality of very many steps", "1")]
    span: Annotated[NonNegative, about("how far below the ceiling it is at one step", "1")]
    rate: Annotated[Positive, about("the exponent", "1")]

    def raw(self, steps: Floats) -> Floats:
        """The formula of the class, at step counts of any shape."""
        return self.ceiling - self.span * steps**-self.rate


class Logarithmic(_Curve):
    """offset + gain·ln(s): concave."""

    kind: Annotated[Literal["logarithmic"], about("the formula", "", "q(s) = offset + gain·ln(s)")]
    offset: Annotated[Finite, about("quality at one step", "1")]
    gain: Annotated[NonNegative, about("what e times the steps add", "1")]

    def raw(self, steps: Floats) -> Floats:
        """The formula of the class, at step counts of any shape."""
        return self.offset + self.gain * np.log(steps)


class Sigmoid(_Curve):
    """floor + span/(1 + exp(−rate·(s − midpoint))): convex below the midpoint, concave above."""

    kind: Annotated[
        Literal["sigmoid"], about("the formula", "", "q(s) = floor + span/(1 + exp(−rate·(s − midpoint)))")
    ]
    floor: Annotated[Finite, about("quality far below the midpoint", "1")]
    span: Annotated[NonNegative, about("quality far above the midpoint, less the floor", "1")]
    rate: Annotated[Positive, about("how steep it is", "1/step")]
    midpoint: Annotated[Finite, about("where it is steepest", "steps")]

    def raw(self, steps: Floats) -> Floats:
        """The formula of the class, at step counts of any shape."""
        # 1/(1+exp(-z)) written with tanh, which does not overflow
        return self.floor + self.span * 0.5 * (1.0 + np.tanh(0.5 * self.rate * (steps - self.midpoint)))


class _Table(_Curve):
    steps: Annotated[
        list[Positive],
        Field(min_length=1),
        about("of the points, increasing", "steps", "q(s) linear between"),
    ]
    values: Annotated[list[Finite], Field(min_length=1), about("quality at each of them", "1")]

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

    kind: Annotated[Literal["piecewise"], about("linear between points, level outside")]


class Tabulated(_Table):
    """Measured points; linear between them, constant outside."""

    kind: Annotated[Literal["tabulated"], about("measured points, linear between, level outside")]


Curve = Annotated[
    Exponential | Power | Logarithmic | Sigmoid | Piecewise | Tabulated, Field(discriminator="kind")
]
