"""All methods by name, and the one call that runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.errors import listed
from stepwatt.formulation.instance.given import the_instance
from stepwatt.formulation.registry import Registry

from .interface.result import Result
from .interface.settings import Progress, Settings, silent

Kind = Literal["optimum", "bound", "planner", "ablation", "yours"]


@dataclass(frozen=True)
class Note:
    """What readers of a table are told: ``kind`` says what a row may be compared with, ``what`` is one line.

    ``optimum`` and ``ablation`` know the whole day beforehand; a ``planner`` knows at most a forecast; of
    what is ``yours`` nobody here knows.
    """

    kind: Kind
    what: str


@dataclass(frozen=True)
class Method:
    """A way from an instance to a judged schedule.

    ``proves_bound``: the bound of its results holds for the instance itself, not for a restricted problem
    only; ``takes_extra``: constraints of a user's own; ``keeps_best``: Ctrl-C ends its search with the best
    schedule until then; ``has_prices``: its results say what one more unit is worth; ``forecasts`` has notes
    by forecast (``rolling:day-ahead``), for methods that plan on one, and is None where nobody knows.
    """

    run: Callable[[Instance, Settings], Result]
    kind: Kind
    what: str
    proves_bound: bool = False
    takes_extra: bool = False
    keeps_best: bool = False
    has_prices: bool = True
    forecasts: Mapping[str, Note] | None = field(default_factory=dict)

    def note(self, forecast: str = "") -> Note:
        """The note on the method, with the forecast where one is named."""
        return (self.forecasts or {}).get(forecast, Note(self.kind, self.what))


# methods are loaded when they are asked for


def _oracle(inst: Instance, settings: Settings) -> Result:
    from .optimum.oracle import oracle

    return oracle(inst, settings)


def _lp(inst: Instance, settings: Settings) -> Result:
    from .common.relaxation import lp

    return lp(inst, settings)


def _greedy(inst: Instance, settings: Settings) -> Result:
    from .planners.rules import greedy

    return greedy(inst, settings)


def _random(inst: Instance, settings: Settings) -> Result:
    from .planners.rules import random

    return random(inst, settings)


def _rolling(inst: Instance, settings: Settings) -> Result:
    from .planners.rolling import rolling

    return rolling(inst, settings)


def _ablation(lever: str, inst: Instance, settings: Settings) -> Result:
    from .optimum.ablations import ablation

    return ablation(lever)(inst, settings)


def _conic(inst: Instance, settings: Settings) -> Result:
    from .optimum.conic import conic

    return conic(inst, settings)


def _pyomo(inst: Instance, settings: Settings) -> Result:
    from .optimum.pyomo_route import pyomo

    return pyomo(inst, settings)


def _distributed(inst: Instance, settings: Settings) -> Result:
    from .distributed.coordination import distributed

    return distributed(inst, settings)


def _foresight(inst: Instance, settings: Settings) -> Result:
    from .planners.foresight.planner import foresight

    return foresight(inst, settings)


_RENEWED = "renewed every hour; exact within each slot"
_FORESEEN = {
    "day-ahead": Note("planner", f"prices from a plan of the day-ahead forecast, {_RENEWED}"),
    "day-ahead+seen": Note("planner", f"the same, less the errors seen, {_RENEWED}"),
    "persistence": Note("planner", f"prices from a plan of yesterday's profile, {_RENEWED}"),
    "persistence+seen": Note("planner", f"the same, less the errors seen, {_RENEWED}"),
    "perfect": Note("ablation", f"prices from a plan of the day as it will be, {_RENEWED}"),
}
_FORECASTS = {
    "persistence": Note("planner", "plans ahead on yesterday's profile, again and again"),
    "persistence+seen": Note("planner", "plans ahead on yesterday's profile, less the errors seen"),
    "day-ahead": Note("planner", "plans ahead on day-ahead prices and forecasts with their usual errors"),
    "day-ahead+seen": Note("planner", "plans ahead on day-ahead forecasts, less the errors seen"),
    "perfect": Note("ablation", "plans ahead on a perfect forecast, but not to the end of the day"),
}


def _without(lever: str, what: str, kind: Kind = "ablation") -> Method:
    return Method(partial(_ablation, lever), kind, what, keeps_best=True)


def _planner(
    run: Callable[[Instance, Settings], Result],
    what: str,
    forecasts: Mapping[str, Note] | None = None,
) -> Method:
    return Method(run, "planner", what, has_prices=False, forecasts=forecasts or {})


_AT_ONCE = "optimum without waiting: every job runs in the slot in which it arrives"
_ALL_OFF = "what an operator without this toolkit does: local, 30 steps, one clock, no battery, at once"
_CONIC = "relaxation with continuous steps and divisible jobs: no schedule can be worth more"
_LINEAR = "linear relaxation: no schedule can be worth more"
_PLAIN = "the same optimum, from the explicit Pyomo model"
_TRADED = "the optimum as providers reach it by trading jobs at prices, each with its own data only"

METHODS: Registry[Method] = Registry(
    "method",
    {
        "oracle": Method(
            _oracle,
            "optimum",
            "knows the whole day beforehand; certified with a bound",
            proves_bound=True,
            takes_extra=True,
            keeps_best=True,
        ),
        "lp": Method(_lp, "bound", _LINEAR, proves_bound=True, takes_extra=True),
        "conic": Method(_conic, "bound", _CONIC, proves_bound=True, takes_extra=True),
        "pyomo": Method(_pyomo, "optimum", _PLAIN, proves_bound=True, takes_extra=True, has_prices=False),
        "greedy": _planner(_greedy, "exact within each slot, never looks ahead"),
        "foresight": _planner(_foresight, _FORESEEN["day-ahead"].what, _FORESEEN),
        "rolling": _planner(_rolling, _FORECASTS["persistence"].what, _FORECASTS),
        "local": _without("local", "optimum without transfers: every job runs where it arrives"),
        "fixed-steps": _without("fixed-steps", "optimum with 30 denoising steps for every job"),
        "no-dvfs": _without("no-dvfs", "optimum with GPUs at one clock"),
        "no-renewables": _without("no-renewables", "optimum without wind and sun"),
        "no-storage": _without("no-storage", "optimum without batteries"),
        "no-deferral": _without("no-deferral", _AT_ONCE),
        "all-off": _without("all-off", _ALL_OFF, "planner"),
        "random": _planner(_random, "random choices within the rules"),
        "distributed": Method(_distributed, "optimum", _TRADED, proves_bound=True, keeps_best=True),
    },
)


def method_note(method: str) -> Note:
    """The note on a method as comparisons name it (``rolling:day-ahead`` for a named forecast)."""
    name, _, forecast = method.partition(":")
    known = _known(name)
    return (
        Note("yours", "a schedule, a trained policy, or code of your own")
        if known is None
        else known.note(forecast)
    )


def proves_bound(method: str) -> bool:
    """Whether the method's bound holds for the instance itself; others may prove one for a restricted one."""
    known = _known(method.partition(":")[0])
    return known is not None and known.proves_bound


