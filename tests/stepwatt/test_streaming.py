"""stepwatt run: decisions slot by slot are those of the whole horizon, and survive a kill."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from places import ROOT

import stepwatt as sw
from stepwatt.cli import run
from stepwatt.formulation import InputError
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.environment.torch_engine import torch_engine
from stepwatt.learning.environment.world import World, make_pool
from stepwatt.learning.networks.parallel_runs import generators
from stepwatt.learning.networks.policy import Policy
from stepwatt.learning.policies.trained import TrainedPolicy, policy_of
from stepwatt.solvers.planners.foresight import compiling
from stepwatt.streaming import Run, run_stream

SHORT = ["family.every=90", "env_steps=96", "warmup_steps=64", "batch_size=16"]
SHORT += ["agent.hidden=[8]", "replay_steps=1000"]


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


@pytest.mark.parametrize("break_after", [None, 3])
def test_a_stream_sees_what_is_owed(day: sw.Instance, tmp_path: Path, break_after: int | None) -> None:
    """Of a policy whose training paid at the end if nothing failed; also one that was stopped in between."""
    task = TaskSettings(codec="raw", reward="joint", threshold=0.0, information="perfect")
    engine = torch_engine(torch.float64)
    world = World(make_pool([day], "perfect", engine), engine, task)
    network = Policy(world.obs_size, world.act_size, (8,), generators([0]), last_gain=3.0)
    policy = policy_of(network, task, day, {})
    session = Run(policy, day, tmp_path / "state.json")
    for t, line in enumerate(slot_lines(day)):
        if t == break_after:
            session.close()
            session = Run(policy, day, tmp_path / "state.json")
        session.decide(json.loads(line))
    session.close()
    planned = sw.evaluate(day, policy.schedule(day))
    assert session.utility == pytest.approx(planned.utility, rel=1e-5)
    kept = json.loads((tmp_path / "state.json").read_text(encoding="utf-8"))
    assert kept["met"] is False


def test_a_stream_says_what_it_has_to_compile(
    policy: TrainedPolicy, day: sw.Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unmade:
        made = False

        def ready(self) -> bool:
            return self.made

        def prepare(self) -> None:
            self.made = True

    unmade = Unmade()
    monkeypatch.setattr(compiling, "functions", lambda general, batch: [unmade])
    told = list[str]()
    Run(policy, day).warm(told.append)  # its codec is direct
    assert told == []
    for _ in range(2):
        Run(sw.foresight(), day).warm(told.append)
    assert told == ["compiling (first use on this machine)"]


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
    assert_whole(first + rest, policy, day)


def assert_whole(decisions: list[dict[str, Any]], policy: TrainedPolicy, day: sw.Instance) -> None:
    """Every slot is decided as in a run without a stop; a decision told twice is the same one."""
    uninterrupted = Run(policy, day)
    names = ("transfers", "runs", "sites", "utility_so_far")
    expected = [uninterrupted.decide(json.loads(line)) for line in slot_lines(day)]
    assert {decision["slot"] for decision in decisions} == set(range(day.n_slots))
    for decision in decisions:
        same = expected[decision["slot"]]
        assert {name: decision[name] for name in names} == {name: same[name] for name in names}


def test_what_a_reader_has_left_unread_is_told_again(
    policy: TrainedPolicy, day: sw.Instance, tmp_path: Path
) -> None:
    day.save(tmp_path / "day.json")
    policy.save(tmp_path / "policy.npz")
    (tmp_path / "slots.jsonl").write_text("\n".join(slot_lines(day)) + "\n", encoding="utf-8")
    words = ["run", "policy.npz", "day.json", "--state", "state.json", "--slots", "slots.jsonl"]
    command = [sys.executable, "-m", "stepwatt", *words]
    begun = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert begun.stdout is not None
    assert begun.stderr is not None
    first = json.loads(begun.stdout.readline())
    begun.stdout.close()
    with begun.stderr:
        assert begun.stderr.read() == ""
    assert begun.wait() in (0, 141)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert_whole([first, *map(json.loads, done.stdout.splitlines())], policy, day)


def test_decisions_are_kept_to_be_told_again_up_to_a_limit(
    policy: TrainedPolicy, day: sw.Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Run(policy, day, tmp_path / "state.json")
    first = session.decide({"slot": 0})
    monkeypatch.setattr("stepwatt.streaming._UNREAD", 1.5 * len(json.dumps(first)))
    decisions = list(run_stream(session, slot_lines(day)))
    assert decisions[0] is first
    session.close()
    again = Run(policy, day, tmp_path / "state.json")
    kept = [again.decided(slot) for slot in range(day.n_slots)]
    assert kept[0] is None
    assert kept[-1] is not None
    assert [decision["slot"] for decision in run_stream(again, slot_lines(day))] == [
        slot for slot, decision in enumerate(kept) if decision is not None
    ]
    again.close()


def test_one_process_at_a_time_runs_on_a_state(
    policy: TrainedPolicy, day: sw.Instance, tmp_path: Path
) -> None:
    first = Run(policy, day, tmp_path / "state.json")
    with pytest.raises(InputError, match=r"state\.json: file = 'in use': expected one on which nobody else"):
        Run(policy, day, tmp_path / "state.json")
    (tmp_path / "link.json").symlink_to(tmp_path / "state.json")
    with pytest.raises(InputError, match=r"link\.json: file = 'in use'"):
        Run(policy, day, tmp_path / "link.json")
    first.close()
    Run(policy, day, tmp_path / "link.json").close()


def test_a_state_that_cannot_be_written_is_told_before_the_first_decision(
    policy: TrainedPolicy, day: sw.Instance, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path, tmp_path / "file" / "state.json"):
        with pytest.raises(InputError, match=f"^{place}: file = "):
            Run(policy, day, place)


def put(*path: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(record: Any) -> None:
        for part in path[:-1]:
            record = record[part]
        record[path[-1]] = value

    return change


SPOILED: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no identity": (lambda record: record.pop("identity"), "identity = (missing)"),
    "another identity": (put("identity", value="0"), "identity = '0'"),
    "another schema": (put("schema", value="stepwatt.run/1"), "schema = 'stepwatt.run/1'"),
    "an unknown field": (put("more", value=1), "more = 1"),
    "a text for the utility": (put("utility", value="a"), "utility = 'a'"),
    "a utility beyond all prices": (put("utility", value=1e6), "utility = 1000000.0"),
    "a utility below all costs": (put("utility", value=-1e6), "utility = -1000000.0"),
    "another utility": (put("utility", value=0.0), "checksum = "),
    "no state": (put("state", value=None), "state = None"),
    "no energy": (lambda record: record["state"].pop("energy"), "state.energy = (missing)"),
    "an unknown store": (put("state", "steam", value=[]), "state.steam = []"),
    "more energy than there is room": (
        put("state", "energy", 0, 1, value=1e9),
        "state.energy[0][1] = 1000000000.0",
    ),
    "a list too short": (put("state", "energy", 0, value=[0.1]), "state.energy[0] = [0.1]"),
    "a number for a list": (put("state", "peak", value=3), "state.peak = 3"),
    "a text for a temperature": (
        put("state", "temperature", 0, 0, value="warm"),
        "state.temperature[0][0] = 'warm'",
    ),
    "a room as hot as the sun": (
        put("state", "temperature", 0, 0, value=5e3),
        "state.temperature[0][0] = 5000.0",
    ),
    "a temperature that is none": (put("state", "temperature", 0, 0, value=float("nan")), "[0][0] = nan"),
    "less than no jobs": (put("state", "waiting", 0, 0, 0, value=-1), "state.waiting[0][0][0] = -1"),
    "more jobs than came": (
        put("state", "waiting", 0, 0, 0, value=1e9),
        "state.waiting[0][0][0] = 1000000000.0",
    ),
    "more jobs than there are numbers": (
        put("state", "waiting", 0, 0, 0, value=10**400),
        "state.waiting[0][0][0] = ",
    ),
    "a generator where there is none": (
        put("state", "restart", 0, 0, value=5.0),
        "state.restart[0][0] = 5.0",
    ),
    "no peak": (lambda record: record["state"].pop("peak"), "state.peak = (missing)"),
    "more metered than imported": (put("state", "metered", 0, 0, value=1e3), "state.metered[0][0] = 1000.0"),
    "a peak above the limit": (put("state", "peak", 0, 0, value=1e3), "state.peak[0][0] = 1000.0"),
    "a number for the lines": (put("told", value=5), "told = 5"),
    "a number for a line": (put("told", 0, value=5), "told[0] = 5"),
    "a line of another slot": (put("told", 0, "slot", value=7), "told[0].slot = 7"),
    "a price that is none": (
        put("told", 1, "import_price", value={"DE": "x"}),
        "told[1].import_price.DE = 'x'",
    ),
    "more lines than slots": (lambda record: record["told"].extend(5 * record["told"]), "told = '12 slots'"),
    "half a plan": (put("renewals", value=[[0]]), "renewals[0] = [0]"),
    "a plan of a later slot": (put("renewals", value=[[5, {}]]), "renewals[0][0] = 5"),
    "a plan from nowhere": (put("renewals", value=[[1, None]]), "renewals[0][1] = None"),
    "a decision of another slot": (put("decisions", 0, "slot", value=3), "decisions[0].slot = 3"),
    "another decision": (put("decisions", 0, "runs", value=[]), "checksum = "),
    "decisions that nothing vouches for": (lambda record: record.pop("checksum"), "checksum = (missing)"),
}


@pytest.fixture(scope="module")
def kept_state(policy: TrainedPolicy, day: sw.Instance, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("state") / "state.json"
    session = Run(policy, day, path)
    for line in slot_lines(day)[:2]:
        session.decide(json.loads(line))
    session.close()
    return path


@pytest.mark.parametrize("name", SPOILED)
def test_a_state_that_cannot_be_is_refused_with_file_field_and_value(
    name: str, policy: TrainedPolicy, day: sw.Instance, kept_state: Path, tmp_path: Path
) -> None:
    spoil, told = SPOILED[name]
    record = json.loads(kept_state.read_text(encoding="utf-8"))
    spoil(record)
    path = tmp_path / "state.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(InputError) as refused:
        Run(policy, day, path)
    assert str(refused.value).startswith(f"{path}: {told}" if told[0] != "[" else f"{path}: state.")
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 100_000, b'{"a":' * 100_000, b"\xff", b"3", b"null"])
def test_a_state_file_that_is_none_is_refused_in_one_line(
    content: bytes, policy: TrainedPolicy, day: sw.Instance, tmp_path: Path
) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"^{path}: ") as refused:
        Run(policy, day, path)
    assert "\n" not in str(refused.value)


def test_a_state_without_checksum_and_decisions_is_one_of_before_and_goes_on(
    policy: TrainedPolicy, day: sw.Instance, kept_state: Path, tmp_path: Path
) -> None:
    record = json.loads(kept_state.read_text(encoding="utf-8"))
    del record["checksum"], record["decisions"], record["state"]["metered"]
    path = tmp_path / "state.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    session = Run(policy, day, path)
    assert session.slot == 2
    session.close()


def test_what_a_slot_brings_of_one_number_for_all_slots_is_of_that_slot(
    policy: TrainedPolicy, day: sw.Instance
) -> None:
    data = day.to_dict()
    data["sites"]["DE"]["grid"]["import_price"] = 50.0
    session = Run(policy, sw.Instance.from_dict(data))
    session.decide({"slot": 0, "import_price": {"DE": 70.0}})
    assert session.known["sites"]["DE"]["grid"]["import_price"] == [70.0, 50.0, 50.0, 50.0, 50.0, 50.0]


def test_an_import_price_below_the_expected_export_price_does_not_stop_the_stream(
    policy: TrainedPolicy, day: sw.Instance
) -> None:
    lines = [json.dumps({"slot": t, "import_price": {"DE": -60}}) for t in range(day.n_slots)]
    decisions = list(run_stream(Run(policy, day), lines))
    assert [decision["slot"] for decision in decisions] == list(range(day.n_slots))
    assert decisions[-1]["utility_so_far"] > Run(policy, day).decide({"slot": 0})["utility_so_far"]


def test_a_room_that_nothing_keeps_below_its_limit_is_told_and_the_stream_goes_on(
    day: sw.Instance, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    instance, slots = tmp_path / "day.json", tmp_path / "slots.jsonl"
    instance.write_text(json.dumps(day.to_dict()))
    lines = [{"slot": t, "outside_c": {"DE": 9_000.0 if t == 1 else 15.0}} for t in range(day.n_slots)]
    slots.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert run(["run", "foresight", str(instance), "--slots", str(slots)]) == 1
    told = capsys.readouterr()
    decisions = [json.loads(line) for line in told.out.splitlines()]
    assert [decision["slot"] for decision in decisions] == list(range(day.n_slots))
    assert "violations" not in decisions[0]
    # an hour of 9,000 degrees outside, less what the plant can cool
    assert decisions[1]["violations"]["temperature"]["DE"] > 100
    assert "slot 1: the room of DE is" in told.err


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("not json", "line 1"),
        ("[" * 100_000, "recursion"),
        ('{"slot": 0, "arrivals": ' + "[" * 100_000, "recursion"),
        ('{"slot": 0, "slot": 0}', "line 1.slot = 'given twice'"),
        ('{"slot": -1}', 'a JSON object with "slot"'),
        ('{"slot": true}', 'a JSON object with "slot"'),
        (
            '{"slot": 0, "import_price": {"DE": NaN}}',
            "line 1.import_price.DE = nan: expected a finite number",
        ),
        ('{"slot": 0, "import_price": {"DE": [[1]]}}', "line 1.import_price.DE = [[1]]"),
        ('{"slot": 0, "import_price": {"DE": 1' + "0" * 400 + "}}", "an integer of"),
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


def test_a_decision_says_why_and_what_was_rejected(day: sw.Instance, tmp_path: Path) -> None:
    """By site; the rest of the line is what it is without being asked why."""
    lines = slot_lines(day)[:3]
    plain = list(run_stream(Run(sw.foresight(), day), lines))
    told = list(run_stream(Run(sw.foresight(), day, tmp_path / "state.json", why=True), lines))
    for without, line in zip(plain, told, strict=True):
        assert {name: line[name] for name in ("runs", "certificate", "utility")} == {
            name: without[name] for name in ("runs", "certificate", "utility")
        }
        assert set(line["why"]) == set(day.sites)
        for site, reason in line["why"].items():
            assert reason["words"].startswith(f"{site} runs ")
            if reason["rejected"] is not None:
                gap = line["certificate"]["bound"] - line["certificate"]["worth"]
                other = reason["rejected"]
                assert other["regret"] == pytest.approx(other["jobs"] * other["loss_per_job"] - max(gap, 0.0))
                assert other["words"] in reason["words"]
        assert any(reason["rejected"] for reason in line["why"].values())
    assert json.dumps(told)


def test_who_says_no_prices_has_no_reasons(day: sw.Instance) -> None:
    direct = sw.load_policy(ROOT / "tests/examples/policy.npz")
    with pytest.raises(InputError, match="a policy that says prices"):
        Run(direct, day, why=True)


def test_of_a_line_that_does_not_fit_nothing_stays(day: sw.Instance) -> None:
    whole = slot_lines(day)[:2]
    session, clean = Run(sw.foresight(), day), Run(sw.foresight(), day)
    for bad in ({"import_price": {"DE": 900}, "carbon_kg_per_mwh": {"FR": -5}}, {"renewable_mw": {"DE": -1}}):
        with pytest.raises(InputError):
            session.decide({"slot": 0, **bad})
    for line in whole:
        told, expected = session.decide(json.loads(line)), clean.decide(json.loads(line))
        assert told["utility_so_far"] == expected["utility_so_far"]


def test_the_sign_that_some_editors_put_before_all_lines_is_none_of_them(day: sw.Instance) -> None:
    lines = slot_lines(day)[:1]
    assert len(list(run_stream(Run(sw.foresight(), day), ["\ufeff" + lines[0]]))) == 1
