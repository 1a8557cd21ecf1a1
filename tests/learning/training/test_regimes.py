"""The paper's regimes by name: what each sets, and that whatever is said besides wins."""

from __future__ import annotations

from pathlib import Path

import pytest

import stepwatt as sw
from stepwatt.learning.training.plan import read_plan
from stepwatt.learning.training.regimes import TASKS, UNINFORMED


@pytest.mark.parametrize("regime", TASKS)
@pytest.mark.parametrize("algo", ["sac", "td3", "ddpg", "ppo"])
def test_a_regime_says_how_it_is_paid_and_where_one_begins(regime: str, algo: str) -> None:
    plan, usual = (read_plan(None, [*words, f"algo={algo}"]) for words in ([f"regime={regime}"], []))
    assert plan.task == usual.task.model_copy(update=dict(TASKS[regime]))
    uninformed = regime in UNINFORMED
    assert plan.training.warmup_actions == ("uniform" if uninformed else "policy")
    assert plan.training.agent.last_gain == (1.0 if uninformed else 0.01)
    if algo in ("sac", "ppo"):
        assert plan.training.agent.initial_std == (1.0 if uninformed else 0.3)


def test_what_is_said_besides_a_regime_wins() -> None:
    words = ["task.codec=direct", "agent.last_gain=0.5", "agent.hidden=[8]", "warmup_actions=policy"]
    plan = read_plan(None, ["regime=R2", *words])
    assert (plan.task.codec, plan.task.reward) == ("direct", "joint")
    assert plan.training.agent.last_gain == 0.5
    assert plan.training.agent.hidden == (8,)
    assert plan.training.warmup_actions == "policy"


def test_a_regime_can_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text('regime = "R5"\n[training]\nenv_steps = 100\n', encoding="utf-8")
    assert read_plan(file).task.reward == "episode"


@pytest.mark.parametrize("value", ["R3", "7"])
def test_regimes_that_do_not_exist_are_refused_in_a_line(value: str) -> None:
    with pytest.raises(sw.InputError, match=r"^regime = '?\w+'?: expected one of R1, R2, R4, R5"):
        read_plan(None, [f"regime={value}"])


def test_a_policy_is_trained_in_a_regime() -> None:
    small = [
        "family.every=90",
        "family.slot_minutes=60",
        "env_steps=48",
        "warmup_steps=24",
        "agent.hidden=[8]",
    ]
    policy = sw.train(regime="R2", settings=small)
    assert (policy.task.codec, policy.task.reward) == ("raw", "joint")
    assert policy.training["settings"]["warmup_actions"] == "uniform"
