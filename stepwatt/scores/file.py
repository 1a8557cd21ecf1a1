"""The file ``stepwatt.comparison/1``: what was decided, not what it was worth; loading judges anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pandas as pd
from pydantic import ConfigDict, Field, ValidationError

from stepwatt.formulation import InputError, Instance, Schedule, evaluate
from stepwatt.formulation.records import Computed, Record, about, as_input_error, json_text, read_json

from .record import Case, Entry
from .scores import Scores

#: What the owner of a policy may say that it is.
Declared = Literal["planner", "optimum", "ablation", "yours"]

if TYPE_CHECKING:
    from stepwatt.solvers.interface.dual_prices import Prices

SCHEMA = "stepwatt.comparison/1"


class EntryFile(Record):
    """A policy on an instance: what it decided, not what that was worth."""

    policy: Annotated[str, about("its name in the tables")]
    method: Annotated[str, about("the method that it is; empty for one's own")]
    status: Annotated[str, about("optimal, feasible, time_limit, infeasible or failed")]
    seconds: Annotated[Computed, about("it took", "s")]
    bound: Annotated[Computed | None, about("on the utility of any schedule, where it proves one", "USD")]
    schedule: Annotated[
        dict[str, Any] | None, about("as in a schedule file; none where there is none (stepwatt.schedule/1)")
    ]
    # files of before policies could be run several times have neither this nor a reference
    seed: Annotated[int, Field(ge=0), about("number of the run, where a policy was made several times")] = 0
    failure: Annotated[str, about("why there is no schedule, where the policy failed")] = ""
    kind: Annotated[Declared | None, about("what its owner says it may be compared with")] = None
    restricted_bound: Annotated[
        Computed | None, about("on the utility of schedules under the method's restriction", "USD")
    ] = None


class CaseFile(Record):
    """An instance with all policies on it."""

    instance: Annotated[dict[str, Any], about("the whole of it (stepwatt.instance/1)")]
    bound: Annotated[Computed | None, about("that the policies are held against", "USD")]
    bound_by: Annotated[str, about("the method that proved it")]
    all_off: Annotated[Computed | None, about("utility with all levers off", "USD")]
    prices: Annotated[
        dict[str, list[list[Computed]]] | None,
        about("dual prices of the bound: tables by name, a row a slot"),
    ]
    entries: Annotated[list[EntryFile], Field(min_length=1), about("the policies")]


class ComparisonFile(Record):
    """Policies side by side."""

    model_config = ConfigDict(populate_by_name=True)

    schema_: Annotated[Literal["stepwatt.comparison/1"], about("format and version")] = Field(alias="schema")
    reference: Annotated[str | None, about("policy that the others are held against; none: the first")] = None
    cases: Annotated[list[CaseFile], Field(min_length=1), about("one an instance")]


def text(comparison: Scores) -> str:
    """The content of the file."""
    cases = [_case_to_dict(case) for case in comparison.cases]
    return json_text({"schema": SCHEMA, "reference": comparison.reference, "cases": cases})


def load(path: str | Path) -> Scores:
    """Read the file and judge every schedule in it.

    Raises:
        InputError: the file is unreadable or breaks the format.
    """
    data = read_json(path)
    try:
        try:
            file = ComparisonFile.model_validate(data)
        except ValidationError as error:
            raise as_input_error(error, data) from None
        cases = tuple(_case_from_file(case, number) for number, case in enumerate(file.cases))
        _check_same_policies(cases)
        reference = _reference(file.reference, cases)
    except InputError as error:
        raise error.in_file(str(path)) from None
    return Scores(cases, reference)


def _case_to_dict(case: Case) -> dict[str, Any]:
    inst = case.instance
    entries = [
        {
            "policy": entry.policy,
            "seed": entry.seed,
            "method": entry.method,
            "status": entry.status,
            "seconds": entry.seconds,
            "bound": entry.bound,
            "schedule": entry.schedule.to_dict(inst) if entry.schedule else None,
            **({"failure": entry.failure} if entry.failure else {}),
            **({"kind": entry.declared} if entry.declared else {}),
            **({} if entry.restricted_bound is None else {"restricted_bound": entry.restricted_bound}),
        }
        for entry in case.entries
    ]
    prices = (
        {name: table.to_numpy().tolist() for name, table in vars(case.prices).items()}
        if case.prices
        else None
    )
    return {
        "instance": inst.to_dict(),
        "bound": case.bound,
        "bound_by": case.bound_by,
        "all_off": case.all_off,
        "prices": prices,
        "entries": entries,
    }


def _case_from_file(case: CaseFile, number: int) -> Case:
    at = f"cases[{number}]"
    inst = _located(f"{at}.instance", lambda: Instance.from_dict(case.instance))
    entries = []
    for position, entry in enumerate(case.entries):
        where = f"{at}.entries[{position}].schedule"
        content = entry.schedule
        schedule = _located(where, lambda c=content: Schedule.from_dict(inst, c)) if content else None
        judged = evaluate(inst, schedule) if schedule else None
        named = (entry.policy, entry.method, entry.status, entry.seconds)
        told = (entry.bound, entry.seed, entry.failure, entry.kind)
        bound = entry.restricted_bound
        entries.append(Entry(*named, schedule, judged, *told, restricted_bound=bound))
    prices = _prices(inst, case.prices, f"{at}.prices") if case.prices else None
    return Case(inst, tuple(entries), case.bound, case.bound_by, case.all_off, prices)


def _located(field: str, build: Any) -> Any:
    try:
        return build()
    except InputError as error:
        inner = "" if error.field.startswith("(") else f".{error.field}"
        raise InputError(
            field=field + inner, value=error.value, expected=error.expected, more=error.more
        ) from None


def _prices(inst: Instance, tables: dict[str, list[list[float]]], field: str) -> Prices:
    """Price tables under the labels that the instance implies."""
    import numpy as np

    from stepwatt.solvers.interface.dual_prices import labelled_prices

    a = inst.arrays()
    n, k, t = len(a.sites), len(a.classes), a.n_slots
    rows = {"power": n, "stored_energy": int(a.battery.sum()), "coolness": int(a.thermal.sum())}
    rows |= {"gpu_time": n, "waiting_jobs": n * k, "job_at_site": n * k}
    found: dict[str, Any] = {}
    for name, count in rows.items():
        values = pd.DataFrame(tables.get(name, [])).to_numpy(dtype=float).T
        if values.shape != (count, t):
            # a table without columns leaves no trace of its slots
            if count or values.size:
                raise InputError(
                    field=f"{field}.{name}", value=values.shape[::-1], expected=f"{t} x {count} numbers"
                )
            values = np.zeros((0, t))
        found[name] = values
    for name, kept in (("stored_energy", a.battery), ("coolness", a.thermal)):
        spread = np.zeros((n, t))
        spread[kept] = found[name]
        found[name] = spread
    for name in ("waiting_jobs", "job_at_site"):
        found[name] = found[name].reshape(n, k, t)
    return labelled_prices(inst, a, **found)


def _check_same_policies(cases: tuple[Case, ...]) -> None:
    runs = [_run_name(entry) for entry in cases[0].entries]
    if len(set(runs)) < len(runs):
        raise InputError(field="cases[0].entries", value=runs, expected="every policy once per seed")
    for number, case in enumerate(cases):
        given = [_run_name(entry) for entry in case.entries]
        if given != runs:
            raise InputError(field=f"cases[{number}].entries", value=given, expected=f"the policies {runs}")


def _run_name(entry: Entry) -> str:
    return f"{entry.policy}[{entry.seed}]" if entry.seed else entry.policy


def _reference(name: str | None, cases: tuple[Case, ...]) -> str:
    names = [entry.policy for entry in cases[0].entries]
    if name is not None and name not in names:
        raise InputError(field="reference", value=name, expected=f"one of {', '.join(names)}")
    return name or names[0]
