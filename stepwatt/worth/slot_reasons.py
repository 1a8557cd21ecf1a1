"""Reasons of a decision as it is made, for the lines of ``run --why``: from the response's own prices."""

from __future__ import annotations

from typing import Any

from stepwatt.formulation import InstanceArrays
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.solvers.response import Plan
from stepwatt.solvers.response.rejected import Kind, Rejected, rejected


def slot_reasons(a: InstanceArrays, problem: Problem, plan: Plan, currency: str = "USD") -> dict[str, Any]:
    """By site: a reason in words, what the main jobs bring, and the best rejected alternative.

    Money per job and in all, at the prices of the plan; of the first instance of the problem.
    """
    found = rejected(problem, plan)
    return {name: _reason(a, problem, plan, found, j, currency) for j, name in enumerate(a.sites)}


def _reason(
    a: InstanceArrays, problem: Problem, plan: Plan, found: Rejected, j: int, currency: str
) -> dict[str, Any]:
    gpu_hour, power = float(plan.gpu_time[0, j]), float(plan.power[0, j])
    at = f"a GPU-hour is worth {gpu_hour:.3g} {currency} here, power {power:.2f} {currency}/MWh"
    jobs = float(found.jobs[0, j])
    if jobs <= 0:
        return {"words": f"{a.sites[j]} runs no jobs: {at}", "rejected": None}
    k = int(found.job_class[0, j])
    how = _option(a, problem, j, k, int(found.option[0, j]))
    money = {name: float(getattr(found, name)[0, j]) for name in ("revenue", "gpu_time", "power")}
    words = f"{a.sites[j]} runs {jobs:,.0f} {a.classes[k]} jobs {how}: {at}"
    kind, moved, loss = Kind(int(found.kind[0, j])), float(found.moved[0, j]), float(found.loss[0, j])
    reason: dict[str, Any] = {"class": a.classes[k], "jobs": jobs, "money_per_job": money}
    if kind is Kind.NOTHING:
        return {"words": words, **reason, "rejected": None}
    instead = int(found.instead[0, j])
    if kind is Kind.OPTION:
        place = _option(a, problem, j, k, instead)
    elif kind is Kind.SITE:
        place = f"in {a.sites[instead]}"
    else:
        place = {Kind.WAIT: "waiting", Kind.LOST: "lost"}[kind]
    regret = float(found.regret[0, j])
    words += f"; {moved:,.0f} of them {place} would cost {moved * loss:.3g} {currency}"
    words += f", at least {regret:.3g} for certain" if regret > 0 else ""
    other = {"kind": kind.name.lower(), "words": place, "jobs": moved, "loss_per_job": loss, "regret": regret}
    return {"words": words, **reason, "rejected": other}


def _option(a: InstanceArrays, problem: Problem, j: int, k: int, choice: int) -> str:
    row = int(problem.row[0, j, k, choice])
    o = a.options
    clock = a.clocks[o.site[row]][o.clock[row]]
    return f"with {a.models[o.model[row]]} at {int(o.steps[row])} steps, clock {clock}"
