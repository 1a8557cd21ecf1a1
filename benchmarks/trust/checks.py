"""What must hold of every instance, whoever says it: names, tolerances, and why they are what they are."""

from __future__ import annotations

import numpy as np

from stepwatt.formulation import Instance, Schedule, evaluate
from stepwatt.formulation.milp.matrices import linear_problem
from stepwatt.formulation.milp.pyomo_model import pyomo_model
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.schedule_replay import replay
from stepwatt.solvers import METHODS, solve

from .case import GAP, SECONDS, Case, Check, Complaint
from .environments import adversaries, climbed, played, task_drawn, through_gymnasium, world_of
from .finer import exact_room, finer_file, finer_schedule
from .judge import judge

#: Slots of an hour as 60, 30, 15 and 5 minutes.
PARTS = (1, 2, 4, 12)
#: The judge allows breaks of 1e-6 of each rule: what they can earn at most, as a share of what is at stake.
ROUNDING = 3e-6


def complaints(file: dict[str, object], seed: int, only: str | None = None) -> list[Complaint]:
    """All that does not hold of an instance; ``only`` one check where named."""
    case = Case(file, seed)
    return [
        Complaint(check.name, found)
        for check in CHECKS
        if only in (None, check.name)
        for found in check.failures(case, check.tolerance)
    ]


def _plans(case: Case) -> dict[str, Schedule]:
    """Every schedule there is, feasible or not."""
    return {name: r.schedule for name, r in case.results.items() if r.schedule is not None}


def no_errors(case: Case, tolerance: float) -> list[str]:
    assert case.results is not None
    found = [f"{name}: {told}" for name, told in case.errors.items()]
    for name, result in case.results.items():
        broken = {} if result.evaluation is None else result.evaluation.broken
        if broken and METHODS[name.partition(":")[0]].kind != "bound":
            found.append(f"{name} breaks {broken}")
        # within so few seconds an ablation's search may come to nothing
        late = result.status.value == "time_limit" and METHODS[name.partition(":")[0]].kind != "planner"
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
    for name, schedule in _plans(case).items():
        ours, theirs = case.judged(schedule), judge(case.file, schedule.to_dict(case.inst))
        # a tie between running through and starting anew is split one way or the other
        one, other = dict(ours.breakdown), dict(theirs.money)
        for terms in (one, other):
            terms["fuel"] += terms.pop("startup")
        # jobs run before they come are owed by others: by how many, the two queues say differently
        early = max(ours.violations["deadline"], theirs.breaks.get("deadline", 0.0))
        owed = early * float(case.a.miss_penalty.sum()) * case.a.arrivals.size
        for term in one:
            slack = case.scale * tolerance + owed * (term == "miss_penalty")
            if not abs(one[term] - other[term]) <= slack:
                found.append(f"{name}: {term} {one[term]!r}, by hand {other[term]!r}")
        for family, amount in ours.violations.items():
            hand = max(0.0, theirs.breaks.get(family, 0.0))
            slack = early if family == "deadline" else 1e-7 * (1.0 + abs(amount))
            if not abs(amount - hand) <= slack or (amount > 1e-5) != (hand > 1e-5):
                found.append(f"{name}: breaks {family} by {amount!r}, by hand {hand!r}")
        if theirs.breaks.get("option", 0.0) > 0:
            found.append(f"{name}: runs {theirs.breaks['option']:g} jobs with an option that is not allowed")
    return found


def bounded(case: Case, tolerance: float) -> list[str]:
    slack = tolerance * case.scale
    return [
        f"{maker} has {judged.utility!r}, above the bound {bound!r} of {prover}"
        for maker, (_, judged) in case.schedules.items()
        for prover, bound in case.bounds.items()
        if not judged.utility <= bound + slack
    ]


def ordered(case: Case, tolerance: float) -> list[str]:
    b, found, slack = case.bounds, [], tolerance * case.scale
    for wider, tighter in (("conic", "lp"), ("lp", "oracle")):
        if wider in b and tighter in b and not b[wider] >= b[tighter] - slack:
            found.append(f"bound of {wider} {b[wider]!r} below that of {tighter} {b[tighter]!r}")
    return found


