"""The plant does what can be done, whoever asks: outside code may ask for anything."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from strategies import instances

import stepwatt as sw
from stepwatt.formulation import Instance
from stepwatt.formulation.plant.playing import played
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.state import PlantState, Request


@given(instances(max_slots=5, max_sites=3), st.integers(0, 2**32 - 1), st.floats(0.0, 5.0))
def test_more_jobs_than_there_are_are_not_run(inst: Instance, seed: int, eagerness: float) -> None:
    rng = np.random.default_rng(seed)

    def ask(problem: Problem, t: int, state: PlantState) -> Request:
        there = state.waiting + problem.arrivals[t]
        sites = problem.shape.sites
        power = np.zeros((1, sites))
        return Request(
            transfers=eagerness * there[..., None] * rng.dirichlet(np.ones(sites), there.shape),
            cooling=power + 1e3,
            battery=power,
            generator=power,
            option=np.zeros((1, sites, problem.shape.classes), dtype=np.int64),
            longer=np.zeros((1, sites, problem.shape.classes)),
        )

    schedule, outcomes = played(inst, ask)
    judged = sw.evaluate(inst, schedule)
    sent = schedule.transfers.sum()
    assert sent <= inst.arrays().arrivals.sum() + inst.arrays().state.backlog.sum() + 1e-6
    assert judged.violations["deadline"] <= judged.tolerance("deadline")
    assert sum(float(outcome.utility[0]) for outcome in outcomes) <= sw.solve(inst, "lp").bound + 1e-5 * (
        1 + abs(judged.utility)
    )
