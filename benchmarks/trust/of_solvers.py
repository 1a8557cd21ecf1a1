"""What must hold of solutions, bounds, the judge and files, whoever says it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from stepwatt.formulation import Instance, Schedule
from stepwatt.formulation.milp.matrices import linear_problem
from stepwatt.formulation.milp.pyomo_model import pyomo_model
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.schedule_replay import replay
from stepwatt.solvers import METHODS
from stepwatt.solvers.highs.scaling import scaling_of
from stepwatt.solvers.highs.session import whole_bounds
from stepwatt.solvers.optimum.pyomo_route import make_bounds_whole

from .case import ABSURD, GAP, SECONDS, Case
from .judge import judge

#: Smaller sites are rounding to the judge.
LEAST_MW = 1e-6


def no_errors(case: Case, tolerance: float) -> list[str]:
    assert case.results is not None
    found = [f"{name}: {told}" for name, told in case.errors.items()]
    for name, result in case.results.items():
        broken = {} if result.evaluation is None else result.evaluation.broken
        if broken and METHODS[name.partition(":")[0]].kind != "bound":
            found.append(f"{name} breaks {broken}")
        # within so few seconds a search may come to nothing
        late = result.status.value == "time_limit"
        if result.schedule is None and name not in case.infeasible and not late:
            found.append(f"{name} has no schedule: {result.status} {result.message}")
    if case.infeasible:
        proves = case.infeasible - set(METHODS)  # whoever restricts may be stuck where others are not
        everyone = {n for n in case.infeasible if METHODS[n.partition(":")[0]].proves_bound} | proves
        if everyone and case.schedules:
            found.append(f"infeasible by {sorted(everyone)}, but {sorted(case.schedules)} have schedules")
    return found


def judges(case: Case, tolerance: float) -> list[str]:
    found = []
    for name, schedule in case.plans.items():
        ours, theirs = case.judged(schedule), judge(case.file, schedule.to_dict(case.inst))
        # a tie between running through and starting anew is split one way or the other
        one, other = dict(ours.breakdown), dict(theirs.money)
        for terms in (one, other):
            terms["fuel"] += terms.pop("startup")
        for term in one:
            apart = abs(one[term] - other[term])
            if term == "terminal":  # what is missing has no more digits than what is stored
                apart = max(0.0, apart - case.untold)
            if not case.apart("evaluate, plain loops: money", apart, other[term]) <= tolerance:
                found.append(f"{name}: {term} {one[term]!r}, by hand {other[term]!r}")
        for family, amount in ours.violations.items():
            hand = max(0.0, theirs.breaks.get(family, 0.0))
            # sums of many jobs are rounded otherwise
            if not abs(amount - hand) <= 1e-7 * (1.0 + abs(amount)) + 1e-15 * case.jobs:
                found.append(f"{name}: breaks {family} by {amount!r}, by hand {hand!r}")
        if theirs.breaks.get("option", 0.0) > 0:
            found.append(f"{name}: runs {theirs.breaks['option']:g} jobs with an option that is not allowed")
    return found


def bounded(case: Case, tolerance: float) -> list[str]:
    return [
        f"{maker} has {judged.utility!r}, above the bound {bound!r} of {prover}"
        for maker, (_, judged) in case.schedules.items()
        for prover, bound in case.bounds.items()
        if not case.above(f"bound of {prover}, a schedule above it", judged.utility, bound) <= tolerance
    ]


def ordered(case: Case, tolerance: float) -> list[str]:
    b, found = case.bounds, []
    for wider, tighter in (("conic", "lp"), ("lp", "oracle")):
        if not (wider in b and tighter in b):
            continue
        if not case.above(f"bounds: {tighter} above {wider}", b[tighter], b[wider]) <= tolerance:
            found.append(f"bound of {wider} {b[wider]!r} below that of {tighter} {b[tighter]!r}")
    return found


def optima(case: Case, tolerance: float) -> list[str]:
    """Pyomo, the matrices and the oracle are one problem: what any of them reaches, none of them denies."""
    if case.infeasible or case.extreme:  # where nothing is trimmed HiGHS has no digits left for a proof
        return []
    reached = {name: judged.utility for name, (_, judged) in case.schedules.items()}
    proven = dict(case.bounds)
    rng = case.rng(6)
    others = {"matrices": _by_matrices} if rng.random() < 0.7 else {"appsi": _by_appsi}
    for name, solved in others.items():
        value, bound = solved(case)
        reached |= {} if value is None else {name: value}
        proven[name] = bound
        pair = f"{name}, oracle: one above what the other proves"
        if value is not None and "oracle" in proven:
            case.above(pair, value, proven["oracle"])
        if "oracle" in reached:
            case.above(pair, reached["oracle"], bound)
    if not reached:  # within so few seconds
        return []
    best, least = max(reached, key=reached.__getitem__), min(proven, key=proven.__getitem__)
    if case.above("optima: the best above the least bound", reached[best], proven[least]) <= tolerance:
        return []
    return [f"{best} reaches {reached[best]!r}, {least} denies all above {proven[least]!r}"]


def milder(case: Case, tolerance: float) -> list[str]:
    """Where numbers are less extreme solvers have all digits: what they reach there nobody denies."""
    found = []
    for schedule in case.milder:
        judged = case.judged(schedule)
        if not judged.feasible:
            continue
        for prover, bound in case.bounds.items():
            pair = f"bound of {prover}, a milder optimum above it"
            if not case.above(pair, judged.utility, bound) <= tolerance:
                found.append(f"{judged.utility!r} is reached, above the bound {bound!r} of {prover}")
        if proves := {n for n in case.infeasible if METHODS[n.partition(":")[0]].proves_bound}:
            found.append(f"infeasible by {sorted(proves)}, but there is a schedule")
    return found


def starved(case: Case, tolerance: float) -> list[str]:
    """Whatever sizes a plant has: who draws a part more than comes is refused."""
    found = []
    for name, (schedule, judged) in case.schedules.items():
        # beside terawatts that can really be traded kilowatts are rounding
        if judged.facility_mw.max() <= max(LEAST_MW, case.most_mw / ABSURD):
            continue
        flows = ("import_mw", "renewable_mw", "generator_mw", "discharge_mw")
        less = replace(schedule, **{flow: (1 - tolerance) * getattr(schedule, flow) for flow in flows})
        if "balance" not in case.judged(less).broken:
            found.append(f"{name} with {tolerance:.1%} less power than it uses is accepted")
    return found


def _by_matrices(case: Case, *, whole: bool = True) -> tuple[float | None, float]:
    """(utility, bound) by the HiGHS that scipy brings."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import diags_array

    p = linear_problem(case.a)
    # tolerances are absolute: a site of 200 W is nothing to a solver that is told megawatts
    unit = scaling_of(p)
    size, row, column = unit.objective, unit.row, unit.column
    lower, upper = whole_bounds(p.lower, p.upper, p.integer & whole)
    matrix = diags_array(row) @ p.matrix @ diags_array(column)
    found = milp(
        -p.cost * column * size,
        integrality=p.integer.astype(int) if whole else None,
        bounds=Bounds(lower / column, upper / column),
        constraints=LinearConstraint(matrix.tocsr(), p.row_lower * row, p.row_upper * row),
        options={"mip_rel_gap": GAP, "time_limit": SECONDS},
    )
    value = None if found.fun is None else -float(found.fun) / size + p.offset
    dual = found.mip_dual_bound if whole and p.integer.any() else found.fun
    return value, np.inf if dual is None else -float(dual) / size + p.offset


