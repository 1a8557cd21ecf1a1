"""The study of fine-tuning begins where it says, keeps what chose, and judges on other days."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.hybrid.cases import TRAINED_ON, cases
from benchmarks.hybrid.finetuning.study import (
    EveryDay,
    Ground,
    Looks,
    exploring,
    judged,
    reinforced,
    task_of,
    training,
)
from benchmarks.hybrid.finetuning.tables import (
    METHODS,
    ROLLING,
    STARTS,
    UNCHANGED,
    Method,
    cell_file,
    finetuned,
)
from stepwatt.formulation import Instance
from stepwatt.learning.environment.torch_engine import torch_engine
from stepwatt.learning.environment.world import World
from stepwatt.learning.model_guided.evolution import utility
from stepwatt.learning.networks.parallel_runs import generators
from stepwatt.learning.networks.policy import Policy
from stepwatt.learning.training.families import TEST_MONTHS, Family


class Hourly(Ground):
    """Few days, in slots of an hour."""

    @cached_property
    def training(self) -> list[Instance]:
        return Family(regions=TRAINED_ON, every=120, slot_minutes=60).instances("train")

    @cached_property
    def validation(self) -> list[Instance]:
        return Family(regions=TRAINED_ON, every=60, slot_minutes=60).instances("validation")


@pytest.fixture(scope="module")
def ground() -> Ground:
    return Hourly(quick=True)


def test_days_that_choose_do_not_judge_and_none_is_a_test_day(ground: Ground) -> None:
    found = Ground(quick=False)
    names = [inst.name for inst in found.validation]
    judging = {names[n] for n in found.judging}
    assert len(judging) == 68
    assert len(set(names) - judging) == 34
    assert not any(f"2018-{month:02}-" in name for name in names for month in TEST_MONTHS)
    assert len(ground.chosen_on) + len(ground.judged_on) == len(ground.validation)


def test_every_day_is_trained_on_where_the_start_says_so() -> None:
    plain = cases(quick=True)["unseen months"]
    home = TRAINED_ON[:1]
    assert len(plain.training(17, "validation", home)) == 3
    assert len(EveryDay(**plain.__dict__).training(17, "validation", home)) == 51


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("method", [method for method in METHODS if method.algo != "es"])
def test_agents_explore_little_and_wait_before_they_move(start: str, method: Method) -> None:
    settings = training(start, method, quick=False)
    assert settings.seeds == (0, 1, 2)
    assert settings.agent.actor_delay > 0  # type: ignore[attr-defined]
    assert settings.evaluate_every % (48 * settings.envs_per_run) == 0
    longer = training(start, Method(method.algo, method.reward, method.shaper, 3), quick=False)
    assert longer.env_steps == 3 * settings.env_steps


def test_names_of_cells_are_different() -> None:
    files = {cell_file(Path(), start, m.name) for start, methods in STARTS.items() for m in methods}
    assert len(files) == sum(map(len, STARTS.values()))


def test_the_policy_that_did_best_on_the_choosing_days_is_kept_run_by_run(ground: Ground) -> None:
    task = task_of("foresight")
    world = World(ground.chosen_on, torch_engine(torch.float64), task)
    policy = Policy(world.obs_size, world.act_size, (4,), generators([0, 1]), last_gain=0.0)
    looks = Looks(ground.chosen_on, task)
    with torch.no_grad():
        policy.net.layers[-1].bias[0] = 0.5  # type: ignore[index]
        first = looks(policy)["utility"]
        policy.net.layers[-1].bias[0] = 0.0  # type: ignore[index]
        policy.net.layers[-1].bias[1] = 0.5  # type: ignore[index]
        second = looks(policy)["utility"]
    assert first[0] < first[1]
    torch.testing.assert_close(second, first.flip(0))
    for score, kept in looks.kept:
        assert score == pytest.approx(float(first[1]))
        assert float(utility(ground.chosen_on, task, kept).mean()) == pytest.approx(score)


def test_a_training_of_corrections_begins_at_foresight_itself(ground: Ground) -> None:
    found = reinforced(ground, "foresight", Method("ppo", "sparse", "solver-potential"))
    task, chosen_on = task_of("foresight"), ground.chosen_on
    world = World(chosen_on, torch_engine(torch.float64), task)

    def nothing(obs: torch.Tensor) -> torch.Tensor:
        return torch.zeros(*obs.shape[:-1], world.act_size, dtype=obs.dtype)

    plain = judged(chosen_on, task, nothing)
    assert found.looks[0][0] == pytest.approx(plain["utility"].mean(), rel=1e-9)
    assert judged(chosen_on, task, found.kept[0])["utility"].mean() == pytest.approx(max(found.looks[0]))
    np.testing.assert_array_equal(
        judged(chosen_on, task, exploring(nothing, 0.0))["utility"], plain["utility"]
    )
    assert (judged(chosen_on, task, exploring(nothing, 0.3))["utility"] < plain["utility"]).all()


def keep(folder: Path, start: str, method: str, gap: list[list[float]], **more: object) -> None:
    about = {"date": "2026-11-25", "git": "0123456789"}
    shared = {"gap": gap, "last": gap, "miss": 0.0, "env_steps": 2000, "cpu_seconds": 90.0, "about": about}
    cell_file(folder, start, method).write_text(json.dumps(shared | more), encoding="utf-8")


def test_cells_are_told_best_first_against_start_and_rolling(tmp_path: Path) -> None:
    assert finetuned(tmp_path) == []
    keep(tmp_path, *ROLLING, [[0.1, 0.1, 0.1]])
    keep(tmp_path, "foresight", UNCHANGED, [[0.3, 0.3, 0.3]], exploring={"0.01": 0.7}, paid=0.98, failed=0.1)
    keep(tmp_path, "foresight", "ppo sparse", [[0.5, 0.5, 0.5]] * 2)
    keep(tmp_path, "foresight", "ppo sparse solver-potential", [[0.2, 0.2, 0.2]] * 2, last=[[0.4] * 3] * 2)
    keep(tmp_path, "foresight", "es", [[0.25, 0.25, 0.25]] * 2, last=[])
    lines = finetuned(tmp_path)
    rows = [line for line in lines if line.startswith(("| es", "| ppo"))]
    assert [row.split(" | ")[0] for row in rows] == ["| ppo sparse solver-potential", "| es", "| ppo sparse"]
    means, middles, rolling, last = rows[0].split(" | ")[2:6]
    assert means == middles == "-0.100 (-0.100 … -0.100)"
    assert rolling == "+0.100 (+0.100 … +0.100)"
    assert last == "0.400"
    assert rows[0].endswith("| 2 | 1.50 |")
    assert rows[1].split(" | ")[5] == "–"
    [shaping] = [line for line in lines if line.startswith("| foresight | ppo sparse solver-")]
    assert shaping.split(" | ")[2:] == ["-0.100 (-0.100 … -0.100)", "-0.300 (-0.300 … -0.300) |"]
    assert any("0.700 % at 0.01" in line for line in lines)
