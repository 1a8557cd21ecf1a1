"""The training loop: reproducible, resumable bit for bit, honest about its settings."""

from __future__ import annotations

import functools
import gzip
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from places import ROOT
from torch import Tensor
from toy_envs import Bandit, Chain, Regulator, settings_said

from stepwatt.formulation import InputError
from stepwatt.formulation.files import locked
from stepwatt.learning.agents import AGENTS
from stepwatt.learning.memory.transitions import Batch
from stepwatt.learning.shapers import SHAPERS, Shaper
from stepwatt.learning.training.checkpoints import load_checkpoint, save_checkpoint
from stepwatt.learning.training.logs import read_log
from stepwatt.learning.training.loop import (
    CHECKPOINT,
    LOG,
    SETTINGS,
    TrainingOutcome,
    build_agent,
    train_agent,
)
from stepwatt.learning.training.plan import read_plan
from stepwatt.learning.training.run import run_plan
from stepwatt.learning.training.settings import TrainingSettings

SMALL = [
    "seeds=[0,1]",
    "envs_per_run=4",
    "env_steps=160",
    "warmup_steps=24",
    "agent.hidden=[16]",
    "batch_size=16",
    "n_step=3",
    "log_every=40",
    "evaluate_every=80",
    "checkpoint_every=48",
]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(1)


def small(algo: str, *words: str) -> TrainingSettings:
    rollout = ["agent.rollout_slots=7", "agent.epochs=2"] if algo == "ppo" else []
    return settings_said(f"algo={algo}", *SMALL, *rollout, *words)


def regulator(settings: TrainingSettings) -> Regulator:
    return Regulator(settings.seeds, settings.envs_per_run)


def weights(outcome: TrainingOutcome) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in outcome.agent.policy().state_dict().items()}


@functools.cache
def trained(algo: str) -> dict[str, Tensor]:
    """What a small training comes to."""
    settings = small(algo)
    return weights(train_agent(regulator(settings), settings))


def assert_same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


class Scaled:
    """Shapes by a multiple of the observation's first number; counts what it was shown."""

    preserves_optimum = False

    def __init__(self, weight: float):
        self.weight, self.observed, self.updated = weight, 0, 0

    def observe(self, batch: Batch) -> None:
        assert torch.isnan(batch.returns).all()
        self.observed += batch.reward.shape[1]

    def update(self, batch: Batch) -> dict[str, float]:
        self.updated += 1
        return {"weight": self.weight}

    def shape(self, batch: Batch) -> Tensor:
        return self.weight * batch.obs[..., 0]

    def state_dict(self) -> dict[str, Any]:
        return {"observed": self.observed, "updated": self.updated}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.observed, self.updated = state["observed"], state["updated"]


@pytest.mark.parametrize("algo", AGENTS)
def test_the_same_seeds_give_the_same_numbers_twice(algo: str) -> None:
    settings = small(algo)
    assert_same(weights(train_agent(regulator(settings), settings)), trained(algo))