def _by_appsi(case: Case) -> tuple[float | None, float]:
    """(utility, bound) of the Pyomo model through ``appsi_highs``."""
    import pyomo.environ as pyo
    from pyomo.contrib.appsi.solvers.highs import Highs

    model = pyomo_model(case.inst)
    make_bounds_whole(model)
    pays = float(case.a.options.revenue.max(initial=0.0))
    scale = float(2.0 ** np.clip(-np.floor(np.log2(pays)), -30, 30)) if pays > 0 else 1.0
    model.utility.deactivate()
    model.scaled = pyo.Objective(expr=scale * model.utility.expr, sense=pyo.maximize)
    solver = Highs()
    solver.config.load_solution, solver.config.stream_solver = False, False
    solver.config.time_limit, solver.config.mip_gap = SECONDS, GAP
    done = solver.solve(model)
    value, bound = done.best_feasible_objective, done.best_objective_bound
    return (
        None if value is None or not np.isfinite(value) else value / scale,
        np.inf if bound is None else bound / scale,
    )


def relaxed(case: Case, tolerance: float) -> list[str]:
    """The linear relaxation is the matrices without integrality; or tighter, where jobs are whole."""
    # beside extreme numbers honest rounding makes bounds wide
    if case.infeasible or case.extreme or "lp" not in case.bounds:
        return []
    value, _ = _by_matrices(case, whole=False)
    if value is None:
        return []
    bound = case.bounds["lp"]
    # narrower limits of power, which cannot matter, make either-or tighter: only without is it the same
    if linear_problem(case.a).integer.any():
        off = case.above("lp above the relaxation of the matrices", bound, value)
    else:
        off = case.apart("lp, matrices without whole numbers", bound - value)
    return [] if off <= tolerance else [f"lp {bound!r}, matrices {value!r}"]


def replayed(case: Case, tolerance: float) -> list[str]:
    """Schedules through the plant: what it earns is what the judge says, and of optima nothing is lost."""
    if not case.schedules:
        return []
    plans = [schedule for schedule, _ in case.schedules.values()]
    _, outcomes = replay([case.inst] * len(plans), plans, numpy_engine())
    total = np.sum([o.utility for o in outcomes], axis=0)
    found = []
    for (name, (_, judged)), earned in zip(case.schedules.items(), map(float, total), strict=True):
        # a plant switches on no idle GPU, which negative prices would pay for
        free = bool((case.a.import_cost >= 0).all()) and name in ("oracle", "pyomo")
        if free and case.inst.closes:
            lost = case.above("optimum, what the plant makes of it", judged.utility, earned)
            if not lost <= tolerance:
                found.append(f"{name}: worth {judged.utility!r}, the plant makes {earned!r} of it")
        for prover, bound in case.bounds.items():
            if not case.above(f"bound of {prover}, the plant above it", earned, bound) <= tolerance:
                found.append(f"{name} through the plant: {earned!r}, above {bound!r} of {prover}")
    return found


def round_trips(case: Case, tolerance: float) -> list[str]:
    """Files say what was in memory."""
    found = []
    if Instance.from_dict(json.loads(json.dumps(case.inst.to_dict()))) != case.inst:
        found.append("the instance file is another instance")
    plans = case.plans
    drawn = [str(case.rng(7).choice(sorted(plans)))] if plans else []
    for name in drawn:
        schedule = plans[name]
        again = Schedule.from_dict(case.inst, json.loads(json.dumps(schedule.to_dict(case.inst))))
        if any(not np.array_equal(getattr(again, f), v) for f, v in vars(schedule).items()):
            found.append(f"{name}: the schedule file is another schedule")
    return found