def optima(case: Case, tolerance: float) -> list[str]:
    """Pyomo, the matrices and the oracle are one problem: what any of them reaches, none of them denies."""
    if case.infeasible:
        return []
    reached = {name: judged.utility for name, (_, judged) in case.schedules.items()}
    proven = dict(case.bounds)
    for name, (value, bound) in (("matrices", _by_matrices(case)), ("appsi", _by_appsi(case))):
        reached |= {} if value is None else {name: value}
        proven[name] = bound
    best, least = max(reached, key=reached.__getitem__), min(proven, key=proven.__getitem__)
    if reached[best] <= proven[least] + tolerance * case.scale:
        return []
    return [f"{best} reaches {reached[best]!r}, {least} denies all above {proven[least]!r}"]


def _by_matrices(case: Case, *, whole: bool = True) -> tuple[float | None, float]:
    """(utility, bound) by the HiGHS that scipy brings."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    p = linear_problem(case.a)
    size = 2.0 ** float(np.clip(-np.floor(np.log2(max(np.abs(p.cost).max(), 1e-30))), -30, 30))
    found = milp(
        -p.cost * size,
        integrality=p.integer.astype(int) if whole else None,
        bounds=Bounds(p.lower, p.upper),
        constraints=LinearConstraint(p.matrix.tocsr(), p.row_lower, p.row_upper),
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
    if case.infeasible or "lp" not in case.bounds:
        return []
    value, _ = _by_matrices(case, whole=False)
    bound, slack = case.bounds["lp"], tolerance * case.scale
    near = value is None or bound <= value + slack
    # narrower limits of power, which cannot matter, make either-or tighter: only without is it the same
    if value is not None and not linear_problem(case.a).integer.any():
        near &= bound >= value - slack
    return [] if near else [f"lp {bound!r}, matrices {value!r}"]


def replayed(case: Case, tolerance: float) -> list[str]:
    """Schedules through the plant: what it earns is what the judge says, and of optima nothing is lost."""
    found = []
    for name, (schedule, judged) in case.schedules.items():
        _, outcomes = replay([case.inst], [schedule], numpy_engine())
        earned = sum(float(o.utility[0]) for o in outcomes)
        # a plant switches on no idle GPU, which negative prices would pay for
        free = bool((case.a.import_cost >= 0).all()) and name in ("oracle", "pyomo")
        if free and case.inst.closes and not earned >= judged.utility - tolerance * case.scale:
            found.append(f"{name}: worth {judged.utility!r}, the plant makes {earned!r} of it")
        for prover, bound in case.bounds.items():
            if not earned <= bound + ROUNDING * case.scale:
                found.append(f"{name} through the plant: {earned!r}, above {bound!r} of {prover}")
    return found


def environment(case: Case, tolerance: float) -> list[str]:
    """Adversaries in the environment: judged as paid, feasible, below the bound, and alike in every form."""
    rng, inst, found = case.rng(3), case.inst, list[str]()
    if case.infeasible:
        return []
    task = task_drawn(rng)
    bound, slack = case.bounds.get("lp"), ROUNDING * case.scale
    for whole in {False, inst.integral_jobs}:
        world = world_of(inst, task, integral=whole)
        for name, actions in adversaries(rng, inst.n_slots, world.act_size):
            earned, plans = played(world, inst, actions[:, None])
            label = f"{task.codec} {task.information} {name}{' whole' if whole else ''}"
            found += _paid(case, label, float(earned[0]), plans[0], whole, tolerance)
            if bound is not None and not earned[0] <= bound + slack:
                found.append(f"{label}: {float(earned[0])!r}, above the bound {bound!r}")
            told = through_gymnasium(inst, task, actions, integral=whole)
            for form, accuracy in (("single", tolerance), ("vector", 2e-4)):
                if form not in told:
                    continue
                slots = told[form].reshape(inst.n_slots, -1)
                if not np.abs(slots.sum(axis=0) - earned[0]).max() <= accuracy * case.scale:
                    found.append(f"{label}: {form} pays {slots.sum(axis=0)}, the world {float(earned[0])!r}")
            if not (told["ended"] and told["finite"]):
                found.append(f"{label}: ended {told['ended']}, finite observations {told['finite']}")
    return found


def greedy_climb(case: Case, tolerance: float) -> list[str]:
    """Hill climbing on what the environment pays never comes above the bound."""
    if case.infeasible or "lp" not in case.bounds or case.seed % 4:
        return []
    rng, inst = case.rng(4), case.inst
    task = task_drawn(rng)
    from .environments import CROWD

    whole = inst.integral_jobs and bool(rng.random() < 0.5)
    paid, plans = climbed(rng, world_of(inst, task, CROWD, integral=whole), inst)
    found = []
    if not paid.max() <= case.bounds["lp"] + tolerance * case.scale:
        found.append(f"{task.codec}: a climb earns {paid.max()!r}, above {case.bounds['lp']!r}")
    for earned, plan in zip(paid, plans, strict=True):
        found += _paid(case, f"{task.codec} climb", float(earned), plan, whole, 1e-9)
    return found


def _paid(case: Case, label: str, earned: float, plan: Schedule, whole: bool, tolerance: float) -> list[str]:
    from dataclasses import replace

    judged = evaluate(replace(case.a, integral_jobs=whole), plan)
    found = [f"{label}: breaks {judged.broken}"] if judged.broken else []
    if not abs(judged.utility - earned) <= tolerance * case.scale:
        found.append(f"{label}: paid {earned!r}, judged {judged.utility!r}")
    return found


def finer_slots(case: Case, tolerance: float) -> list[str]:
    """The same powers at 60, 30, 15, 5 minutes: money and batteries alike, rooms within Euler's error."""
    found = []
    for name, (schedule, judged) in list(case.schedules.items())[:2]:
        for parts in PARTS[1:]:
            fine = Instance.from_dict(finer_file(case.file, parts))
            again = evaluate(fine, finer_schedule(schedule, parts))
            for term, value in judged.breakdown.items():
                if term != "terminal" and not abs(again.breakdown[term] - value) <= tolerance * case.scale:
                    found.append(f"{name} in {parts} parts: {term} {again.breakdown[term]!r} for {value!r}")
            ends = again.energy_mwh[:, ::parts]
            if not np.abs(ends - judged.energy_mwh).max() <= 1e-9 * (1 + np.abs(ends).max()):
                found.append(f"{name} in {parts} parts: stored {ends.tolist()}")
            found += _rooms(case, schedule, again.temperature_c[:, ::parts], judged.it_mw, parts, name)
    return found


