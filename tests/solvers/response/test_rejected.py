"""What a response rejected costs at least what is said: HiGHS, asked with it forced, never does better."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
from slot_draws import drawn_prices, drawn_state
from slot_reference import slot_optimum
from strategies import random_instance

from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.stacking import stack
from stepwatt.formulation.plant.state import first_state
from stepwatt.solvers.response import best_response
from stepwatt.solvers.response.programs.rows import Rows
from stepwatt.solvers.response.rejected import Kind, rejected

FEATURES = ["battery", "deadline", "link", "demand", "thermal", "dvfs", "generator", "negative", "fluid"]


@pytest.mark.parametrize("seed", range(12))
def test_nothing_beats_a_rejected_alternative_less_its_regret(seed: int) -> None:
    rng = np.random.default_rng(seed)
    inst = random_instance(rng, n_slots=4, n_sites=3, features=_some(rng))
    problem = stack([inst.arrays()], numpy_engine())
    for t in range(problem.shape.n_slots):
        state, prices = drawn_state(problem, rng, t), drawn_prices(problem, rng)
        plan = best_response(problem, t, state, prices)
        found = rejected(problem, plan)
        for j in range(problem.shape.sites):
            kind, i, k = Kind(int(found.kind[0, j])), int(found.origin[0, j]), int(found.job_class[0, j])
            moved = float(found.moved[0, j])
            if kind is Kind.NOTHING:
                continue
            instead = int(found.instead[0, j])
            p, solution = plan.relaxed
            held = float((Rows(p).boxes(solution.box)[1] * p.held_unit)[:, i, k, 0].sum())
            column = {
                Kind.OPTION: (("option", j, k, instead), moved),
                Kind.SITE: (("transfer", i, k, instead), moved),
                Kind.WAIT: (("held", i, k, -1), held + moved),
                Kind.LOST: (("lost", i, k, -1), moved),
            }[kind]
            forced = (column[0], column[1] * (1 - 1e-7))
            best = slot_optimum(problem, t, state, prices, 0, forced)
            assert found.loss[0, j] >= 0
            if best is not None:
                scale = max(abs(float(plan.objective[0])), float(problem.money_scale[0]))
                assert best <= plan.objective[0] - found.regret[0, j] + 2e-6 * scale, (t, j, kind)


def _some(rng: np.random.Generator) -> list[str]:
    return [name for name in FEATURES if rng.random() < 0.5]


def test_the_loss_of_another_option_is_what_a_job_leaves_less_at_the_prices() -> None:
    """A job brings its revenue and takes GPU time and power, here 180 s and 0.01 MWh a ten steps."""
    inst = tiny.instance(
        {"a": tiny.site([30.0, 20.0])},
        {"a": [12, 3]},
        steps={10: 1.0, 20: 1.5},
        seconds_per_step=18.0,
        mwh_per_step=0.001,
        job={"deadline_slots": 1},
    )
    problem = stack([inst.arrays()], numpy_engine())
    rng = np.random.default_rng(0)
    plan = best_response(problem, 0, first_state(problem), drawn_prices(problem, rng))
    found = rejected(problem, plan)
    assert Kind(int(found.kind[0, 0])) is Kind.OPTION
    assert plan.power[0, 0] == pytest.approx(30.0)
    left = {
        steps: brings - 18.0 * steps * plan.gpu_time[0, 0] / 3600 - 0.001 * steps * plan.power[0, 0]
        for steps, brings in {10: 1.0, 20: 1.5}.items()
    }
    chosen = 20 if found.revenue[0, 0] == pytest.approx(1.5) else 10
    assert found.loss[0, 0] == pytest.approx(left[chosen] - left[30 - chosen], abs=1e-6)
    assert found.revenue + found.gpu_time + found.power == pytest.approx(left[chosen], abs=1e-6)