def _known(name: str) -> Method | None:
    """The method of that name; users' own schedules and policies have none."""
    return None if name in ("", "schedule", "callable") else METHODS.get(name)


def solve(
    inst: Instance,
    method: str = "oracle",
    *,
    gap: float = 1e-4,
    time_limit: float | None = 300.0,
    seed: int = 0,
    forecast: str | None = None,
    look_ahead_hours: float = 24.0,
    history: Instance | None = None,
    extra: Callable[[Any], Any] | None = None,
    progress: Progress | Literal[False] | None = None,
) -> Result:
    """Solve an instance by the named method (docs/solvers.md).

    Args:
        inst: the instance.
        method: a name in :data:`METHODS`.
        gap: relative optimality gap at which ``oracle`` and the ablations stop.
        time_limit: seconds for methods that search; None for no limit.
        seed: for methods that draw (``random``, the errors of the ``day-ahead`` forecast).
        forecast: what ``rolling`` and ``foresight`` believe: ``perfect``, ``persistence`` (if not given, of
            ``rolling``) or ``day-ahead`` (of ``foresight``).
        look_ahead_hours: window of ``rolling``.
        history: the slots before this instance, for ``persistence``.
        extra: a function that adds constraints of your own, for ``oracle``, ``lp`` and ``pyomo`` to the Pyomo
            model it is given, for ``conic`` by giving CVXPY constraints back by name (docs/own-data.md).
            Status, bound and ``duals`` of the result are those of the instance with them.
        progress: called with the share done and what is being worked on; ``sw.solve`` shows a line if it is
            not given and a person waits for some seconds (at a terminal, in a notebook), and not if False.

    Raises:
        InputError: unknown method or forecast, settings out of range, or an ``extra`` that cannot be used.
        SolverError: the solver failed, or a slot-by-slot method met a slot without feasible decision.
    """
    chosen = METHODS[method]
    the_instance(inst)
    if extra is not None and not (chosen.takes_extra and callable(extra)):
        able = listed(name for name, known in METHODS.items() if known.takes_extra)
        raise InputError(field="extra", value=extra, expected=f"a function, with one of the methods {able}")
    if forecast is not None and chosen.forecasts is not None and not chosen.forecasts:
        able = listed(name for name, known in METHODS.items() if known.forecasts)
        expected = f"none with {method}: only {able} plan on one"
        raise InputError(field="forecast", value=forecast, expected=expected)
    settings = Settings(
        gap=gap,
        time_limit=time_limit,
        seed=seed,
        forecast=forecast,
        look_ahead_hours=look_ahead_hours,
        history=history,
        extra=extra,
        progress=progress or silent,
    )
    result = chosen.run(inst, settings)
    if not isinstance(result, Result):
        raise InputError(field=f"method {method}", value=type(result), expected="a Result from it")
    return result
