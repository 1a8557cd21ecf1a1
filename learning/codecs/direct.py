"""The ``direct`` codec (the paper's): say what to do, by numbers in [-1,1].

Parts of the action, in this order: routing logits per origin and class over the sites and "hold" (I·K·(J+1)),
steps (J·K), clock (J·K), battery (J), cooling (J), and generator (J) when an instance of the family has one.
"""

from __future__ import annotations

from ..engines import Array, Engine
from ..plant import PlantState, Request, must_run
from ..problem import Problem, Shape


class DirectCodec:
    """Routing by sparsemax, nearest step count and clock, battery and cooling within what is feasible."""

    name = "direct"

    def __init__(self, shape: Shape):
        self.shape = shape
        j, k = shape.sites, shape.classes
        parts = [j * k * (j + 1), j * k, j * k, j, j, j * shape.has_generator]
        ends = [sum(parts[: n + 1]) for n in range(len(parts))]
        self.slices = [slice(end - part, end) for part, end in zip(parts, ends, strict=True)]
        self.size = ends[-1]

    def decode(self, e: Engine, problem: Problem, t: int, state: PlantState, action: Array) -> Request:
        """The request of an action (B,size)."""
        j, k = self.shape.sites, self.shape.classes
        logits, steps, clock, battery, cooling, generator = (action[:, part] for part in self.slices)
        at_hand, must = must_run(e, problem, t, state)
        logits = logits.reshape(-1, j, k, j + 1)
        shares = sparsemax(e, logits + problem.closed if problem.parts.closed_ways else logits)
        going, held = shares[..., :j], shares[..., j]
        # jobs that cannot wait go where the others go, or home if none go
        none_go = e.real(held >= 1, held)
        sent = at_hand + must * held / (1.0 - held + none_go)
        transfers = sent[..., None] * going + (must * none_go)[..., None] * problem.home
        level = problem.generator_max  # zero everywhere where there is none
        if self.shape.has_generator:
            wanted = problem.generator_min + generator * (problem.generator_max - problem.generator_min)
            wanted = e.where(generator > 0, e.maximum(wanted, wanted * 0.0 + 1e-6), wanted * 0.0)
            level = wanted * e.real(problem.generator_max > 0, wanted)
        return Request(
            transfers=transfers,
            option=_nearest(e, problem, steps.reshape(-1, j, k), clock.reshape(-1, j, k)),
            battery=battery,
            battery_is_share=True,
            cooling=(cooling + 1) / 2,
            cooling_is_share=True,
            generator=level,
        )


def sparsemax(e: Engine, z: Array) -> Array:
    """Projection of the last axis onto the simplex (Martins and Astudillo, 2016, arXiv 1602.02068).

    An entry is in the support when the others exceed it by less than 1 in all; the threshold is (sum of the
    support − 1) / its size.
    """
    above = e.sum(e.positive(z[..., None, :] - z[..., :, None]))
    inside = e.real(above < 1, z)
    threshold = (e.sum(z * inside) - 1) / e.sum(inside)
    return e.positive(z - threshold[..., None])


def _nearest(e: Engine, problem: Problem, steps: Array, clock: Array) -> Array:
    """(B,J,K) option index: nearest clock, then nearest of its choices."""
    half = (problem.shape.clocks - 1) / 2
    # adding a half and cutting off rounds to the nearest
    level = e.whole(clock * half + (half + 0.5))
    (halves,) = e.look_up([problem.half_count], level)
    return level * problem.shape.choices + e.whole((steps + 1.0) * halves + 0.5)
