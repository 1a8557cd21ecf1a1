"""Trained policies: made from a plan, stored safely, compared like any other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import stepwatt as sw
from stepwatt.cli import run
from stepwatt.formulation.manifest import load_manifest
from stepwatt.learning.policies.trained import TrainedPolicy
from stepwatt.learning.training.families import SPLITS, Family
from stepwatt.learning.training.plan import read_plan
from stepwatt.learning.training.run import run_plan

SHORT = ["family.every=90", "env_steps=96", "warmup_steps=64", "batch_size=16"]
SHORT += ["agent.hidden=[8]", "replay_steps=1000"]


@pytest.fixture(scope="module")
def policy() -> TrainedPolicy:
    torch.set_num_threads(1)
    made = sw.train(shaping="none", settings=SHORT)
    assert isinstance(made, TrainedPolicy)
    return made


@pytest.fixture(scope="module")
def day() -> sw.Instance:
    return sw.scenario("jemas", start="2018-06-12", n_slots=48, slot_minutes=30)


def test_splits_of_a_family_share_no_day_and_no_test_month_is_trained_on() -> None:
    days = {split: set(Family().days(split)) for split in SPLITS}
    assert not days["train"] & days["validation"]
    assert not {day.month for day in days["test"]} & {day.month for day in days["train"] | days["validation"]}
    apart = [abs((a - b).days) for a in days["train"] for b in days["validation"]]
    assert min(apart) > 1


def test_first_and_last_day_of_every_split_can_be_built() -> None:
    family = Family()
    for split in SPLITS:
        for day in (family.days(split)[0], family.days(split)[-1]):
            assert family.instance(family.regions[0], day, False).n_slots == 48


def test_a_trained_policy_makes_feasible_whole_schedules(policy: TrainedPolicy, day: sw.Instance) -> None:
    judged = sw.evaluate(day, policy.schedule(day))
    assert judged.feasible, judged.broken


def test_what_is_stored_decides_alike(policy: TrainedPolicy, day: sw.Instance, tmp_path: Path) -> None:
    policy.save(tmp_path / "run")
    again = sw.load_policy(tmp_path / "run")
    assert again.training == json.loads(json.dumps(policy.training))
    for name, flow in vars(policy.schedule(day)).items():
        np.testing.assert_array_equal(getattr(again.schedule(day), name), flow)


def test_a_policy_file_holds_nothing_that_runs_on_loading(policy: TrainedPolicy, tmp_path: Path) -> None:
    path = policy.save(tmp_path / "policy.npz")
    with np.load(path, allow_pickle=False) as archive:
        assert all(archive[name].dtype.kind in "fU" for name in archive.files)
    np.savez(tmp_path / "pickled.npz", about=np.array([{"schema": "x"}], dtype=object))
    with pytest.raises(sw.InputError, match="a policy that stepwatt has saved"):
        sw.load_policy(tmp_path / "pickled.npz")


def test_a_policy_refuses_an_instance_of_another_family(policy: TrainedPolicy) -> None:
    with pytest.raises(sw.InputError, match="slot_hours"):
        policy.schedule(sw.scenario("jemas", n_slots=4))


def test_several_seeds_train_side_by_side_and_compare_under_one_name(day: sw.Instance) -> None:
    made = sw.train(shaping="none", seed=[0, 1], settings=SHORT)
    assert isinstance(made, sw.Seeds)
    comparison = sw.compare([day], {"greedy": "greedy", "learned": made}, bound="lp")
    assert len(comparison.cases[0].entries) == 3


def test_callables_of_observations_are_asked_slot_by_slot(day: sw.Instance) -> None:
    asked = []

    @sw.policy
    def mine(obs: Any) -> np.ndarray:
        asked.append(np.asarray(obs))
        return np.zeros(60)

    comparison = sw.compare(day, {"mine": mine, "greedy": "greedy"}, bound="lp")
    assert len(asked) == day.n_slots
    assert comparison.table.loc["mine", "gap"] > comparison.table.loc["greedy", "gap"]


def test_a_callables_numbers_are_cut_to_the_box(day: sw.Instance) -> None:
    size = 60
    wild = np.where(np.arange(size) % 2, 1e300, -7.0)

    def earned(action: np.ndarray) -> float:
        @sw.policy
        def mine(obs: Any) -> np.ndarray:
            return action

        return float(sw.compare(day, {"mine": mine}, bound="lp").table.loc["mine", "utility"])

    assert earned(wild) == earned(np.clip(wild, -1, 1))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (np.zeros(59), r"shape \(59,\)'?: expected 60 finite numbers"),
        (np.zeros((1, 60)), r"shape \(1, 60\)"),
        (np.full(60, np.nan), r"action\[0\] = nan: expected 60 finite numbers"),
        (np.r_[np.zeros(59), np.inf], r"action\[59\] = inf"),
        (["full"] * 60, "expected 60 finite numbers"),
        (None, "expected 60 finite numbers"),
    ],
)
def test_a_callable_that_says_something_else_is_told_in_one_line(
    answer: object, told: str, day: sw.Instance
) -> None:
    @sw.policy
    def mine(obs: Any) -> object:
        return answer

    with pytest.raises(sw.InputError, match=told):
        sw.compare(day, {"mine": mine}, bound="lp")


@pytest.mark.parametrize(
    ("word", "field"),
    [
        ("task.reward=rich", "reward"),
        ("shaper=magic", "shaper"),
        ("family.zones=DE", "zones"),
        ("agent.width=3", "width"),
        ("task.horizon=3", "task.horizon"),
        ("task.codec=[1]", "codec"),
        ("task.renewal=1.5", "renewal"),
        ("task.threshold=-0.1", "threshold"),
        ("task.reward_scale=nan", "reward_scale"),
        ("task.foresight=1", "foresight"),
        ("nonsense", "override"),
        ("traning.gamma=0.9", "traning"),
        ("family=3", "one of the tables"),
        ("family.every=x", "family.every = 'x': expected an integer"),
        ("family.scenario=jema", "did you mean jemas"),
        ("family.regions=3", "family.regions = 3: expected a list .* each a text"),
        ("agent=3", "agent = 3: expected a table"),
        ("agent.hidden=3", "agent.hidden = 3: expected a list"),
        ("agent.actor_rate=1e308", "agent.actor_rate = 1e.308: expected a number > 0 and ≤ 10"),
        (
            "agent.hidden=[1000000,1000000]",
            r"agent.hidden\[0\] = 1000000: expected an integer ≥ 1 and ≤ 65536",
        ),
        ("replay_steps=1e12", "replay_steps = .*: expected an integer"),
        ("replay_steps=1000000000000", "replay_steps = .*: expected an integer ≥ 1 and ≤"),
        ("envs_per_run=1000000000", "envs_per_run = 1000000000: expected an integer ≥ 1 and ≤ 65536"),
        ("seeds=[]", "seeds"),
        ("seeds=[1,1]", "seeds = .*different seeds"),
        ("algo=[1]", "algo = .*expected one of sac"),
        ("shaping.x=1", "shaping.x = 1: expected one of the fields weight"),
        ("shaping=3", "shaping = 3: expected a table"),
        ("horizon_hours=0", "horizon_hours = 0: expected a number ≥ 1e-12"),
        ("task.codec=[1]", "task.codec = .*expected one of direct, priced"),
        ("task.reward=spars", "did you mean sparse"),
        ("task.renewal=x", "task.renewal = 'x': expected an integer"),
        ("task.renewal=3", "task.renewal = 3: expected 0, or slots of a task with foresight"),
        ("task.threshold=nan", "task.threshold = nan: expected a number ≥ 0 and ≤ 1"),
        ("task.reward_scale=nan", "task.reward_scale = nan"),
        ("task.foresight=1", "task.foresight = 1: expected true or false"),
        ("warm_start.kind=klone", "warm_start.kind = 'klone': expected one of none, clone"),
    ],
)
def test_settings_that_do_not_fit_are_refused_in_one_line(word: str, field: str) -> None:
    with pytest.raises(sw.InputError, match=field) as told:
        read_plan(None, [word])
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("words", [[], ["warm_start.kind='clone'", "task.codec='priced'"]])
def test_only_clones_of_the_direct_codec_are_refined(words: list[str]) -> None:
    with pytest.raises(sw.InputError, match=r"warm_start\.refining"):
        read_plan(None, [*words, "warm_start.refining=10"])


def test_a_training_near_demonstrations_resumes_as_if_never_interrupted(tmp_path: Path) -> None:
    words = ["family.every=180", "family.slot_minutes=60", "warm_start.kind='clone'", "warm_start.updates=10"]
    words += ["shaper='none'", "agent.hidden=[8]", "agent.cloning_weight=5.0", "batch_size=16"]
    words += ["envs_per_run=2", "warmup_steps=24", "replay_steps=1000"]
    half, whole = (read_plan(None, [*words, f"env_steps={steps}"]) for steps in (48, 96))
    [at_once] = run_plan(whole)
    run_plan(half, tmp_path)
    [in_parts] = run_plan(whole, tmp_path, resume=True)
    for name, value in at_once.network.state.items():
        np.testing.assert_array_equal(in_parts.network.state[name], value, err_msg=name)


def test_the_command_trains_resumes_and_compares(
    day: sw.Instance, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, file = tmp_path / "run", tmp_path / "day.json"
    day.save(file)
    words = ["train", "--shaping", "none", "--out", str(out), "--json", *SHORT]
    assert run(words) == 0
    first = json.loads(capsys.readouterr().out)["policies"][0]
    assert load_manifest(out / "policy.npz.manifest.json").outputs.keys() == {"policy.npz"}
    assert run([*words, "--resume", "env_steps=128"]) == 0
    more = json.loads(capsys.readouterr().out)["policies"][0]
    assert (first["env_steps"], more["env_steps"]) == (96, 128)
    assert (
        run(
            ["compare", str(file), "--policy", f"mine={out}", "--policy", "greedy", "--bound", "lp", "--json"]
        )
        == 0
    )
    assert {row["policy"] for row in json.loads(capsys.readouterr().out)["table"]} >= {"mine", "greedy"}


def test_bad_settings_on_the_command_line_exit_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "--algo", "dqn"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_what_a_file_says_holds_where_no_argument_says_otherwise(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    config = tmp_path / "plan.toml"
    config.write_text(
        '[task]\ninformation = "none"\nreward = "dense"\n[training]\nshaper = "constant"\nseeds = [3]\n',
        encoding="utf-8",
    )
    made = sw.train(config=config, settings=SHORT, reward="episode")
    assert made.task.information == "none"
    assert made.task.reward == "episode"
    assert made.training["settings"]["shaper"] == "constant"
    assert made.training["seed"] == 3