def _rooms(case: Case, schedule: Schedule, theta: object, it_mw: object, parts: int, name: str) -> list[str]:
    found = []
    warm, power = np.asarray(theta), np.asarray(it_mw)
    for j in np.flatnonzero(case.a.thermal):
        site = case.a.sites[j]
        exact = exact_room(case.inst, site, power[j], schedule.cooling_mw[j])
        if exact is None:
            continue
        apart = float(np.abs(warm[j] - np.array(exact[0])).max())
        if not apart <= exact[1] / parts + 1e-7:
            found.append(f"{name} in {parts} parts: {site} is {apart} °C off, at most {exact[1] / parts}")
    return found


def finer_worth(case: Case, tolerance: float) -> list[str]:
    """Finer slots only add choices, where no room's heat is stepped: the relaxation is worth no less."""
    if case.a.thermal.any() or "lp" not in case.bounds or case.infeasible:
        return []
    fine = solve(Instance.from_dict(finer_file(case.file, 2)), "lp")
    coarse = solve(Instance.from_dict({**finer_file(case.file, 1)}), "lp")
    if fine.bound is None or coarse.bound is None:
        return [f"no bound: {fine.status}, {coarse.status}"]
    short = coarse.bound - fine.bound
    return [] if short <= tolerance * case.scale else [f"{coarse.bound!r}, in halves {fine.bound!r}"]


