"""The ``direct`` codec (the paper's): say what to do, by numbers in [-1,1].

Parts of the action, in this order: routing logits per origin and class over the sites (I·K·J), the share of
the jobs that may wait which do (I·K), steps (J·K), clock (J·K), battery (J), cooling (J), and generator (J)
when an instance of the family has one.
"""

from __future__ import annotations

import numpy as np

from stepwatt.formulation.plant.engine import Array, Engine
from stepwatt.formulation.plant.stacked import Problem, Shape
from stepwatt.formulation.plant.state import Outcome, PlantState, Request
from stepwatt.formulation.plant.step import battery_interval, cooling_interval, must_run

#: A full site leaves this share of its GPU time free, so that rounding makes no job too many.
SPARE_TIME = 1e-6


class DirectCodec:
    """Routing by sparsemax, nearest clock; steps, battery and cooling within what is feasible.

    Steps are said as GPU time, from the shortest to the longest option of the clock: the jobs are shared
    between the two options that enclose it. Where what a site was sent would take more GPU time than there
    is, its jobs take fewer steps, all of them by the same share of the way to the fewest. So most optimal
    schedules can be said (what mixes clocks, or options apart, is missing), and few actions lose jobs.
    """

    name = "direct"

    def __init__(self, shape: Shape):
        self.shape = shape
        j, k = shape.sites, shape.classes
        parts = [j * k * j, j * k, j * k, j * k, j, j, j * shape.has_generator]
        ends = [sum(parts[: n + 1]) for n in range(len(parts))]
        self.slices = [slice(end - part, end) for part, end in zip(parts, ends, strict=True)]
        self.size = ends[-1]

    def decode(self, e: Engine, problem: Problem, t: int, state: PlantState, action: Array) -> Request:
        """The request of an action (B,size)."""
        j, k = self.shape.sites, self.shape.classes
        logits, hold, steps, clock, battery, cooling, generator = (action[:, part] for part in self.slices)
        logits = logits.reshape(-1, j, k, j)
        shares = sparsemax(e, logits + problem.closed if problem.parts.closed_ways else logits)
        at_hand, must = must_run(e, problem, t, state)
        sent = at_hand - e.positive(hold).reshape(-1, j, k) * (at_hand - must)
        transfers = sent[..., None] * shares
        if problem.parts.closed_ways:
            transfers = transfers * problem.open
        steps, clock = steps.reshape(-1, j, k), clock.reshape(-1, j, k)
        option, longer = self._options(e, problem, transfers, steps, clock)
        level = problem.generator_max  # zero everywhere where there is none
        if self.shape.has_generator:
            wanted = problem.generator_min + generator * (problem.generator_max - problem.generator_min)
            wanted = e.where(generator > 0, _at_least(e, wanted, 1e-6), wanted * 0.0)
            level = wanted * e.real(problem.generator_max > 0, wanted)
        return Request(
            transfers=transfers,
            option=option,
            longer=longer,
            battery=battery,
            battery_is_share=True,
            cooling=(cooling + 1) / 2,
            cooling_is_share=True,
            generator=level,
        )

    def _options(
        self, e: Engine, problem: Problem, transfers: Array, steps: Array, clock: Array
    ) -> tuple[Array, Array]:
        """(B,J,K) the shorter of the two options around the GPU time, and the share of the longer one."""
        half = (self.shape.clocks - 1) / 2
        # adding a half and cutting off rounds to the nearest
        level = e.whole(clock * half + (half + 0.5))
        shortest, span, last = e.look_up(problem.of_clock, level)
        time = self._within_capacity(e, problem, transfers, shortest, span, (steps + 1.0) * 0.5)
        first = level * self.shape.choices
        place = time * last
        if problem.parts.uneven_steps:
            place = e.minimum(self._place(e, problem, first, time * span), last)
        lower = e.whole(place)
        return first + lower, place - lower

    def _within_capacity(
        self, e: Engine, problem: Problem, transfers: Array, shortest: Array, span: Array, time: Array
    ) -> Array:
        """(B,J,K) the GPU time said, from the shortest (0) to the longest (1), as far as it fits."""
        jobs = e.sum(transfers, -3).swapaxes(-1, -2)
        spare = e.positive(problem.fleet_seconds * (1.0 - SPARE_TIME) - e.sum(shortest * jobs))
        asked = e.sum(span * time * jobs)
        return time * (spare / e.maximum(asked, spare + 1e-30))[..., None]

    def _place(self, e: Engine, problem: Problem, first: Array, beyond: Array) -> Array:
        """(B,J,K) the place, as a real number, among the options from ``first`` on of that GPU time more."""
        place = beyond * 0.0
        begins, *_ = e.look_up(problem.of_option, first)
        for choice in range(self.shape.choices - 1):
            seconds, _, _, more, *_ = e.look_up(problem.of_option, first + choice)
            # options that take the same time are passed at once; behind the last there are none
            reached = (beyond - (seconds - begins) + 1e-12) / (more + 1e-30)
            place = place + _at_most(e, e.positive(reached), 1.0) * e.real(seconds > 0, beyond)
        return place

    def encode(
        self, e: Engine, problem: Problem, t: int, state: PlantState, request: Request, outcome: Outcome
    ) -> Array:
        """(B,size) the action that says a request with a mix, absolute battery and absolute cooling.

        ``outcome`` is what the plant made of it. Where the request mixes clocks, the nearest one to their
        mean is said.
        """
        batch, shape = len(problem), self.shape
        if request.mix is None:
            raise ValueError("a request with a mix is needed")
        mix = request.mix.reshape(batch, shape.sites, shape.classes, shape.clocks, shape.choices)
        level = e.sum(e.sum(mix) * e.asarray(np.arange(float(shape.clocks))))
        beyond = problem.seconds.reshape(-1, *mix.shape[1:]) - problem.shortest[..., None]
        time = e.sum(e.sum(mix * beyond / _at_least(e, problem.span, 1e-30)[..., None]))
        take, give = battery_interval(e, problem, state)
        battery = e.positive(request.battery) / _at_least(e, take, 1e-9)
        battery = battery - e.positive(-request.battery) / _at_least(e, give, 1e-9)
        low, high = cooling_interval(e, problem, t, state, outcome.it_mw)
        cooling = 2 * (outcome.cooling - low) / _at_least(e, high - low, 1e-9) - 1
        routes, hold = _routing(e, problem, t, state, request.transfers)
        parts = [routes, hold, 2 * time - 1, 2 * level / max(shape.clocks - 1, 1) - 1, battery, cooling]
        if shape.has_generator:
            span = _at_least(e, problem.generator_max - problem.generator_min, 1e-9)
            on = (request.generator - problem.generator_min) / span
            parts.append(e.where(request.generator > 0, _at_least(e, on, 1e-3), on * 0.0 - 1.0))
        said = e.concat([part.reshape(batch, -1) for part in parts])
        return _at_most(e, _at_least(e, said, -1.0), 1.0)


