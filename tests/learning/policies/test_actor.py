"""Trained policies played on numpy: the network as plain arrays, and files that may be wrong."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import EXAMPLES

import stepwatt as sw
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.policies.actor import Actor, Description
from stepwatt.learning.policies.trained import TrainedPolicy, load_policy, policy_of

torch = pytest.importorskip("torch")

from stepwatt.learning.networks.parallel_runs import generators  # noqa: E402
from stepwatt.learning.networks.policy import Policy  # noqa: E402

#: Written by stepwatt 0.1.0 on 28 November 2026; its numbers below were computed by torch.
KEPT = EXAMPLES / "policy.npz"


@pytest.fixture(scope="module")
def day() -> sw.Instance:
    return sw.scenario("jemas", start="2018-06-12T10:00", n_slots=4, slot_minutes=30, integral_jobs=False)


def network(hidden: tuple[int, ...], stochastic: bool) -> Policy:
    std = 0.3 if stochastic else None
    made = Policy(7, 5, hidden, generators([3]), initial_std=std, last_gain=2.0)
    return made.requires_grad_(False)


# --------------------------------------------------------------------------------------------- the network


@pytest.mark.parametrize("stochastic", [False, True])
@pytest.mark.parametrize("hidden", [(), (4,), (64, 32, 16)])
def test_numpy_says_what_torch_says(hidden: tuple[int, ...], stochastic: bool, day: sw.Instance) -> None:
    net = network(hidden, stochastic)
    actor = policy_of(net, TaskSettings(), day, {}).network
    rng = np.random.default_rng(0)
    for batch in (1, 3, 200):
        seen = rng.normal(size=(batch, 7)).astype(np.float32)
        said = actor(seen)
        assert said.dtype == np.float32
        assert said.shape == (batch, 5)
        np.testing.assert_allclose(said, net(torch.from_numpy(seen)).numpy(), atol=1e-6, rtol=0)
        # as torch does, it computes in single precision whatever it is given
        np.testing.assert_allclose(actor(seen.astype(float)), said, atol=1e-6, rtol=0)
    assert np.abs(actor(np.full((1, 7), 1e6))).max() <= 1


def test_a_policy_answers_arrays_of_the_kind_it_was_asked_with(day: sw.Instance) -> None:
    policy = policy_of(network((4,), True), TaskSettings(), day, {})
    seen = np.linspace(-1, 1, 14).reshape(2, 7)
    said, tensor = policy(seen), policy(torch.from_numpy(seen))
    assert said.dtype == np.float64
    assert tensor.dtype == torch.float64
    np.testing.assert_array_equal(said, tensor.numpy())


def test_observations_of_another_size_are_refused() -> None:
    with pytest.raises(sw.InputError, match="'84 numbers': expected 83") as told:
        load_policy(KEPT)(np.zeros((1, 84)))
    assert told.value.field == "observation"


# ------------------------------------------------------------------------------------------------- files


def test_weights_that_add_up_to_no_number_are_told_in_one_line() -> None:
    description = Description(obs_size=4, act_size=1, hidden=[2], stochastic=False)
    shapes = description.shapes()
    large = np.full(shapes["net.layers.0.weight"], 3e38, dtype=np.float32)
    weights = {name: np.ones(shape, dtype=np.float32) for name, shape in shapes.items()}
    weights["net.layers.1.weight"][0, 0] = -1.0
    actor = Actor.read(description, weights | {"net.layers.0.weight": large})
    with pytest.raises(sw.InputError, match="action = nan: expected a number: the weights"):
        actor(np.ones((1, 4)))


def test_a_policy_of_an_older_release_decides_as_it_did(day: sw.Instance) -> None:
    policy = load_policy(KEPT)
    said = policy(np.linspace(-1, 1, 83)[None])
    then = [0.06136422976851463, 0.5324125289916992, 0.206171452999115, 0.4100058376789093]
    np.testing.assert_allclose(said[0, :4], then, atol=1e-6, rtol=0)
    assert sw.evaluate(day, policy.schedule(day)).utility == pytest.approx(51.08818859537543, rel=1e-6)


def test_saved_again_it_is_the_same_file(tmp_path: Path) -> None:
    policy = load_policy(KEPT)
    again = policy.save(tmp_path)
    assert again.read_bytes() == KEPT.read_bytes()
    assert load_policy(tmp_path).fingerprint() == policy.fingerprint()


def arrays_of(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


FIRST = "net.layers.0.weight"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda w: None, "(1, 83, 4)"),
        (lambda w: w[0], "float32 of shape (83, 4)': expected real numbers of shape (1, 83, 4)"),
        (lambda w: w[:, :-1], "float32 of shape (1, 82, 4)"),
        (lambda w: w.astype(int), "int64 of shape (1, 83, 4)"),
        (lambda w: w.astype(complex), "complex128"),
        (lambda w: w.astype("U8"), "<U8"),
        (lambda w: np.where(w == w.max(), np.nan, w), "nan: expected finite numbers"),
        (lambda w: w.astype(float) * 1e300, "inf: expected finite numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_by_name(
    change: Callable[[Any], Any], told: str, tmp_path: Path
) -> None:
    arrays = arrays_of(KEPT)
    changed = change(arrays.pop(FIRST))
    if changed is not None:
        arrays[FIRST] = changed
    np.savez(tmp_path / "policy.npz", allow_pickle=False, **arrays)
    refused(tmp_path, FIRST, told)


def test_arrays_of_double_precision_are_read_in_single(tmp_path: Path) -> None:
    arrays = arrays_of(KEPT)
    double = {name: values.astype(float) for name, values in arrays.items() if name != "about"}
    np.savez(tmp_path / "policy.npz", allow_pickle=False, about=arrays["about"], **double)
    assert load_policy(tmp_path).fingerprint() == load_policy(KEPT).fingerprint()


def test_an_array_too_much_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "policy.npz", allow_pickle=False, extra=np.zeros(3), **arrays_of(KEPT))
    refused(tmp_path, "extra", "none but net.layers.0.weight")


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (["schema"], "stepwatt.policy/2", "schema"),
        (["network"], [1], "network"),
        (["network", "obs_size"], "83", "network.obs_size"),
        (["network", "act_size"], True, "network.act_size"),
        (["network", "act_size"], 61, "net.layers.1.weight"),
        (["network", "hidden"], 4, "network.hidden"),
        (["network", "hidden"], [4, 0], "network.hidden[1]"),
        (["network", "hidden"], [10**6] * 100, FIRST),
        (["network", "stochastic"], None, "network.stochastic"),
        (["network", "width"], 3, "network.width"),
        (["task"], None, "task"),
        (["task", "codec"], [1], "task.codec"),
        (["task", "renewal"], "x", "task.renewal"),
        (["task", "reward_scale"], float("nan"), "task.reward_scale"),
        (["task", "horizon"], 3, "task.horizon"),
        (["family", "sites"], "three", "family.sites"),
        (["family", "slot_hours"], float("inf"), "family.slot_hours"),
        (["family", "has_generator"], 2, "family.has_generator"),
        (["training"], [], "training"),
        (["more"], {}, "more"),
    ],
)
def test_what_a_file_says_of_itself_is_checked_by_field(
    path: list[str], value: Any, field: str, tmp_path: Path
) -> None:
    arrays = arrays_of(KEPT)
    about = json.loads(str(arrays.pop("about")))
    inner = about
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    np.savez(tmp_path / "policy.npz", allow_pickle=False, about=np.array(json.dumps(about)), **arrays)
    refused(tmp_path, field, "expected")


TEXTS = ["", "{", "[1]", "3", "[" * 100_000, r'{"task": "\ud800"}', '{"task": 1, "task": 2}']


@pytest.mark.parametrize("text", TEXTS)
def test_a_description_that_is_no_object_is_refused(text: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "policy.npz", allow_pickle=False, **{**arrays_of(KEPT), "about": np.array(text)})
    refused(tmp_path, "(file)", "a policy that stepwatt has saved")


def test_files_that_are_no_archive_of_arrays_are_refused(tmp_path: Path) -> None:
    target = tmp_path / "policy.npz"
    whole = KEPT.read_bytes()
    for spoiled in (b"", b"<html>", whole[:-30], whole[:2000], whole[:400] + bytes(50) + whole[450:]):
        target.write_bytes(spoiled)
        refused(tmp_path, "(file)", "a policy that stepwatt has saved")
    huge = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 1099511627776), }"
    unclosed = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 83, 4"
    for header in (huge, unclosed):
        text = header.ljust(117) + b"\n"
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr(FIRST + ".npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
        refused(tmp_path, "(file)", "a policy that stepwatt has saved")
    with pytest.raises(sw.InputError):
        load_policy("n" * 300 + ".npz")


def refused(folder: Path, field: str, told: str) -> None:
    with pytest.raises(sw.InputError) as found:
        load_policy(folder)
    assert found.value.field == field
    assert found.value.file == str(folder / "policy.npz")
    assert told in str(found.value)
    assert "\n" not in str(found.value)


def test_a_network_that_fits_another_task_is_refused_when_it_plays(day: sw.Instance) -> None:
    kept = load_policy(KEPT)
    state = dict(kept.network.state)
    state["net.layers.1.weight"], state["net.layers.1.bias"] = (
        state[f"net.layers.1.{part}"][..., :118] for part in ("weight", "bias")
    )
    description = Description(**{**kept.network.description.model_dump(), "act_size": 59})
    policy = TrainedPolicy(Actor.read(description, state), kept.task, kept.family, {})
    with pytest.raises(sw.InputError, match=r"action.*59.*60"):
        policy.schedule(day)


def test_of_two_arrays_of_a_name_none_is_taken(tmp_path: Path) -> None:
    target = tmp_path / "policy.npz"
    shutil.copy(KEPT, target)
    with zipfile.ZipFile(target) as archive:
        again = archive.read(FIRST + ".npy")
    with zipfile.ZipFile(target, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(FIRST + ".npy", again)
    refused(tmp_path, "(file)", "an array is there twice")
