"""Batches over processes: the same results as alone, in order; errors named; Ctrl-C ends the workers."""

from __future__ import annotations

import importlib
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tiny

import stepwatt as sw
from stepwatt.formulation import InputError, Instance
from stepwatt.solvers import BatchError, Result, solve_each, solve_many

FIELDS = (
    "gpus_on",
    "import_mw",
    "export_mw",
    "renewable_mw",
    "charge_mw",
    "discharge_mw",
    "runs",
    "transfers",
)


def batch() -> list[Instance]:
    """Different optima, so that a wrong order shows."""
    return [sw.scenario("jemas", n_slots=n) for n in (3, 1, 2)] + [
        make() for make, _, _ in tiny.BY_HAND.values()
    ]


def dead_end() -> Instance:
    """Rooms that start at 60 °C without cooling: infeasible."""
    file = sw.scenario("jemas", n_slots=2).to_dict()
    for site in file["sites"].values():
        site["cooling"] |= {"initial_c": 60.0, "max_power_mw": 0.0}
    return Instance.from_dict(file | {"name": "dead end"})


@pytest.mark.parametrize("method", ["oracle", "greedy"])
def test_results_are_those_of_solving_alone_and_in_order(method: str) -> None:
    instances = batch()
    alone = [sw.solve(inst, method) for inst in instances]
    for processes in (1, 2):
        together = sw.solve_many(instances, method, processes=processes)
        assert len(together) == len(instances)
        for inst, one, other in zip(instances, alone, together, strict=True):
            assert other.instance is inst
            assert (one.status, one.utility, one.bound) == (other.status, other.utility, other.bound)
            assert one.schedule is not None
            assert other.schedule is not None
            for field in FIELDS:
                np.testing.assert_array_equal(getattr(one.schedule, field), getattr(other.schedule, field))


def test_results_come_back_complete() -> None:
    """Schedule, evaluation, prices, timings: all but the instance travels, and the file can be written."""
    (result,) = solve_many([tiny.battery()], processes=2)
    twice = solve_many([tiny.battery()] * 2, processes=2)[0]
    assert result.to_dict()["breakdown"] == twice.to_dict()["breakdown"]
    assert twice.prices is not None
    assert twice.evaluation is not None
    assert twice.seconds.total > 0


def test_settings_reach_the_workers() -> None:
    found = solve_many([tiny.one_slot()] * 3, "random", processes=2, seed=3)
    assert found[0].utility == sw.solve(tiny.one_slot(), "random", seed=3).utility
    assert found[0].utility == found[2].utility


def test_an_error_names_the_instance_and_keeps_the_other_results() -> None:
    """The history has one site, the instance in the middle two."""
    instances = [tiny.one_slot(), tiny.two_sites(), tiny.battery()]
    past = Instance.from_dict(tiny.one_slot().to_dict() | {"start": "2024-02-29T23:00:00Z"})
    for processes in (1, 2):
        kept = solve_many(instances, "rolling", processes=processes, on_error="keep", history=past)
        assert isinstance(kept[0], Result)
        assert isinstance(kept[2], Result)
        error = kept[1]
        assert isinstance(error, BatchError)
        assert str(error).startswith("instance 1 ('tiny'): InputError: history = ['a']")
        assert "Traceback" in error.details
        with pytest.raises(BatchError, match="instance 1 ") as raised:
            solve_many(instances, "rolling", processes=processes, history=past)
        assert set(raised.value.results) <= {0, 2}
        assert all(isinstance(result, Result) for result in raised.value.results.values())


def test_infeasible_is_a_result_and_not_an_error() -> None:
    found = solve_many([dead_end(), tiny.one_slot()], processes=2)
    assert [str(result.status) for result in found] == ["infeasible", "optimal"]
    assert not sw.explain(found[0].instance).feasible


def test_a_worker_that_dies_costs_its_own_instance_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when memory runs out: the instance is named, the others are solved."""
    module = importlib.import_module("stepwatt.solvers.batch")
    attempt = module._attempt

    def deadly(numbered: tuple[int, Instance], method: str, settings: Any) -> object:
        if numbered[1].name == "dead end":
            os._exit(3)
        return attempt(numbered, method, settings)

    monkeypatch.setattr(module, "_attempt", deadly)
    instances = [tiny.one_slot(), dead_end(), tiny.battery(), tiny.two_sites()]
    found = solve_many(instances, "lp", processes=2, on_error="keep")
    assert [isinstance(result, Result) for result in found] == [True, False, True, True]
    assert str(found[1]).startswith("instance 1 ('dead end'): the worker process died")


def test_a_stream_is_read_a_few_ahead_and_can_be_left() -> None:
    read: list[int] = []

    def endless() -> Iterator[Instance]:
        while True:
            read.append(len(read))
            yield tiny.one_slot()

    for processes in (1, 2):
        read.clear()
        stream = solve_each(endless(), "lp", processes=processes)
        index, result = next(stream)
        assert isinstance(result, Result)
        assert index < 2 * processes
        stream.close()  # type: ignore[attr-defined]
        assert len(read) < 20


def test_progress_counts_to_the_end() -> None:
    seen: list[tuple[float, str]] = []
    solve_many(batch(), "lp", processes=2, progress=lambda done, what: seen.append((done, what)))
    assert [done for done, _ in seen] == pytest.approx([n / 7 for n in range(8)])
    assert seen[-1][1].startswith("7 of 7: ")


def test_nothing_to_do_is_an_empty_list() -> None:
    assert solve_many([]) == []


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"method": "magic"}, "method"),
        ({"gap": 2.0}, "gap"),
        ({"time_limit": -1.0}, "time_limit"),
        ({"processes": 0}, "processes"),
        ({"on_error": "shrug"}, "on_error"),
    ],
)
def test_bad_arguments_are_refused_before_any_work(arguments: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as refused:
        solve_many([tiny.one_slot()], **arguments)  # type: ignore[call-overload]
    assert refused.value.field == field


def test_an_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(BatchError(3, "x", "SolverError: no", "trace")))
    assert (error.index, error.instance, str(error)) == (3, "x", "instance 3 ('x'): SolverError: no")
    assert error.details == "trace"


SCRIPT = """
import stepwatt as sw

def told(done, what):
    if done > 0:
        print(what, flush=True)

days = [sw.scenario("jemas", n_slots=6)] * 10_000
sw.solve_many(days, processes=PROCESSES, gap=1e-3, progress=told)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="process groups")
@pytest.mark.parametrize("processes", [1, 2])
def test_ctrl_c_ends_the_batch_and_its_workers(processes: int) -> None:
    """A plain script, without a guard for __main__; its pipe closes when the last worker is gone."""
    script = SCRIPT.replace("PROCESSES", str(processes))
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline().startswith("1 of 10000")
        child.send_signal(signal.SIGINT)
        _, told = child.communicate()
    assert child.returncode != 0
    assert "KeyboardInterrupt" in told
