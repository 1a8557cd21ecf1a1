"""``compare``: run policies on instances, and judge every schedule by the one evaluator."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stepwatt.formulation import InputError, Instance, Schedule, evaluate

from .comparison import Case, Comparison, Entry, case_of
from .methods import PROVES_BOUND

if TYPE_CHECKING:
    from stepwatt.solvers import Result

#: A method name (``rolling:day-ahead`` names a forecast), a finished result (or one per instance), a fixed
#: schedule, or a policy of your own.
Policy = "str | Result | Sequence[Result] | Schedule | Callable[[Instance], Schedule]"
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class _Effort:
    gap: float
    time_limit: float | None
    seed: int
    look_ahead_hours: float
    history: Instance | None


def compare(
    instances: Instance | Sequence[Instance],
    policies: Mapping[str, Any],
    *,
    bound: str | None = "oracle",
    gap: float = 1e-4,
    time_limit: float | None = 300.0,
    seed: int = 0,
    look_ahead_hours: float = 24.0,
    history: Instance | Sequence[Instance | None] | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Policies side by side on the same instances.

    Args:
        instances: one or several.
        policies: name → method name, result, schedule or callable ``(instance) -> Schedule``.
        bound: method that proves the bound where no policy is one that does; None for no bound.
        gap, time_limit, seed, look_ahead_hours: as in ``solve``, for every method run here; seconds each.
        history: for forecasts from yesterday, an instance that ends where the instance starts; one each.
        progress: called with the share done and what is being worked on.

    Raises:
        InputError: an unknown method, a result of another instance, or a policy that returns no schedule.
    """
    cases = [instances] if isinstance(instances, Instance) else list(instances)
    if not cases or not policies:
        what = "policies" if cases else "instances"
        raise InputError(field=what, value=[], expected="at least one")
    histories = [history] * len(cases) if history is None or isinstance(history, Instance) else list(history)
    if len(histories) != len(cases):
        raise InputError(
            field="history", value=f"{len(histories)} instances", expected=f"{len(cases)}, one each"
        )
    _check_methods(policies, bound)
    told = progress or (lambda done, what: None)
    done: list[Case] = []
    for number, (inst, past) in enumerate(zip(cases, histories, strict=True)):
        effort = _Effort(gap, time_limit, seed, look_ahead_hours, past)
        share = _part(told, number, len(cases), inst.name if len(cases) > 1 else "")
        done.append(_case(inst, policies, bound, effort, share))
    told(1.0, "")
    return Comparison(tuple(done))


def _case(
    inst: Instance, policies: Mapping[str, Any], bound: str | None, effort: _Effort, told: Progress
) -> Case:
    wanted = dict(policies)
    methods = {_method_of(policy) for policy in wanted.values()}
    extra: dict[str, str] = {}
    if bound is not None and not methods & set(PROVES_BOUND):
        extra["bound"] = bound
    if "all-off" not in methods:
        extra["all-off"] = "all-off"
    entries: list[Entry] = []
    prices: dict[str, Any] = {}
    steps = [*wanted.items(), *extra.items()]
    for number, (name, policy) in enumerate(steps):
        entry, found = _entry(inst, name, policy, effort, _part(told, number, len(steps), name))
        entries.append(entry)
        if found is not None:
            prices[entry.method] = found
    case = case_of(inst, tuple(entries[: len(wanted)]), tuple(entries[len(wanted) :]))
    chosen = next((prices[method] for method in ("oracle", "lp", "pyomo", "conic") if method in prices), None)
    return replace(case, prices=chosen)


def _entry(inst: Instance, name: str, policy: Any, effort: _Effort, told: Progress) -> tuple[Entry, Any]:
    """The judged entry of one policy, and the dual prices it came with."""
    from stepwatt.solvers import Result

    told(0.0, "")
    if isinstance(policy, str):
        return _from_result(name, policy, _run(inst, policy, effort, told))
    if isinstance(policy, Schedule):
        return _from_schedule(inst, name, "schedule", policy, 0.0), None
    if callable(policy):
        begun = time.perf_counter()
        schedule = policy(inst)
        seconds = time.perf_counter() - begun
        if not isinstance(schedule, Schedule):
            expected = "a callable that returns a Schedule"
            raise InputError(field=f"policies.{name}", value=type(schedule).__name__, expected=expected)
        return _from_schedule(inst, name, "callable", schedule, seconds), None
    results = list(policy) if isinstance(policy, Sequence) else [policy]
    for result in results:
        if not isinstance(result, Result):
            raise InputError(
                field=f"policies.{name}",
                value=type(result).__name__,
                expected="a method name, a result, a schedule or a callable (instance) -> Schedule",
            )
        if result.instance is inst or result.instance == inst:
            return _from_result(name, result.method, result)
    value = ", ".join(result.instance.name for result in results)
    raise InputError(field=f"policies.{name}", value=value, expected=f"a result of instance {inst.name!r}")


def _run(inst: Instance, policy: str, effort: _Effort, told: Progress) -> Result:
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
    proven = result.bound if method in PROVES_BOUND else None
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


def _from_schedule(inst: Instance, name: str, method: str, schedule: Schedule, seconds: float) -> Entry:
    try:
        judged = evaluate(inst, schedule)
    except ValueError as error:
        expected = f"a schedule that fits instance {inst.name!r}"
        raise InputError(field=f"policies.{name}", value=str(error), expected=expected) from error
    status = "feasible" if judged.feasible else "infeasible"
    return Entry(name, method, status, seconds, schedule, judged)


def _method_of(policy: Any) -> str:
    if isinstance(policy, str):
        return policy
    if not isinstance(policy, Schedule) and not callable(policy):
        first = policy[0] if isinstance(policy, Sequence) and policy else policy
        return str(getattr(first, "method", ""))
    return ""


def _check_methods(policies: Mapping[str, Any], bound: str | None) -> None:
    """Refuse unknown names before any work is done."""
    from stepwatt.solvers import METHODS

    for name, policy in policies.items():
        if isinstance(policy, str) and policy.partition(":")[0] not in METHODS:
            raise InputError(field=f"policies.{name}", value=policy, expected="one of " + ", ".join(METHODS))
        if isinstance(policy, str) and ":" in policy and not policy.startswith("rolling:"):
            raise InputError(
                field=f"policies.{name}", value=policy, expected="a forecast only after rolling:"
            )
    if bound is not None and bound not in PROVES_BOUND:
        raise InputError(field="bound", value=bound, expected="one of " + ", ".join(PROVES_BOUND))


def _part(told: Progress, number: int, count: int, name: str) -> Progress:
    """Progress of one step of several, as progress of the whole."""

    def tell(done: float, what: str) -> None:
        told((number + min(max(done, 0.0), 1.0)) / count, ": ".join(part for part in (name, what) if part))

    return tell
