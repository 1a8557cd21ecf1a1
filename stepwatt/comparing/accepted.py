"""What :func:`stepwatt.compare` takes for a policy, and what it refuses before any work is done."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

from stepwatt.formulation import InputError, Instance, Schedule
from stepwatt.formulation.arguments import table
from stepwatt.formulation.errors import one_of
from stepwatt.solvers.methods import Kind, proves_bound

from .registry import POLICIES

if TYPE_CHECKING:
    from stepwatt.solvers import Result

#: What one's own policy can be said to be.
DECLARED: tuple[Kind, ...] = ("planner", "optimum", "ablation", "yours")

_EXPECTED = (
    "a method name, a result, a schedule, sw.policy(…), a scheduler or a callable (instance) -> Schedule"
)


class Scheduler(Protocol):
    """A policy that plans whole instances; trained policies are such objects."""

    def schedule(self, instance: Instance, history: Instance | None = None) -> Schedule:
        """A schedule for the instance; ``history`` ends where the instance starts."""
        ...


@dataclass(frozen=True)
class Seeds:
    """One policy made several times, as by training with several seeds: each run is a policy by itself.

    A method that draws at random is run with the comparison's seed + 0, 1, 2, ….

    Raises:
        InputError: no runs.
    """

    runs: Sequence[Any]

    def __post_init__(self) -> None:
        if not len(self.runs):
            raise InputError(field="Seeds.runs", value=self.runs, expected="at least one policy")


def made(policies: Mapping[str, Any]) -> dict[str, Any]:
    """The policies, with those made that are given by a name of :data:`POLICIES`.

    Raises:
        InputError: no table of policies by name, or a name that is no text.
    """
    policies = table(policies, "policies", "policies by name, {name: policy, …}")

    def one(policy: Any) -> Any:
        if isinstance(policy, Seeds):
            return Seeds([one(run) for run in policy.runs])
        if not isinstance(policy, str) or _planner(policy):
            return policy
        return POLICIES[policy]() if policy in POLICIES else policy

    return {name: one(policy) for name, policy in policies.items()}


def _planner(policy: str) -> bool:
    from stepwatt.solvers import METHODS

    name = policy.partition(":")[0]
    return name in METHODS


def runs_of(policies: Mapping[str, Any]) -> Iterable[tuple[str, int, str, Any]]:
    """Name, number of the run, how to name it in errors, and the policy, for every run of every policy."""
    for name, policy in policies.items():
        if isinstance(policy, Seeds):
            for seed, run in enumerate(policy.runs):
                yield name, seed, f"policies.{name}[{seed}]", run
        else:
            yield name, 0, f"policies.{name}", policy


def is_scheduler(policy: Any) -> TypeGuard[Scheduler]:
    """Whether it has a method ``schedule`` (a result has a schedule, which is none)."""
    return callable(getattr(policy, "schedule", None))


def is_own_code(policy: Any) -> bool:
    """Whether deciding means to run code of the user's."""
    return not isinstance(policy, str | Schedule) and (is_scheduler(policy) or callable(policy))


def _undeclared(policy: Any) -> bool:
    """Whether a callable calls its parameter an observation: before it was declared, that was a guess."""
    try:
        names = list(inspect.signature(policy).parameters)
    except (TypeError, ValueError):
        return False
    return names[:1] in (["observation"], ["obs"])


def method_of(policy: Any) -> str:
    """The method that a policy runs or has run, empty for the user's own and with constraints of theirs."""
    if isinstance(policy, str):
        return policy
    if isinstance(policy, Schedule) or is_own_code(policy):
        return ""
    first = policy[0] if isinstance(policy, Sequence) and policy else policy
    return "" if getattr(first, "extra", ()) else str(getattr(first, "method", ""))


def check_policies(policies: Mapping[str, Any], bound: str | None, reference: str | None) -> None:
    """Refuse unknown names.

    Raises:
        InputError: no policies, an unknown method, bound or reference.
    """
    from stepwatt.solvers import METHODS

    if not policies:
        raise InputError(field="policies", value=[], expected="at least one")
    for _, _, field, policy in runs_of(policies):
        if not isinstance(policy, str):
            if is_own_code(policy) and not is_scheduler(policy) and _undeclared(policy):
                expected = "sw.policy(…) around what is given observations, sw.planner(…) around what plans"
                raise InputError(field=field, value=policy, expected=expected)
            continue
        name, colon, forecast = policy.partition(":")
        if not _planner(policy):
            expected = one_of((*METHODS, *POLICIES), policy)
            raise InputError(field=field, value=policy, expected=expected)
        forecasts = METHODS[name].forecasts if colon else None
        if colon and not forecasts:
            after = [f"{known}:" for known, method in METHODS.items() if method.forecasts]
            expected = f"a forecast only after {' or '.join(after)}"
            raise InputError(field=field, value=policy, expected=expected)
        if forecasts and forecast not in forecasts:
            raise InputError(field=field, value=policy, expected=one_of(forecasts, forecast))
    if bound is not None and not (isinstance(bound, str) and proves_bound(bound)):
        known = [name for name, method in METHODS.items() if method.proves_bound]
        raise InputError(field="bound", value=bound, expected=one_of(known, bound))
    if reference is not None and reference not in policies:
        raise InputError(field="reference", value=reference, expected="one of " + ", ".join(policies))


def kinds_of(policies: Mapping[str, Any], declared: Mapping[str, Kind] | None) -> dict[str, Kind]:
    """What each of one's own policies may be compared with: as declared, else as its attribute ``kind`` says.

    Raises:
        InputError: a name of no policy or of a method, which is known, or a kind that does not exist.
    """
    own = {name: policy for name, _, _, policy in runs_of(policies) if not method_of(policy)}
    found: dict[str, Kind] = {}
    declared = {} if declared is None else declared
    for name, kind in table(declared, "kinds", "kinds by name, {name: kind, …}").items():
        if name not in own:
            raise InputError(
                field="kinds", value=name, expected=one_of([*own], name) if own else "no name here"
            )
        if kind not in DECLARED:
            raise InputError(field=f"kinds.{name}", value=kind, expected=one_of(DECLARED, kind))
        found[name] = kind
    for name, policy in own.items():
        said = getattr(policy, "kind", None)
        if name not in found and said in DECLARED:
            found[name] = said
    return found


def check_portable(policies: Mapping[str, Any]) -> None:
    """Refuse policies that cannot be sent to another process.

    Raises:
        InputError: a policy that cannot be pickled.
    """
    from joblib.externals.loky.backend.reduction import dumps

    for _, _, field, policy in runs_of(policies):
        if not is_own_code(policy):
            continue
        try:
            dumps(policy)
        except Exception as error:
            expected = f"a policy that can be pickled, or workers=1 ({error})"
            raise InputError(field=field, value=type(policy).__name__, expected=expected) from error


def of_instance(field: str, policy: Any, inst: Instance) -> Any:
    """The policy as it is, but of results the one of this instance.

    Raises:
        InputError: neither a policy nor results, or no result of this instance.
    """
    from stepwatt.solvers import Result

    if isinstance(policy, str | Schedule) or is_own_code(policy):
        return policy
    results: list[Result] = []
    for result in list(policy) if isinstance(policy, Sequence) else [policy]:
        if not isinstance(result, Result):
            raise InputError(field=field, value=type(result).__name__, expected=_EXPECTED)
        if result.instance is inst or result.instance == inst:
            return result
        results.append(result)
    value = ", ".join(result.instance.name for result in results)
    raise InputError(field=field, value=value, expected=f"a result of instance {inst.name!r}")