def _routing(e: Engine, problem: Problem, t: int, state: PlantState, transfers: Array) -> tuple[Array, Array]:
    """(B,I,K,J) shares of the sites, which sparsemax leaves as they are, and (B,I,K) share held back."""
    at_hand, must = must_run(e, problem, t, state)
    sent = e.sum(transfers)
    free = e.positive(at_hand - must)
    held = _at_most(e, e.positive(at_hand - sent) / _at_least(e, free, 1e-9), 1.0) * e.real(free > 1e-9, free)
    shares = transfers / _at_least(e, sent, 1e-9)[..., None]
    return e.where(sent[..., None] > 1e-9, shares, problem.home), held


def _at_least(e: Engine, x: Array, bound: float) -> Array:
    return e.maximum(x, x * 0.0 + bound)


def _at_most(e: Engine, x: Array, bound: float) -> Array:
    return e.minimum(x, x * 0.0 + bound)


def sparsemax(e: Engine, z: Array) -> Array:
    """Projection of the last axis onto the simplex (Martins and Astudillo, 2016, arXiv 1602.02068).

    An entry is in the support when the others exceed it by less than 1 in all; the threshold is (sum of the
    support − 1) / its size.
    """
    above = e.sum(e.positive(z[..., None, :] - z[..., :, None]))
    inside = e.real(above < 1, z)
    threshold = (e.sum(z * inside) - 1) / e.sum(inside)
    return e.positive(z - threshold[..., None])
