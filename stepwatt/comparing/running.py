"""``compare``: run policies on instances, and judge every schedule by the one evaluator."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from stepwatt.formulation import InputError, Instance, Schedule, evaluate
from stepwatt.solvers.methods import proves_bound

from ..scores.record import Case, Entry, case_of
from .accepted import (
    Scheduler,
    check_policies,
    check_portable,
    is_scheduler,
    made,
    method_of,
    of_instance,
    runs_of,
    sees_observations,
)
from .comparison import Comparison

if TYPE_CHECKING:
    from stepwatt.solvers import Result
    from stepwatt.solvers.methods import Method

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class _Effort:
    gap: float
    time_limit: float | None
    seed: int
    look_ahead_hours: float
    history: Instance | None


@dataclass(frozen=True)
class _Run:
    """One run of one policy on one instance; ``field`` names it in errors."""

    name: str
    seed: int
    field: str
    policy: Any


@dataclass(frozen=True)
class _Step:
    """One run on one instance, fit to be sent to another process.

    ``case`` numbers the instance; ``name`` is what progress calls the run.
    """

    case: int
    instance: Instance
    run: _Run
    effort: _Effort
    name: str


#: The judged entry of a run, and the dual prices it came with.
_Found = tuple[Entry, Any]


def compare(
    instances: Instance | Sequence[Instance],
    policies: Mapping[str, Any],
    *,
    bound: str | None = "oracle",
    reference: str | None = None,
    gap: float = 1e-4,
    time_limit: float | None = 300.0,
    seed: int = 0,
    look_ahead_hours: float = 24.0,
    history: Instance | Sequence[Instance | None] | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Comparison:
    """Policies side by side on the same instances.

    Args:
        instances: one or several.
        policies: name → name of a method or of a registered policy, result (or one per instance), schedule,
            :class:`.accepted.Scheduler`, callable ``(instance) -> Schedule`` or ``(observation) -> action``
            (told apart by the name of the parameter), or :class:`.accepted.Seeds` of several of these.
        bound: method that proves the bound where no policy is one that does; None for no bound.
        reference: the policy that statistics hold the others against; the first one if not given.
        gap: relative optimality gap at which methods that search stop, as in ``solve``.
        time_limit: seconds for each method on each instance; None for no limit.
        seed: for methods that draw.
        look_ahead_hours: window of ``rolling``.
        history: for forecasts from yesterday, an instance that ends where the instance starts; one each.
        workers: runs in work at a time, each in a process of its own; 1 for none but this one. Where no time
            limit cuts in and policies decide by the instance alone, only the seconds depend on it.
        progress: called with the share done and what is being worked on.

    Raises:
        InputError: an unknown method or reference, a result of another instance, a policy that returns no
            schedule or, with several workers, cannot be pickled.
    """
    cases = [instances] if isinstance(instances, Instance) else list(instances)
    if not cases:
        raise InputError(field="instances", value=[], expected="at least one")
    policies = made(policies)
    check_policies(policies, bound, reference)
    if workers < 1:
        raise InputError(field="workers", value=workers, expected="1 or more")
    given = [
        [
            _Run(name, run, field, of_instance(field, policy, inst))
            for name, run, field, policy in runs_of(policies)
        ]
        for inst in cases
    ]

    def named(inst: Instance, run: _Run) -> str:
        return f"{inst.name}: {run.name}" if len(cases) > 1 else run.name

    steps = [
        _Step(number, inst, run, _Effort(gap, time_limit, seed, look_ahead_hours, past), named(inst, run))
        for number, (inst, past) in enumerate(zip(cases, _histories(history, len(cases)), strict=True))
        for run in [*given[number], *_to_judge_by(given[number], bound)]
    ]
    told = progress or (lambda done, what: None)
    if workers > 1 and len(steps) > 1:
        check_portable(policies)
        found = _side_by_side(steps, min(workers, len(steps)), told)
    else:
        found = [_entry(step, _part(told, n, len(steps), step.name)) for n, step in enumerate(steps)]
    done = [
        _case(
            inst, [f for step, f in zip(steps, found, strict=True) if step.case == number], len(given[number])
        )
        for number, inst in enumerate(cases)
    ]
    told(1.0, "")
    return Comparison(tuple(done), reference or next(iter(policies)))


def _histories(given: Instance | Sequence[Instance | None] | None, count: int) -> list[Instance | None]:
    histories = [given] * count if given is None or isinstance(given, Instance) else list(given)
    if len(histories) != count:
        raise InputError(field="history", value=f"{len(histories)} instances", expected=f"{count}, one each")
    return histories


def _to_judge_by(runs: Sequence[_Run], bound: str | None) -> list[_Run]:
    """What only serves for the bound and for the zero of the captured share, where no run does."""
    methods = {method_of(run.policy) for run in runs}
    extra: list[_Run] = []
    if bound is not None and not any(map(proves_bound, methods)):
        extra.append(_Run("bound", 0, "bound", bound))
    if "all-off" not in methods:
        extra.append(_Run("all-off", 0, "all-off", "all-off"))
    return extra


def _side_by_side(steps: Sequence[_Step], workers: int, told: Progress) -> list[_Found]:
    import joblib

    from stepwatt.solvers import METHODS

    own = METHODS.by_hand({method_of(step.run.policy).partition(":")[0] for step in steps})
    done: dict[int, _Found] = {}
    told(0.0, "")
    with joblib.parallel_config("loky", n_jobs=workers, inner_max_num_threads=1):
        pool = joblib.Parallel(return_as="generator_unordered", batch_size=1, max_nbytes=None)
        answers: Iterator[tuple[int, _Found]] = pool(
            joblib.delayed(_numbered)(number, step, os.getpid(), own) for number, step in enumerate(steps)
        )
    try:
        for number, found in answers:
            done[number] = found
            told(len(done) / len(steps), steps[number].name)
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # after an error, what is in work is to be cancelled
            answers.close()  # type: ignore[attr-defined]
    return [done[number] for number in range(len(steps))]


def _numbered(number: int, step: _Step, caller: int, own: dict[str, Method]) -> tuple[int, _Found]:
    from stepwatt.solvers import METHODS

    _end_with(caller)
    METHODS.adopt(own)
    return number, _entry(step, lambda done, what: None)


@cache
def _end_with(caller: int) -> None:
    """End this worker soon after the process that waits for it, which Ctrl-C may end at once."""
    if os.getpid() == caller:
        return

    def watch() -> None:
        while os.getppid() == caller:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _case(inst: Instance, found: Sequence[_Found], wanted: int) -> Case:
    """The case of an instance; of what was found, the first ``wanted`` were asked for."""
    entries = tuple(entry for entry, _ in found)
    prices = {entry.method: those for entry, those in found if those is not None}
    chosen = next((prices[method] for method in ("oracle", "lp", "pyomo", "conic") if method in prices), None)
    return replace(case_of(inst, entries[:wanted], entries[wanted:]), prices=chosen)


def _entry(step: _Step, told: Progress) -> _Found:
    """The judged entry of one run, and the dual prices it came with."""
    entry, prices = _judged(step, told)
    return replace(entry, seed=step.run.seed), prices


def _judged(step: _Step, told: Progress) -> _Found:
    told(0.0, "")
    inst, run, policy = step.instance, step.run, step.run.policy
    if isinstance(policy, str):
        effort = replace(step.effort, seed=step.effort.seed + run.seed)
        return _from_result(run.name, policy, _solved(inst, policy, effort, told))
    if isinstance(policy, Schedule):
        return _from_schedule(inst, run, "schedule", policy, 0.0), None
    # networks are callables too, so a method that plans instances goes first
    if is_scheduler(policy) or callable(policy):
        if not is_scheduler(policy) and sees_observations(policy):
            policy = _asked_slot_by_slot(policy)
        begun = time.perf_counter()
        schedule = policy.schedule(inst, step.effort.history) if is_scheduler(policy) else policy(inst)
        seconds = time.perf_counter() - begun
        if not isinstance(schedule, Schedule):
            expected = "a policy that returns a Schedule"
            raise InputError(field=run.field, value=type(schedule).__name__, expected=expected)
        return _from_schedule(inst, run, "callable", schedule, seconds), None
    return _from_result(run.name, policy.method, policy)


def _asked_slot_by_slot(policy: Callable[[Any], Any]) -> Scheduler:
    from stepwatt.learning.policies.observed import ObservationPolicy

    return ObservationPolicy(policy)


def _solved(inst: Instance, policy: str, effort: _Effort, told: Progress) -> Result:
    from stepwatt.solvers import solve

    method, _, forecast = policy.partition(":")
    options: dict[str, Any] = {"forecast": forecast} if forecast else {}
    result = solve(
        inst,
        method,
        gap=effort.gap,
        time_limit=effort.time_limit,
        seed=effort.seed,
        look_ahead_hours=effort.look_ahead_hours,
        history=effort.history,
        progress=told,
        **options,
    )
    if result.interrupted:
        raise KeyboardInterrupt
    return result


def _from_result(name: str, method: str, result: Result) -> tuple[Entry, Any]:
    proven = result.bound if proves_bound(method) else None
    entry = Entry(
        policy=name,
        method=method,
        status=str(result.status),
        seconds=result.seconds.total,
        schedule=result.schedule,
        evaluation=result.evaluation,
        bound=proven,
    )
    return entry, result.prices


def _from_schedule(inst: Instance, run: _Run, method: str, schedule: Schedule, seconds: float) -> Entry:
    try:
        judged = evaluate(inst, schedule)
    except ValueError as error:
        expected = f"a schedule that fits instance {inst.name!r}"
        raise InputError(field=run.field, value=str(error), expected=expected) from error
    status = "feasible" if judged.feasible else "infeasible"
    return Entry(run.name, method, status, seconds, schedule, judged)


def _part(told: Progress, number: int, count: int, name: str) -> Progress:
    """Progress of one step of several, as progress of the whole."""

    def tell(done: float, what: str) -> None:
        told((number + min(max(done, 0.0), 1.0)) / count, ": ".join(part for part in (name, what) if part))

    return tell