@pytest.mark.parametrize("algo", AGENTS)
def test_a_run_trains_the_same_alone_and_in_company(algo: str) -> None:
    alone = small(algo).changed(seeds=(1,))
    for name, value in weights(train_agent(regulator(alone), alone)).items():
        torch.testing.assert_close(trained(algo)[name][1:2], value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("algo", AGENTS)
def test_a_shaper_that_adds_nothing_changes_nothing(algo: str) -> None:
    settings = small(algo)
    shaper = Scaled(0.0)
    with_it = train_agent(regulator(settings), settings, shaper=shaper)
    assert_same(weights(with_it), trained(algo))
    assert shaper.observed == settings.env_steps
    assert shaper.updated > 0
    shaped = train_agent(regulator(settings), settings, shaper=Scaled(1.0))
    assert not torch.equal(weights(shaped)["net.layers.1.weight"], weights(with_it)["net.layers.1.weight"])


@pytest.mark.parametrize("algo", AGENTS)
def test_a_shaper_of_the_wrong_shape_or_with_a_gradient_is_refused(algo: str) -> None:
    settings = small(algo)

    class Wrong(Scaled):
        def shape(self, batch: Batch) -> Tensor:
            return batch.obs

    class Attached(Scaled):
        def shape(self, batch: Batch) -> Tensor:
            return batch.reward * torch.ones(1, requires_grad=True)

    with pytest.raises(ValueError, match="for rewards of shape"):
        train_agent(regulator(settings), settings, shaper=Wrong(1.0))
    with pytest.raises(ValueError, match="gradient"):
        train_agent(regulator(settings), settings, shaper=Attached(1.0))


class StopsAfter(Regulator):
    """Is interrupted (as by Ctrl-C) in the middle of a step."""

    def __init__(self, seeds: tuple[int, ...], envs_per_run: int, steps: int):
        super().__init__(seeds, envs_per_run)
        self.left = steps

    def step(self, action: Tensor) -> Any:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return super().step(action)


@pytest.mark.parametrize("algo", AGENTS)
def test_resuming_after_an_interrupt_is_bit_for_bit_the_uninterrupted_training(
    algo: str, tmp_path: Path
) -> None:
    settings = small(algo)
    whole = train_agent(regulator(settings), settings, shaper=Scaled(0.5), folder=tmp_path / "whole")
    folder = tmp_path / "halves"
    with pytest.raises(KeyboardInterrupt):
        train_agent(StopsAfter(settings.seeds, 4, 23), settings, shaper=Scaled(0.5), folder=folder)
    assert load_checkpoint(folder / CHECKPOINT)["env_steps"] == 23 * 4
    rest = train_agent(regulator(settings), settings, shaper=Scaled(0.5), folder=folder, resume=True)
    assert_same(weights(rest), weights(whole))
    assert (rest.env_steps, rest.updates) == (whole.env_steps, whole.updates)
    assert metrics_of(folder / LOG) == metrics_of(tmp_path / "whole" / LOG)


def metrics_of(log: Path) -> list[tuple[str, int, int, dict[str, Any]]]:
    return [(one["kind"], one["env_steps"], one["updates"], one["metrics"]) for one in read_log(log)]


KILLED = """
import sys
from pathlib import Path
sys.path[:0] = {tests!r}
import torch
from test_training import regulator, small
from stepwatt.learning.training.loop import train_agent
torch.set_num_threads(1)
settings = small("sac", "env_steps=200000", "checkpoint_every=40")
train_agent(regulator(settings), settings, folder=Path({folder!r}))
"""


def test_a_killed_training_goes_on_from_its_last_checkpoint_bit_for_bit(tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    code = KILLED.format(
        tests=[str(Path(__file__).parent), str(ROOT / "tests" / "support")], folder=str(folder)
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        while not (folder / CHECKPOINT).exists() or load_checkpoint(folder / CHECKPOINT)["env_steps"] < 120:
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    reached = load_checkpoint(folder / CHECKPOINT)["env_steps"]
    settings = small("sac", f"env_steps={reached + 60}", "checkpoint_every=40")
    rest = train_agent(regulator(settings), settings, folder=folder, resume=True)
    whole = train_agent(regulator(settings), settings, folder=tmp_path / "whole")
    assert_same(weights(rest), weights(whole))
    assert metrics_of(folder / LOG) == metrics_of(tmp_path / "whole" / LOG)


def test_a_folder_that_holds_a_training_is_neither_resumed_nor_replaced_unasked(tmp_path: Path) -> None:
    settings = small("sac", "env_steps=40")
    first = train_agent(regulator(settings), settings, folder=tmp_path)
    (tmp_path / "policy.npz").touch()
    with pytest.raises(InputError, match=r"holds a training.*resume.*overwrite"):
        train_agent(regulator(settings), settings, folder=tmp_path)
    assert load_checkpoint(tmp_path / CHECKPOINT)["env_steps"] == first.env_steps
    with pytest.raises(InputError, match="not both"):
        train_agent(regulator(settings), settings, folder=tmp_path, resume=True, overwrite=True)
    again = train_agent(regulator(settings), settings, folder=tmp_path, overwrite=True)
    assert_same(weights(first), weights(again))
    assert not (tmp_path / "policy.npz").exists()


def test_one_training_at_a_time_goes_on_in_a_folder(tmp_path: Path) -> None:
    other = locked(tmp_path / "training")
    with pytest.raises(InputError, match="file = 'in use': expected one on which nobody else works now"):
        run_plan(read_plan(None, []), tmp_path, resume=True)
    other.release()
    locked(tmp_path / "training").release()


def test_a_checkpoint_for_which_there_is_no_room_leaves_the_last_one(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / CHECKPOINT, {"env_steps": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
    try:
        with pytest.raises(InputError, match=f"{CHECKPOINT}: file = 'File too large'"):
            save_checkpoint(tmp_path / CHECKPOINT, {"env_steps": 2, "weights": torch.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert load_checkpoint(tmp_path / CHECKPOINT)["env_steps"] == 1
    assert [file.name for file in tmp_path.iterdir()] == [CHECKPOINT]


def test_an_existing_file_is_no_folder_of_a_training(tmp_path: Path) -> None:
    settings = small("sac", "env_steps=40")
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(InputError, match=f"^{folder}: "):
            train_agent(regulator(settings), settings, folder=folder)


def test_resuming_begins_where_a_kill_came_before_the_first_checkpoint(tmp_path: Path) -> None:
    settings = small("sac", "env_steps=40")
    (tmp_path / LOG).write_text('{"kind": "evaluation", "env_st', encoding="utf-8")
    begun = train_agent(regulator(settings), settings, folder=tmp_path, resume=True)
    assert_same(weights(begun), weights(train_agent(regulator(settings), settings)))
    assert {line["env_steps"] for line in read_log(tmp_path / LOG)} == {40}
    (tmp_path / "policy.npz").touch()
    (tmp_path / CHECKPOINT).unlink()
    with pytest.raises(InputError, match=r"holds policies alone.*its checkpoint"):
        train_agent(regulator(settings), settings, folder=tmp_path, resume=True)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    settings = small("sac")
    train_agent(regulator(settings), settings, folder=tmp_path)
    other = settings.changed(gamma=0.5)
    with pytest.raises(InputError, match=r"gamma = 0\.5"):
        train_agent(regulator(other), other, folder=tmp_path, resume=True)
    with pytest.raises(InputError, match="shaper"):
        train_agent(regulator(settings), settings, shaper=Scaled(1.0), folder=tmp_path, resume=True)


def test_what_is_no_checkpoint_is_refused_in_one_line(tmp_path: Path) -> None:
    settings = small("sac")
    for content in (b"no checkpoint", b""):
        (tmp_path / CHECKPOINT).write_bytes(content)
        with pytest.raises(InputError, match=CHECKPOINT) as told:
            train_agent(regulator(settings), settings, folder=tmp_path, resume=True)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("algo", ["sac", "ppo"])
def test_counts_of_a_checkpoint_that_are_none_are_refused_by_name(algo: str, tmp_path: Path) -> None:
    settings = small(algo)
    train_agent(regulator(settings), settings, folder=tmp_path)
    whole = load_checkpoint(tmp_path / CHECKPOINT)
    for holder, field in ((("env_steps",), "env_steps"), (("learner", "updates"), "learner.updates")):
        for wrong in ({"kind": 1}, -1, 2.0, None):
            state = {**whole, "learner": dict(whole["learner"])}
            inner = state["learner"] if len(holder) == 2 else state
            inner[holder[-1]] = wrong
            save_checkpoint(tmp_path / CHECKPOINT, state)
            with pytest.raises(InputError, match=f"{field} = ") as told:
                train_agent(regulator(settings), settings, folder=tmp_path, resume=True)
            assert told.value.field == field


@pytest.mark.parametrize("algo", ["sac", "ppo"])
def test_the_log_keeps_every_run_and_both_kinds_of_cost(algo: str, tmp_path: Path) -> None:
    settings = small(algo)
    env = Bandit(settings.seeds, 4)
    outcome = train_agent(env, settings, evaluate=env.score, folder=tmp_path)
    records = read_log(tmp_path / LOG)
    evaluations = [one for one in records if one["kind"] == "evaluation"]
    assert [one["env_steps"] for one in evaluations] == [0, 80, 160]
    training = [one for one in records if one["kind"] == "training"]
    assert [one["env_steps"] for one in training] == [40, 80, 120, 160]
    for one in training[1:]:
        assert {len(values) for values in one["metrics"].values()} == {2}
        assert one["cpu_seconds"] == pytest.approx(one["cpu_seconds_collect"] + one["cpu_seconds_learn"])
    assert training[-1]["updates"] == outcome.updates
    saved = json.loads((tmp_path / SETTINGS).read_text(encoding="utf-8"))
    assert TrainingSettings.read(saved["settings"]) == settings
    assert set(saved["versions"]) >= {"torch", "stepwatt", "python"}


def test_updates_come_at_the_stated_rate() -> None:
    settings = small("sac", "updates_per_step=0.3")
    assert train_agent(regulator(settings), settings).updates == int(0.3 * (160 - 24))


def test_tensorboard_gets_the_same_numbers(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    settings = small("sac")
    train_agent(regulator(settings), settings, folder=tmp_path, tensorboard=True)
    assert list((tmp_path / "tensorboard").glob("events.*"))


def test_environments_that_cannot_be_shared_out_are_refused() -> None:
    with pytest.raises(InputError, match="envs_per_run"):
        train_agent(Chain((0,), 3), small("sac"))


def test_what_no_memory_holds_is_refused_before_it_is_asked_for() -> None:
    wide = small("sac", f"agent.hidden={[65_536] * 16}")
    with pytest.raises(InputError, match=r"agent\.hidden = .*expected what fits into memory: .* GiB"):
        build_agent(wide, regulator(wide))
    long = small("sac", f"seeds={list(range(1_000))}", "replay_steps=1000000000", "envs_per_run=1")
    with pytest.raises(InputError, match=r"replay_steps = 1000000000: expected what fits into memory"):
        train_agent(regulator(long), long)


@pytest.mark.parametrize(
    ("text", "words", "told"),
    [
        ("envs_per_runs = 3", [], r"envs_per_runs = 3: expected one of the fields"),
        ("gamma = 1.5", [], r"gamma = 1\.5: expected a number ≥ 1e-12 and ≤ 1"),
        ("gamma = 0", [], r"gamma = 0: expected a number ≥ 1e-12 and ≤ 1"),
        ("gamma = nan", [], r"gamma = nan"),
        ("algo = 'dqn'", [], "algo = .*expected one of sac, td3, ddpg, ppo"),
        ("[training.agent]\nrate = 1", [], r"agent\.rate = 1: expected one of the fields"),
        ("[training.agent]\nhidden = [64, 0]", [], r"agent\.hidden\[1\] = 0: expected an integer ≥ 1"),
        ("seeds = [1, 1]", [], "seeds = .*different seeds"),
        ("env_steps = true", [], "env_steps"),
        ("gamma = ", [], "readable TOML"),
        ("", ["gamma"], "expected key=value"),
        ("", ["agent.clip=0.1"], r"agent\.clip"),
    ],
)
def test_settings_that_do_not_fit_are_told_in_one_line(
    text: str, words: list[str], told: str, tmp_path: Path
) -> None:
    file = tmp_path / "train.toml"
    file.write_text(f"[training]\n{text}", encoding="utf-8")
    with pytest.raises(InputError, match=told) as error:
        read_plan(file, words)
    assert "\n" not in str(error.value)
    if not words:
        assert str(file) in str(error.value)


def test_words_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "train.toml"
    file.write_text(
        "[training]\nalgo = 'td3'\nseeds = [1, 2]\n[training.agent]\nhidden = [8]\n", encoding="utf-8"
    )
    settings = read_plan(file, ["seeds=[5]", "agent.exploration=0", "gamma=1"]).training
    assert settings.seeds == (5,)
    assert settings.plain()["agent"]["hidden"] == [8]
    assert settings.plain()["agent"]["exploration"] == 0.0
    assert settings.gamma == 1.0


@pytest.mark.parametrize("algo", ["sac", "td3", "ppo"])
@pytest.mark.parametrize("name", SHAPERS)
def test_every_shaper_trains_with_every_agent_and_resumes_exactly(
    name: str, algo: str, tmp_path: Path
) -> None:
    settings = small(algo, "env_steps=44", f"shaper={name}")
    half = settings.changed(env_steps=32)

    def shaper() -> Shaper:
        return SHAPERS[name](1, 1, settings.seeds, settings.shaping)

    whole = train_agent(regulator(settings), settings, shaper=shaper())
    train_agent(regulator(half), half, shaper=shaper(), folder=tmp_path)
    rest = train_agent(regulator(settings), settings, shaper=shaper(), folder=tmp_path, resume=True)
    assert_same(weights(rest), weights(whole))


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in _leaves(inner, (*path, key))]
    if isinstance(value, list):
        return [leaf for key, inner in enumerate(value) for leaf in _leaves(inner, (*path, key))]
    return [(path, value)]


def _put(state: Any, path: tuple[Any, ...], value: Any) -> None:
    for part in path[:-1]:
        state = state[part]
    state[path[-1]] = value


@pytest.mark.parametrize("algo", ["sac", "ppo"])
def test_a_checkpoint_of_other_shapes_and_types_is_one_line_and_no_crash(algo: str, tmp_path: Path) -> None:
    """Tensors cut, widened, or none at all: fused optimisers would read beyond."""
    settings = small(algo, "seeds=[0]")
    train_agent(regulator(settings), settings, folder=tmp_path)
    kept = load_checkpoint(tmp_path / CHECKPOINT)
    kept.pop("schema")
    longer = settings.changed(env_steps=200)
    rng = np.random.default_rng(0)
    tensors = [path for path, value in _leaves(kept) if isinstance(value, Tensor) and value.numel() > 1]
    for path in (tensors[n] for n in rng.permutation(len(tensors))[:25]):
        value = dict(_leaves(kept))[path]
        if path[0] == "env":
            continue  # the toy's own state is its own
        spoilt = [value.flatten()[:-1], torch.cat([value, value]), "text"]
        _put(kept, path, spoilt[int(rng.integers(len(spoilt)))])
        save_checkpoint(tmp_path / CHECKPOINT, kept)
        with pytest.raises(InputError, match=r"checkpoint\.pt"):
            train_agent(regulator(longer), longer, folder=tmp_path, resume=True)
        _put(kept, path, value)


def test_what_a_checkpoint_could_have_native_code_do_is_refused_by_name(tmp_path: Path) -> None:
    """Places outside the replay, moments that are no plain tensors, other settings of the optimiser, states
    of no generator, steps that never were."""
    settings = small("sac", "seeds=[0]")
    train_agent(regulator(settings), settings, folder=tmp_path)
    kept = load_checkpoint(tmp_path / CHECKPOINT)
    kept.pop("schema")
    longer = settings.changed(env_steps=200)
    wide = {path: value for path, value in _leaves(kept) if path[-1] == "exp_avg" and value.dim() > 1}
    moment, values = next(iter(wide.items()))
    rate = next(path for path, _ in _leaves(kept) if "param_groups" in path and path[-1] == "lr")
    for path, wrong in (
        (("learner", "replay", "newest"), -7),
        (("learner", "replay", "filled"), 10**9),
        (("learner", "collected"), 10**9),
        (moment, values.to_sparse()),
        (rate, 1e9),
        (("learner", "rngs"), []),
        (("env_steps",), 10**9),
        (("cpu_seconds", "learn"), float("nan")),
    ):
        holder: Any = kept
        for step in path[:-1]:
            holder = holder[step]
        before = holder[path[-1]]
        _put(kept, path, wrong)
        save_checkpoint(tmp_path / CHECKPOINT, kept)
        with pytest.raises(InputError, match=r"checkpoint\.pt"):
            train_agent(regulator(longer), longer, folder=tmp_path, resume=True)
        _put(kept, path, before)


def test_another_plan_does_not_go_on_from_a_checkpoint(tmp_path: Path) -> None:
    words = ["env_steps=64", "warmup_steps=32", "batch_size=8", "agent.hidden=[8]", "family.every=180"]
    words += ["family.slot_minutes=60", "shaper=none", "replay_steps=1000"]
    plan = read_plan(None, words)
    run_plan(plan, tmp_path)
    kept = json.loads((tmp_path / SETTINGS).read_text(encoding="utf-8"))
    assert kept["task"] == plan.task.plain()
    assert kept["family"] == plan.family.plain()
    assert kept["warm_start"] == plan.warm_start.plain()
    assert kept["training"] == plan.training.plain()
    for word, field in [
        ("task.reward=dense", "task.reward"),
        ("task.information=persistence", "task.information"),
        ("family.every=170", "family.every"),
        ("warm_start.kind=clone", "warm_start.kind"),
        ("gamma=0.9", "gamma"),
    ]:
        other = read_plan(None, [*words, "env_steps=96", word])
        with pytest.raises(InputError, match=field):
            run_plan(other, tmp_path, resume=True)


def test_days_of_another_file_do_not_go_on_from_a_checkpoint(tmp_path: Path) -> None:
    """The name stays, the sun changes: it would not go on as if it had never stopped."""
    series, folder = tmp_path / "series.csv", tmp_path / "run"
    text = gzip.decompress((ROOT / "data" / "europe_hourly_2018.csv.gz").read_bytes()).decode()
    series.write_text(text, encoding="utf-8")
    words = ["env_steps=64", "warmup_steps=32", "batch_size=8", "agent.hidden=[8]", "family.every=180"]
    words += ["family.slot_minutes=60", "shaper=none", "replay_steps=1000"]
    words += [f'family.parameters.series="{series}"']
    run_plan(read_plan(None, words), folder)
    series.write_text(text.replace(",0.0,", ",0.1,"), encoding="utf-8")
    with pytest.raises(InputError, match="a file that they are read from has changed"):
        run_plan(read_plan(None, [*words, "env_steps=96"]), folder, resume=True)


def test_training_takes_one_thread_and_gives_the_others_back(tmp_path: Path) -> None:
    seen: list[int] = []
    torch.set_num_threads(2)
    words = ["env_steps=32", "warmup_steps=32", "batch_size=8", "agent.hidden=[8]", "family.every=180"]
    words += ["family.slot_minutes=60", "shaper=none", "replay_steps=1000"]
    run_plan(read_plan(None, words), progress=lambda done, what: seen.append(torch.get_num_threads()))
    assert set(seen) == {1}
    assert torch.get_num_threads() == 2


def test_however_short_the_horizon_a_discount_is_left() -> None:
    """0 in a batch says that the episode ended there, and potentials would count for nothing."""
    assert 0 < read_plan(None, ["horizon_hours=1e-6"]).training.gamma < 1e-9