def parts_of_a_day(case: Case, tolerance: float) -> list[str]:
    """Cut in two, one after the other books what the whole books for the same schedule."""
    file = case.file
    every = int(np.lcm.reduce([s["grid"].get("demand_interval_slots", 1) for s in file["sites"].values()]))
    cuts = [t for t in range(1, case.inst.n_slots) if t % every == 0]
    if not cuts or not case.schedules:
        return []
    import copy

    cut = int(case.rng(5).choice(cuts))
    whole = copy.deepcopy(file)
    for site in whole["sites"].values():
        site["terminal_price"] = 0.0
    first, second = _sliced(whole, 0, cut), _sliced(whole, cut, case.inst.n_slots)
    first["closes"] = False
    one = Instance.from_dict(first)
    second["start"] = one.end_time.isoformat()
    found = []
    for name, (schedule, _) in list(case.schedules.items())[:3]:
        if any(not _known_pause(site, schedule, j, cut) for j, site in enumerate(file["sites"].values())):
            continue
        early, late = (_cut(schedule, part) for part in (slice(0, cut), slice(cut, None)))
        two = one.after(early, Instance.from_dict({**second}))
        booked = evaluate(one, early), evaluate(two, late)
        together = evaluate(Instance.from_dict(whole), schedule)
        for term, value in together.breakdown.items():
            parts = sum(e.breakdown[term] for e in booked)
            if not abs(parts - value) <= tolerance * case.scale:
                found.append(f"{name} cut at {cut}: {term} {parts!r}, whole {value!r}")
        if booked[1].broken:
            found.append(f"{name} cut at {cut}: the second part breaks {booked[1].broken}")
    return found


def _known_pause(site: dict[str, object], schedule: Schedule, j: int, cut: int) -> bool:
    """Whether a generator's pause at the cut is the same cut or whole: it cannot idle, or it runs."""
    unit = site.get("generator")
    if not isinstance(unit, dict) or unit["min_mw"] > 0:
        return True
    return bool(schedule.generator_mw[j, cut - 1] > 1e-9)


def _sliced(file: dict[str, object], begin: int, end: int) -> dict[str, object]:
    import copy

    part = copy.deepcopy(file)
    part["n_slots"] = end - begin

    def cut(series: object) -> object:
        return series[begin:end] if isinstance(series, list) else series

    sites: dict[str, dict[str, dict[str, object]]] = part["sites"]  # type: ignore[assignment]
    for site in sites.values():
        for table, names in (
            ("grid", ("import_price", "export_price", "carbon_kg_per_mwh")),
            ("cooling", ("pue", "cop", "outside_c")),
        ):
            for name in names:
                if name in site[table]:
                    site[table][name] = cut(site[table][name])
        site["renewable_mw"] = cut(site["renewable_mw"])  # type: ignore[assignment]
    arrivals: dict[str, dict[str, object]] = part["arrivals"]  # type: ignore[assignment]
    for by_class in arrivals.values():
        for name in by_class:
            by_class[name] = cut(by_class[name])
    return part


def _cut(schedule: Schedule, part: slice) -> Schedule:
    return Schedule(**{name: values[..., part] for name, values in vars(schedule).items()})


def round_trips(case: Case, tolerance: float) -> list[str]:
    """Files say what was in memory."""
    import json

    found = []
    if Instance.from_dict(json.loads(json.dumps(case.inst.to_dict()))) != case.inst:
        found.append("the instance file is another instance")
    for name, schedule in _plans(case).items():
        again = Schedule.from_dict(case.inst, json.loads(json.dumps(schedule.to_dict(case.inst))))
        if any(not np.array_equal(getattr(again, f), v) for f, v in vars(schedule).items()):
            found.append(f"{name}: the schedule file is another schedule")
    return found


CHECKS = (
    Check("no-errors", 0.0, "an operable instance has a feasible schedule by every method", no_errors),
    Check("judges", 1e-9, "the same sums in another order, as a share of what is at stake", judges),
    Check("bounded", ROUNDING, "the judge tolerates breaks of 1e-6, which can earn that share", bounded),
    Check("ordered", ROUNDING, "each relaxation contains the next; solvers are that accurate", ordered),
    Check("optima", ROUNDING, "one problem; twice the gap asked for comes on top", optima),
    Check("relaxed", 1e-7, "one linear program, HiGHS's tolerances of 1e-9", relaxed),
    Check("replayed", ROUNDING, "optima broken by the judge's tolerance lose that much", replayed),
    Check("environment", 1e-8, "double precision; single precision 2e-4 where torch plays", environment),
    Check("greedy-climb", ROUNDING, "as bounded", greedy_climb),
    Check("finer-slots", 1e-9, "the same sums over more slots; of rooms a proven error", finer_slots),
    Check("finer-worth", 1e-7, "two linear programs", finer_worth),
    Check("parts-of-a-day", 1e-8, "windows round waiting jobs to 1e-9", parts_of_a_day),
    Check("round-trips", 0.0, "JSON keeps every bit of a number", round_trips),
)
