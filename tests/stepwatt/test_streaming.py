"""stepwatt run: decisions slot by slot are those of the whole horizon, and survive a kill."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import stepwatt as sw
from stepwatt.cli import run
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.environment.torch_engine import torch_engine
from stepwatt.learning.environment.world import World, make_pool
from stepwatt.learning.networks.parallel_runs import generators
from stepwatt.learning.networks.policy import Policy
from stepwatt.learning.policies.trained import TrainedPolicy, policy_of
from stepwatt.streaming import Run

SHORT = ["family.every=60", "env_steps=128", "warmup_steps=64", "batch_size=16", "agent.hidden=[8]"]


@pytest.fixture(scope="module")
def policy() -> TrainedPolicy:
    torch.set_num_threads(1)
    made: TrainedPolicy = sw.train(shaping="none", information="perfect", settings=SHORT)
    return made


@pytest.fixture(scope="module")
def day() -> sw.Instance:
    return sw.scenario("jemas", start="2018-06-12T06:00", n_slots=6, slot_minutes=30)


def slot_lines(day: sw.Instance) -> list[str]:
    """What the day brings, slot by slot, as the instance has it."""
    lines = []
    for t in range(day.n_slots):
        arrivals = {site: {name: day.arrivals[site][name][t] for name in day.classes} for site in day.sites}
        price = {name: site.grid.import_price[t] for name, site in day.sites.items()}
        lines.append(json.dumps({"slot": t, "arrivals": arrivals, "import_price": price}))
    return lines


def test_a_stream_of_what_was_expected_is_the_schedule_of_the_day(
    policy: TrainedPolicy, day: sw.Instance
) -> None:
    session = Run(policy, day)
    decisions = [session.decide(json.loads(line)) for line in slot_lines(day)]
    whole = policy.schedule(day)
    # the network computes in single precision
    assert session.utility == pytest.approx(sw.evaluate(day, whole).utility, rel=1e-6)
    for t, decision in enumerate(decisions):
        imports = [flows["import_mw"] for flows in decision["sites"].values()]
        assert imports == pytest.approx(whole.import_mw[:, t].tolist(), rel=1e-5, abs=1e-9)
        assert decision["decision_ms"] > 0


@pytest.mark.parametrize("renewal", [0, 1])
def test_corrections_of_foreseen_prices_are_streamed_as_they_are_planned(
    day: sw.Instance, renewal: int
) -> None:
    task = TaskSettings(codec="priced", information="perfect", foresight=True, renewal=renewal)
    engine = torch_engine(torch.float64)
    world = World(make_pool([day], "perfect", engine, foresight=True), engine, task)
    network = Policy(world.obs_size, world.act_size, (8,), generators([0]), last_gain=0.5)
    policy = policy_of(network, task, day, {})
    session = Run(policy, day)
    for line in slot_lines(day):
        session.decide(json.loads(line))
    planned = sw.evaluate(day, policy.schedule(day)).utility
    assert session.utility == pytest.approx(planned, rel=1e-6)


def test_what_a_slot_brings_changes_the_decision(policy: TrainedPolicy, day: sw.Instance) -> None:
    quiet = {"slot": 0, "arrivals": {site: dict.fromkeys(day.classes, 0) for site in day.sites}}
    assert Run(policy, day).decide(quiet)["runs"] == []
    assert Run(policy, day).decide({"slot": 0})["runs"]


def test_killed_in_the_middle_it_goes_on_as_if_never_stopped(
    policy: TrainedPolicy, day: sw.Instance, tmp_path: Path
) -> None:
    day.save(tmp_path / "day.json")
    policy.save(tmp_path / "policy.npz")
    (tmp_path / "slots.jsonl").write_text("\n".join(slot_lines(day)) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "stepwatt", "run", "policy.npz", "day.json", "--state", "state.json"]
    begun = subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert begun.stdin is not None
    assert begun.stdout is not None
    first = []
    for line in slot_lines(day)[:3]:
        begun.stdin.write(line + "\n")
        begun.stdin.flush()
        first.append(json.loads(begun.stdout.readline()))
    begun.kill()
    begun.wait()
    begun.stdin.close()
    begun.stdout.close()
    done = subprocess.run(
        [*command, "--slots", "slots.jsonl"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    rest = [json.loads(line) for line in done.stdout.splitlines()]
    assert [decision["slot"] for decision in [*first, *rest]] == list(range(day.n_slots))
    uninterrupted = Run(policy, day)
    for decision, line in zip([*first, *rest], slot_lines(day), strict=True):
        expected = uninterrupted.decide(json.loads(line))
        assert {name: decision[name] for name in ("transfers", "runs", "sites", "utility_so_far")} == {
            name: expected[name] for name in ("transfers", "runs", "sites", "utility_so_far")
        }


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("not json", "line 1"),
        ('{"slot": 3}', "the next one"),
        ('{"slot": 0, "weather": {}}', "weather"),
        ('{"slot": 0, "arrivals": {"XX": {}}}', "a site of the instance"),
        ('{"slot": 0, "pue": {"DE": 1.2}}', "a series that the instance has"),
        ('{"slot": 0, "arrivals": {"DE": {"draft": -1}}}', "arrivals"),
    ],
)
def test_bad_lines_are_told_in_one_line_and_exit_with_2(
    line: str,
    told: str,
    policy: TrainedPolicy,
    day: sw.Instance,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    day.save(tmp_path / "day.json")
    policy.save(tmp_path / "policy.npz")
    (tmp_path / "slots.jsonl").write_text(line + "\n", encoding="utf-8")
    words = [
        "run",
        str(tmp_path / "policy.npz"),
        str(tmp_path / "day.json"),
        "--slots",
        str(tmp_path / "slots.jsonl"),
    ]
    assert run(words) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
