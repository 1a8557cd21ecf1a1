"""``compare``: run policies on instances, and judge every schedule by the one evaluator."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwatt.formulation import InputError, Instance, Schedule, evaluate
from stepwatt.formulation.arguments import path_of, whole
from stepwatt.formulation.instance.given import the_histories, the_instances
from stepwatt.formulation.user_functions import FAILURES
from stepwatt.solvers.interface.settings import Settings, silent
from stepwatt.solvers.many import Many, WorkerDied, on_cluster
from stepwatt.solvers.methods import Kind, proves_bound

from ..console import Progress, Waited, part_of, told_progress
from ..scores.record import Case, Entry, case_of
from ..scores.scores import check_currency
from .accepted import (
    check_policies,
    check_portable,
    is_scheduler,
    kinds_of,
    made,
    method_of,
    of_instance,
    runs_of,
)
from .comparison import Comparison
from .kept import Found, KeptRuns, key_of

if TYPE_CHECKING:
    from stepwatt.solvers import Result


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


def compare(
    instances: Instance | Sequence[Instance],
    policies: Mapping[str, Any],
    *,
    bound: str | None = "oracle",
    reference: str | None = None,
    kinds: Mapping[str, Kind] | None = None,
    gap: float = 1e-4,
    time_limit: float | None = 300.0,
    seed: int = 0,
    look_ahead_hours: float = 24.0,
    history: Instance | Sequence[Instance | None] | None = None,
    workers: int = 1,
    keep: str | Path | None = None,
    progress: Waited = None,
) -> Comparison:
    """Policies side by side on the same instances.

    Args:
        instances: one or several.
        policies: name → name of a method or of a registered policy, result (or one per instance), schedule,
            :class:`.accepted.Scheduler`, callable ``(instance) -> Schedule``, :func:`stepwatt.policy` of one
            ``(observation) -> action``, or :class:`.accepted.Seeds` of several of these.
        bound: method that proves the bound where no policy is one that does; None for no bound.
        reference: the policy that statistics hold the others against; the first one if not given.
        kinds: what your own policies may be compared with, name → ``planner`` (knows at most a forecast, and
            competes for strongest planner), ``ablation`` or ``optimum`` (know the whole day), ``yours``
            (a given schedule, nothing is known of it). A policy may say it by an attribute ``kind``, too.
        gap: relative optimality gap at which methods that search stop, as in ``solve``.
        time_limit: seconds for each method on each instance; None for no limit.
        seed: for methods that draw.
        look_ahead_hours: window of ``rolling``.
        history: for forecasts from yesterday, an instance that ends where the instance starts; one each.
        workers: runs in work at a time, each in a process of its own; 1 for none but this one. Where no time
            limit cuts in and policies decide by the instance alone, only the seconds depend on it. Inside
            ``joblib.parallel_config`` of another backend (Dask, Ray) runs go to its cluster.
        keep: folder where finished runs are stored as they come; the same call goes on from there. Of your
            own code only what is declared with a ``version`` (:func:`stepwatt.policy`).
        progress: called with the share done and what is being worked on; if not given, a line is shown where
            a person waits (a terminal, a notebook), and not if it is False.

    A policy that fails on an instance (an exception, a dead worker) is a row that says why.

    Raises:
        InputError: an unknown method or reference, a result of another instance, a policy that returns no
            schedule or, with several workers, cannot be pickled.
    """
    cases = the_instances(instances)
    check_currency(cases)
    policies = made(policies)
    check_policies(policies, bound, reference)
    declared = kinds_of(policies, kinds)
    workers = whole(workers, "workers", 1)
    asked = Settings(gap=gap, time_limit=time_limit, seed=seed, look_ahead_hours=look_ahead_hours)
    efforts = [
        _Effort(asked.gap, asked.time_limit, asked.seed, asked.look_ahead_hours, past)
        for past in the_histories(history, len(cases), "history")
    ]
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
        _Step(number, inst, run, effort, named(inst, run))
        for number, (inst, effort) in enumerate(zip(cases, efforts, strict=True))
        for run in [*given[number], *_to_judge_by(given[number], bound)]
    ]
    if (workers > 1 and len(steps) > 1) or on_cluster():
        check_portable(policies)
    kept = None if keep is None else KeptRuns(path_of(keep, "keep"))
    if kept:
        kept.check()
    with told_progress("compare", progress) as told:
        judged = _found(steps, workers, kept, told)
        told(1.0, "")
    found = [(replace(entry, declared=declared.get(entry.policy)), prices) for entry, prices in judged]
    done = [
        _case(
            inst, [f for step, f in zip(steps, found, strict=True) if step.case == number], len(given[number])
        )
        for number, inst in enumerate(cases)
    ]
    return Comparison(tuple(done), reference or next(iter(policies)))


def _to_judge_by(runs: Sequence[_Run], bound: str | None) -> list[_Run]:
    """What only serves for the bound and for the zero of the captured share, where no run does."""
    methods = {method_of(run.policy) for run in runs}
    extra: list[_Run] = []
    if bound is not None and not any(map(proves_bound, methods)):
        extra.append(_Run("bound", 0, "bound", bound))
    if "all-off" not in methods:
        extra.append(_Run("all-off", 0, "all-off", "all-off"))
    return extra


def _found(steps: Sequence[_Step], workers: int, kept: KeptRuns | None, told: Progress) -> list[Found]:
    """The runs, each kept as it comes; those that are kept already are not run again."""
    keys = [_key(step) if kept else None for step in steps]
    found: dict[int, Found] = {}
    for number, key in enumerate(keys):
        if kept and key and (known := kept.find(key)):
            found[number] = _renamed(known, steps[number].run)
    missing = [number for number in range(len(steps)) if number not in found]
    workers = min(workers, max(1, len(missing)))
    alone = workers == 1 and not on_cluster()

    def work() -> Callable[[_Step], Found]:
        if not alone:
            return _entry
        counted = iter(range(len(found), len(steps)))
        return lambda step: _entry(step, part_of(told, next(counted), len(steps), step.name))

    def beat() -> None:
        told(len(found) / len(steps), "a worker died: what it had in work is tried again")

    told(len(found) / len(steps), "")
    needed = {method_of(step.run.policy).partition(":")[0] for step in steps}
    many = Many(work(), workers, methods=needed, beat=beat)
    for place, answer in many.run(steps[number] for number in missing):
        number = missing[place]
        step, key = steps[number], keys[number]
        found[number] = _failed(step, answer) if isinstance(answer, WorkerDied) else answer
        if kept and key and not found[number][0].failure:
            kept.keep(key, step.instance, found[number])
        if not alone:
            told(len(found) / len(steps), step.name)
    return [found[number] for number in range(len(steps))]


def _key(step: _Step) -> str | None:
    return key_of(step.instance, step.run.policy, step.run.seed, *vars(step.effort).values())


def _renamed(found: Found, run: _Run) -> Found:
    entry, prices = found
    return replace(entry, policy=run.name, seed=run.seed), prices


def _failed(step: _Step, error: BaseException) -> Found:
    """A row that says why there is nothing else."""
    told = (str(error).splitlines() or [""])[0]
    name = "" if isinstance(error, WorkerDied) else f"{type(error).__name__}: "
    run = step.run
    method = method_of(run.policy).partition(":")[0] or "callable"
    return Entry(run.name, method, "failed", 0.0, None, None, None, run.seed, name + told), None


def _case(inst: Instance, found: Sequence[Found], wanted: int) -> Case:
    """The case of an instance; of what was found, the first ``wanted`` were asked for."""
    entries = tuple(entry for entry, _ in found)
    prices = {entry.method: those for entry, those in found if those is not None}
    chosen = next((prices[method] for method in ("oracle", "lp", "pyomo", "conic") if method in prices), None)
    return replace(case_of(inst, entries[:wanted], entries[wanted:]), prices=chosen)


def _entry(step: _Step, told: Progress = silent) -> Found:
    """The judged entry of one run, and the dual prices it came with; a row that says why where it failed.

    Raises:
        InputError: what was asked for makes no sense, as the first instance shows.
    """
    try:
        entry, prices = _judged(step, told)
    except FAILURES as error:  # whatever a policy does wrong is its own row's business
        if isinstance(error, InputError) and step.case == 0:
            raise
        return _failed(step, error)
    return replace(entry, seed=step.run.seed), prices


def _judged(step: _Step, told: Progress) -> Found:
    told(0.0, "")
    inst, run, policy = step.instance, step.run, step.run.policy
    if isinstance(policy, str):
        effort = replace(step.effort, seed=step.effort.seed + run.seed)
        return _from_result(run.name, policy, _solved(inst, policy, effort, told))
    if isinstance(policy, Schedule):
        return _from_schedule(inst, run, "schedule", policy, 0.0), None
    # networks are callables too, so a method that plans instances goes first
    if is_scheduler(policy) or callable(policy):
        begun = time.perf_counter()
        schedule = policy.schedule(inst, step.effort.history) if is_scheduler(policy) else policy(inst)
        seconds = time.perf_counter() - begun
        if not isinstance(schedule, Schedule):
            expected = "a Schedule of what plans instances; what is given observations is sw.policy(…)"
            raise InputError(field=run.field, value=type(schedule).__name__, expected=expected)
        return _from_schedule(inst, run, "callable", schedule, seconds), None
    return _from_result(run.name, policy.method, policy)


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
    # with own constraints it bounds only schedules that keep them
    method = "schedule" if result.extra else method
    proven = result.bound if proves_bound(method) else None
    entry = Entry(
        policy=name,
        method=method,
        status=str(result.status),
        seconds=result.seconds.total,
        schedule=result.schedule,
        evaluation=result.evaluation,
        bound=proven,
        restricted_bound=result.restricted_bound,
    )
    return entry, None if result.extra else result.prices


def _from_schedule(inst: Instance, run: _Run, method: str, schedule: Schedule, seconds: float) -> Entry:
    try:
        judged = evaluate(inst, schedule)
    except InputError as error:
        raise error.inside(run.field) from None
    status = "feasible" if judged.feasible else "infeasible"
    return Entry(run.name, method, status, seconds, schedule, judged)
