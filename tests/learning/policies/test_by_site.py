"""Policies that the sites share: what they see and say moves with the sites, of whatever number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import instances

import stepwatt as sw
from stepwatt.formulation import Instance
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.environment.world import World, make_pool
from stepwatt.learning.policies.actor import Actor, Description
from stepwatt.learning.policies.trained import TrainedPolicy
from stepwatt.streaming import Run

torch = pytest.importorskip("torch")

from stepwatt.learning.agents import AGENTS, AgentKind  # noqa: E402
from stepwatt.learning.environment.torch_engine import torch_engine  # noqa: E402
from stepwatt.learning.networks.parallel_runs import generators  # noqa: E402
from stepwatt.learning.networks.policy import Policy  # noqa: E402
from stepwatt.learning.training import loop  # noqa: E402
from stepwatt.learning.training.loop import build_agent  # noqa: E402
from stepwatt.learning.training.plan import read_plan  # noqa: E402
from stepwatt.learning.training.run import run_plan  # noqa: E402
from stepwatt.learning.training.settings import TrainingSettings  # noqa: E402

PARTS = (3, 2, 1)
ROW = 5
TASK = TaskSettings(codec="priced", reward="dense", information="perfect", view="sites")
SMALL = [
    "family.every=120",
    "family.slot_minutes=60",
    "task.codec='priced'",
    "task.reward='dense'",
    "task.view='sites'",
    "warm_start.kind='clone'",
    "warm_start.updates=20",
    "warm_start.relabelling=1",
    "shaper='none'",
    "agent.hidden=[8]",
    "envs_per_run=2",
    "env_steps=48",
    "warmup_steps=24",
    "replay_steps=1000",
]


def network(sites: int, hidden: tuple[int, ...], stochastic: bool = False) -> Policy:
    std = 0.3 if stochastic else None
    made = Policy(
        sites * ROW,
        sites * sum(PARTS),
        hidden,
        generators([3]),
        initial_std=std,
        last_gain=2.0,
        parts=PARTS,
    )
    return made.requires_grad_(False)


def actor_of(net: Policy) -> Actor:
    arrays = {name: values.numpy() for name, values in net.run_state(0).items()}
    return Actor.read(Description.model_validate(net.description()), arrays)


def by_site(said: np.ndarray, parts: tuple[int, ...]) -> np.ndarray:
    """(B,J,D) of an action (B,J·D), which lies part by part."""
    batch, sites = len(said), said.shape[-1] // sum(parts)
    ends = np.cumsum([sites * part for part in parts])[:-1]
    return np.concatenate([part.reshape(batch, sites, -1) for part in np.split(said, ends, axis=1)], axis=-1)


# ------------------------------------------------------------------------------------------- the network


@pytest.mark.parametrize("stochastic", [False, True])
@pytest.mark.parametrize("hidden", [(), (4,), (16, 8)])
@pytest.mark.parametrize("sites", [1, 3, 6])
def test_numpy_says_what_torch_says(hidden: tuple[int, ...], sites: int, stochastic: bool) -> None:
    net = network(3, hidden, stochastic)
    seen = np.random.default_rng(0).normal(size=(7, sites * ROW)).astype(np.float32)
    said = actor_of(net)(seen)
    assert said.shape == (7, sites * sum(PARTS))
    np.testing.assert_allclose(said, net(torch.from_numpy(seen)).numpy(), atol=1e-6, rtol=0)


@given(st.permutations(range(5)), st.integers(0, 1000))
def test_sites_exchanged_exchange_their_answers(order: list[int], seed: int) -> None:
    actor = actor_of(network(3, (16, 8)))
    rows = np.random.default_rng(seed).normal(size=(2, 5, ROW))
    said = by_site(actor(rows.reshape(2, -1)), PARTS)
    moved = by_site(actor(rows[:, order].reshape(2, -1)), PARTS)
    np.testing.assert_allclose(moved, said[:, order], atol=1e-5, rtol=0)


def test_every_site_twice_changes_no_answer() -> None:
    actor = actor_of(network(3, (16, 8)))
    rows = np.random.default_rng(1).normal(size=(2, 3, ROW))
    said = by_site(actor(rows.reshape(2, -1)), PARTS)
    twice = by_site(actor(np.concatenate([rows, rows], axis=1).reshape(2, -1)), PARTS)
    np.testing.assert_allclose(twice, np.concatenate([said, said], axis=1), atol=1e-5, rtol=0)


def test_each_site_is_answered_by_what_the_others_are() -> None:
    actor = actor_of(network(3, (16, 8)))
    rows = np.random.default_rng(2).normal(size=(1, 3, ROW))
    said = by_site(actor(rows.reshape(1, -1)), PARTS)
    rows[0, 2] += 1.0
    assert (by_site(actor(rows.reshape(1, -1)), PARTS)[0, 0] != said[0, 0]).any()


@pytest.mark.parametrize("size", [0, ROW + 1])
def test_what_are_no_rows_is_refused_in_one_line(size: int) -> None:
    with pytest.raises(sw.InputError, match=f"'{size} numbers': expected 5 of each site"):
        actor_of(network(3, (4,)))(np.zeros((1, size)))


# ------------------------------------------------------------------------------------------ what is seen


def worlds(inst: Instance, task: TaskSettings) -> list[World]:
    """On both engines."""
    found = []
    for engine in (numpy_engine(), torch_engine(torch.float64)):
        pool = make_pool([inst], task.information, engine, view=task.view)
        found.append(World(pool, engine, task))
    return found


def reordered(inst: Instance, order: list[int]) -> Instance:
    values = inst.to_dict()
    names = list(values["sites"])
    values["sites"] = {names[n]: values["sites"][names[n]] for n in order}
    return Instance.from_dict(values)


@given(instances(max_slots=5, max_sites=3), st.sampled_from(["none", "day-ahead"]))
def test_rows_are_finite_the_same_on_both_engines_and_of_one_size(inst: Instance, information: str) -> None:
    for paid in ("dense", "episode"):
        task = TaskSettings(codec="priced", reward=paid, information=information, view="sites")
        array, tensor = worlds(inst, task)
        assert array.parts == tensor.parts
        assert sum(array.parts) * len(inst.sites) == array.act_size
        seen = array.observation()
        assert seen.shape == (1, array.obs_size)
        assert np.isfinite(seen).all()
        np.testing.assert_allclose(tensor.observation().numpy(), seen, atol=1e-9)


@given(instances(max_slots=4, max_sites=3, never={"generator"}), st.data())
def test_the_rows_move_with_the_sites(inst: Instance, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(inst.sites))))
    rows = [
        worlds(one, TASK)[0].observation().reshape(len(inst.sites), -1)
        for one in (inst, reordered(inst, order))
    ]
    np.testing.assert_allclose(rows[1], rows[0][order], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("money", ["miss_penalty", "transfer_cost"])
def test_rows_tell_days_apart_on_which_losing_or_moving_a_job_costs_otherwise(money: str) -> None:
    values = day("DE,FR,DK").to_dict()
    if money == "miss_penalty":
        values["classes"]["flexible"][money] *= 2
    else:
        values[money]["DE"]["FR"] *= 2
    cheap, dear = (
        worlds(inst, TASK)[0].observation().reshape(3, -1)
        for inst in (day("DE,FR,DK"), Instance.from_dict(values))
    )
    assert np.abs(dear - cheap)[0].max() > 1e-6


@pytest.mark.parametrize("money", ["miss_penalty", "transfer_cost"])
def test_what_costs_out_of_all_proportion_is_seen_as_no_more_than_never(money: str) -> None:
    values = day("DE,FR,DK").to_dict()
    if money == "miss_penalty":
        values["classes"]["flexible"][money] = 1e6
    else:
        values[money]["DE"]["FR"] = 1e6
    seen = worlds(Instance.from_dict(values), TASK)[0].observation()
    assert np.abs(seen).max() < 100


# ------------------------------------------------------------------------------------------- a training


@pytest.fixture(scope="module")
def policy() -> TrainedPolicy:
    torch.set_num_threads(1)
    [made] = run_plan(read_plan(None, SMALL))
    return made


def day(zones: str, **changed: Any) -> Instance:
    return sw.scenario(
        "jemas", start="2018-06-12", zones=zones.split(","), n_slots=6, slot_minutes=60, **changed
    )


@pytest.mark.parametrize("zones", ["NL", "DE,FR", "DE,FR,DK", "DE,FR,DK,NL,AT,CZ"])
def test_trained_on_three_sites_it_plays_any_number(
    zones: str, policy: TrainedPolicy, tmp_path: Path
) -> None:
    inst = day(zones)
    kept = sw.load_policy(policy.save(tmp_path))
    assert kept.fingerprint() == policy.fingerprint()
    judged = sw.evaluate(inst, kept.schedule(inst))
    assert judged.feasible, judged.broken


def test_the_order_of_the_sites_changes_nothing_of_a_day(policy: TrainedPolicy) -> None:
    inst = day("DE,FR,DK", integral_jobs=False)
    knowing = TrainedPolicy(policy.network, TASK, policy.family, {})
    earned = [sw.evaluate(one, knowing.schedule(one)).utility for one in (inst, reordered(inst, [2, 0, 1]))]
    assert earned[1] == pytest.approx(earned[0], rel=1e-4)


def test_what_comes_slot_by_slot_is_decided_alike(policy: TrainedPolicy) -> None:
    inst = day("DE,FR")
    live = Run(policy, inst)
    decided = [live.decide({"slot": t})["utility"] for t in range(inst.n_slots)]
    knowing = TrainedPolicy(policy.network, TASK, policy.family, {})
    assert sum(decided) == pytest.approx(sw.evaluate(inst, knowing.schedule(inst)).utility, rel=1e-6)


def test_it_refuses_other_slots_and_other_classes(policy: TrainedPolicy) -> None:
    with pytest.raises(sw.InputError, match="slot_hours"):
        policy.schedule(sw.scenario("jemas", n_slots=2, slot_minutes=30))
    values = day("DE,FR").to_dict()
    del values["classes"]["urgent"]
    for jobs in values["arrivals"].values():
        del jobs["urgent"]
    with pytest.raises(sw.InputError, match="classes = 2: expected 3, as in the training"):
        policy.schedule(Instance.from_dict(values))


# -------------------------------------------------------------------------------------------- wrong use


@pytest.mark.parametrize(
    "words", [["task.codec='direct'"], ["task.codec='priced'", "task.foresight=true"], ["task.codec='raw'"]]
)
def test_only_plain_prices_are_said_site_by_site(words: list[str]) -> None:
    with pytest.raises(sw.InputError, match=r"task\.view = 'sites': expected flat, but for codec priced"):
        read_plan(None, [*words, "task.view='sites'"])


def test_an_agent_without_such_a_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    flat = AgentKind(AGENTS["sac"].settings, AGENTS["sac"].build)
    monkeypatch.setattr(loop, "AGENTS", {"sac": flat, "td3": AGENTS["td3"]})
    settings, [world] = TrainingSettings(), worlds(day("DE,FR"), TASK)[1:]
    with pytest.raises(sw.InputError, match="algo = 'sac': expected td3 with a network that the sites"):
        build_agent(settings, world, world.parts)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda about: about["task"].pop("view"), "task.view = 'flat': expected sites with a network"),
        (lambda about: about["network"]["parts"].append(1), "network.parts = .*add up to 20"),
        (lambda about: about["network"].pop("parts"), "expected real numbers of shape"),
    ],
)
def test_a_file_whose_parts_do_not_fit_is_refused_in_one_line(
    change: Any, told: str, policy: TrainedPolicy, tmp_path: Path
) -> None:
    with np.load(policy.save(tmp_path), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    about = json.loads(str(arrays["about"]))
    change(about)
    np.savez(tmp_path / "wrong.npz", **(arrays | {"about": np.array(json.dumps(about))}))
    with pytest.raises(sw.InputError, match=told) as refused:
        sw.load_policy(tmp_path / "wrong.npz")
    assert "\n" not in str(refused.value)
