"""The conic relaxation of model.md in CVXPY: fluid jobs that run with any real number of steps.

Per group g (site, class, model, clock) with allowed steps from s_min to s_max, and per slot:

* ``jobs`` N and ``extra`` X = (S − s_min·N)/(s_max − s_min) ≤ N for S total steps, so that GPU-seconds,
  energy and revenue are affine in (N, X);
* total quality Q ≤ N·q̂(S/N), the perspective of the concave envelope q̂ of the curve (:mod:`.envelope`):
  exponential cones or cuts. The quality floor Q ≥ floor·N holds at both ends of the range, hence for the
  concave q̂ in between.

The rest is the model with its integers dropped, where charging and discharging share the battery's power.
Every schedule is feasible here with at least its own utility, so the optimum is an upper bound.

Jobs, power, GPUs and money are divided by powers of two taken from the data (:class:`.groups.Units`),
so that the solver sees numbers near 1. What leaves this file is in natural units again.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import cvxpy as cp
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, one_of
from ..instance.arrays import InstanceArrays
from ..instance.instance import Instance
from .bound import safe_bound
from .builder import Builder, Row, value_of
from .groups import Units, groups_of
from .own_rows import Extra, own_rows
from .parts import add_balance, add_battery, add_cooling, add_generator, add_jobs, add_power, add_quality
from .ways import STUCK, WAYS

Floats = NDArray[np.float64]


def uninitialised() -> np.errstate:
    """CVXPY before 1.9 learns the shape of a sum by adding up uninitialised numbers: they may be anything."""
    return np.errstate(invalid="ignore", over="ignore")


class ConicSolverError(RuntimeError):
    """The conic solver found no optimum; ``status`` is what it reported."""

    def __init__(self, status: str) -> None:
        self.status = status
        super().__init__(f"the conic relaxation was not solved: the solver reports {status}")

    def __reduce__(self) -> tuple[type[ConicSolverError], tuple[str]]:
        return type(self), (self.status,)


@dataclass(frozen=True)
class ConicSolution:
    """An upper bound on the utility, and the prices and flows of the relaxation.

    ``value`` is the safe bound (USD), see :func:`.bound.safe_bound`; ``objective`` what the solver's
    point earns. ``status`` is "optimal", or "inaccurate" where the solver stopped just short of its
    tolerances: the bound is as safe, but less tight. ``duals`` maps constraint names to arrays: what one more
    unit of the resource is worth in USD, per MWh, job, GPU-second, GB or °C (docs/model.md), NaN where no
    constraint was needed. ``flows`` maps columns to arrays in MW, MWh, °C, GPUs, jobs. ``seconds`` has
    "build" and "solve".
    """

    value: float
    objective: float
    status: str
    duals: dict[str, Floats]
    flows: dict[str, Floats]
    seconds: dict[str, float]
    iterations: int


class ConicModel:
    """The relaxation of one instance as a CVXPY ``problem``, with named ``columns``, ``rows`` and ``terms``.

    ``columns`` are CVXPY expressions in scaled units, ``rows`` named constraints, ``terms`` the scaled money
    terms of the objective under the names of ``Evaluation.breakdown``.
    """

    @uninitialised()
    def __init__(
        self, inst: Instance, arrays: InstanceArrays | None = None, extra: Extra | None = None
    ) -> None:
        """``arrays``: those of ``inst`` with other limits, to leave out what cannot matter.

        ``extra``: gets this model, and gives back constraints of a user's own by name, affine in its columns.

        Raises:
            InputError: it raises, or gives back something else.
        """
        started = time.perf_counter()
        a = inst.arrays() if arrays is None else arrays
        self.groups = groups_of(inst, a)
        self.units = Units.of(a, self.groups)
        built = Builder(a, self.groups, self.units)
        add_jobs(built)
        add_quality(built)
        add_power(built)
        add_battery(built)
        add_generator(built)
        add_cooling(built)
        add_balance(built)
        self.columns, self.rows, self.terms = built.columns, built.rows, built.terms
        self._built = built
        income = self.terms["revenue"] + self.terms["export"]
        costs = sum(term for name, term in self.terms.items() if name not in ("revenue", "export"))
        self.own: tuple[str, ...] = ()
        if extra is not None:
            own = own_rows(self, extra, self.rows, built.limits)
            self.own = tuple(own)
            self.rows.update(own)
        constraints = [row.constraint for row in self.rows.values()] + built.unnamed
        self.problem = cp.Problem(cp.Maximize(income - costs), constraints)
        self.build_seconds = time.perf_counter() - started

    def natural(self, column: str, site: str | None = None) -> Any:
        """A column in MW, MWh, °C, GPUs or jobs: (members, slots), or (slots,) of one site.

        Raises:
            InputError: no such column, or no row of that site in it.
        """
        if column not in self.columns:
            raise InputError(field="column", value=column, expected=one_of(self.columns, column))
        whole = self._built.column_units[column] * self.columns[column]
        if site is None:
            return whole
        at = self._built.sites_of(column)
        if site not in at:
            raise InputError(field=f"site of {column}", value=site, expected=one_of(at, site))
        return whole[at.index(site)]

    def solve(self, **settings: Any) -> ConicSolution:
        """Solve with Clarabel (tolerances 1e-8; other ways where it gets stuck); ``settings`` are Clarabel's.

        Raises:
            ConicSolverError: no optimum was found, for example because a room cannot be kept below max_c.
        """
        started = time.perf_counter()
        for way in WAYS:
            given = way | settings
            if "time_limit" in settings:
                given["time_limit"] = max(0.1, settings["time_limit"] - (time.perf_counter() - started))
            with uninitialised():
                data, chain, inverse = self.problem.get_problem_data(cp.CLARABEL, solver_opts=given)
            raw = chain.solve_via_data(self.problem, data, warm_start=False, verbose=False, solver_opts=given)
            if str(raw.status) not in STUCK:
                break
        if str(raw.status) not in ("Solved", "AlmostSolved"):
            raise ConicSolverError(str(raw.status))
        with warnings.catch_warnings():
            # an inaccurate solution is reported as status
            warnings.simplefilter("ignore", UserWarning)
            self.problem.unpack_results(raw, chain, inverse)
        upper = np.zeros(len(data["c"]))
        for variable, column in data["param_prob"].var_id_to_col.items():
            limit = self._built.limits[variable]
            upper[column : column + len(limit)] = limit
        bound = -self.units.money * safe_bound(data, np.array(raw.z), upper)
        return ConicSolution(
            value=bound,
            objective=float(self.problem.value) * self.units.money,
            status={"Solved": "optimal", "AlmostSolved": "inaccurate"}[str(raw.status)],
            duals={name: self._dual(row) for name, row in self.rows.items()},
            flows={name: self._built.column_units[name] * value_of(c) for name, c in self.columns.items()},
            seconds={"build": self.build_seconds, "solve": time.perf_counter() - started},
            iterations=int(raw.iterations),
        )

    def _dual(self, row: Row) -> Floats:
        dual = np.full(row.kept.shape, np.nan)
        dual[row.kept] = np.ravel(row.constraint.dual_value) * self.units.money / row.unit
        return dual


def conic_model(inst: Instance, extra: Extra | None = None) -> ConicModel:
    """The conic relaxation of an instance, with constraints of a user's own where ``extra`` gives them."""
    return ConicModel(inst, extra=extra)
