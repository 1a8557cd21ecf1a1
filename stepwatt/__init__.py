"""stepwatt: joint schedules of AI generation jobs and site energy.

    import stepwatt as sw
    inst = sw.scenario("jemas", start="2018-06-12")
    best = sw.solve(inst)
    sw.compare(inst, {"oracle": best, "greedy": "greedy"}).to_html("report.html")

Names are loaded on first use, so that ``import stepwatt`` stays quick and brings in no modelling library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .moved import install

if TYPE_CHECKING:
    from stepwatt import data as data
    from stepwatt import formulation as formulation
    from stepwatt import learning as learning
    from stepwatt import solvers as solvers
    from stepwatt.comparing.accepted import Seeds as Seeds
    from stepwatt.comparing.comparison import Comparison as Comparison
    from stepwatt.comparing.running import compare as compare
    from stepwatt.completing import complete as complete
    from stepwatt.data import SCENARIOS as SCENARIOS
    from stepwatt.data import Battery as Battery
    from stepwatt.data import Clock as Clock
    from stepwatt.data import Cooling as Cooling
    from stepwatt.data import Generator as Generator
    from stepwatt.data import Gpus as Gpus
    from stepwatt.data import Grid as Grid
    from stepwatt.data import JobClass as JobClass
    from stepwatt.data import Model as Model
    from stepwatt.data import Site as Site
    from stepwatt.data import build as build
    from stepwatt.data import look as look
    from stepwatt.data import pv_capacity_factor as pv_capacity_factor
    from stepwatt.data import read_carbon as read_carbon
    from stepwatt.data import read_jobs as read_jobs
    from stepwatt.data import read_prices as read_prices
    from stepwatt.data import read_weather as read_weather
    from stepwatt.data import scenario as scenario
    from stepwatt.data import sizing as sizing
    from stepwatt.data import wind_capacity_factor as wind_capacity_factor
    from stepwatt.data.importers.quality_fit import fit_quality as fit_quality
    from stepwatt.declared import planner as planner
    from stepwatt.declared import policy as policy
    from stepwatt.formulation import Evaluation as Evaluation
    from stepwatt.formulation import InputError as InputError
    from stepwatt.formulation import Instance as Instance
    from stepwatt.formulation import Schedule as Schedule
    from stepwatt.formulation import evaluate as evaluate
    from stepwatt.formulation import load as load
    from stepwatt.formulation import load_schedule as load_schedule
    from stepwatt.learned import foresight as foresight
    from stepwatt.learned import load_policy as load_policy
    from stepwatt.learned import train as train
    from stepwatt.learning_curves import Curves as Curves
    from stepwatt.learning_curves import curves as curves
    from stepwatt.practice import rules as rules
    from stepwatt.registering import register_agent as register_agent
    from stepwatt.registering import register_codec as register_codec
    from stepwatt.registering import register_figure as register_figure
    from stepwatt.registering import register_importer as register_importer
    from stepwatt.registering import register_method as register_method
    from stepwatt.registering import register_policy as register_policy
    from stepwatt.registering import register_reward as register_reward
    from stepwatt.registering import register_scenario as register_scenario
    from stepwatt.registering import register_shaper as register_shaper
    from stepwatt.reports.page import report as report
    from stepwatt.showing import plot as plot
    from stepwatt.showing import to_xarray as to_xarray
    from stepwatt.solvers import METHODS as METHODS
    from stepwatt.solvers import Explanation as Explanation
    from stepwatt.solvers import Result as Result
    from stepwatt.solvers import accounts as accounts
    from stepwatt.solvers import distribute as distribute
    from stepwatt.solvers import explain as explain
    from stepwatt.solving import solve as solve
    from stepwatt.solving import solve_many as solve_many
    from stepwatt.worth.expansion import expansion as expansion
    from stepwatt.worth.levers import levers as levers
    from stepwatt.worth.pareto import pareto as pareto
    from stepwatt.worth.what_if import what_if as what_if
    from stepwatt.worth.where_lost import where_lost as where_lost
    from stepwatt.worth.why import why as why

    __version__: str

install()

_HOME = {
    "sizing": "data",
    "build": "data",
    "fit_quality": "data.importers.quality_fit",
    "Site": "data",
    "Model": "data",
    "JobClass": "data",
    "Grid": "data",
    "Gpus": "data",
    "Generator": "data",
    "Cooling": "data",
    "Clock": "data",
    "Battery": "data",
    "Comparison": "comparing.comparison",
    "Curves": "learning_curves",
    "curves": "learning_curves",
    "Evaluation": "formulation",
    "Explanation": "solvers",
    "InputError": "formulation",
    "Instance": "formulation",
    "METHODS": "solvers",
    "Result": "solvers",
    "SCENARIOS": "data",
    "Schedule": "formulation",
    "Seeds": "comparing.accepted",
    "accounts": "solvers",
    "compare": "comparing.running",
    "complete": "completing",
    "distribute": "solvers",
    "evaluate": "formulation",
    "explain": "solvers",
    "expansion": "worth.expansion",
    "levers": "worth.levers",
    "pareto": "worth.pareto",
    "what_if": "worth.what_if",
    "where_lost": "worth.where_lost",
    "why": "worth.why",
    "foresight": "learned",
    "load": "formulation",
    "load_policy": "learned",
    "load_schedule": "formulation",
    "look": "data",
    "planner": "declared",
    "plot": "showing",
    "policy": "declared",
    "pv_capacity_factor": "data",
    "read_carbon": "data",
    "read_jobs": "data",
    "read_prices": "data",
    "read_weather": "data",
    "report": "reports.page",
    "register_agent": "registering",
    "register_codec": "registering",
    "register_figure": "registering",
    "register_importer": "registering",
    "register_method": "registering",
    "register_policy": "registering",
    "register_reward": "registering",
    "register_scenario": "registering",
    "register_shaper": "registering",
    "rules": "practice",
    "scenario": "data",
    "solve": "solving",
    "solve_many": "solving",
    "to_xarray": "showing",
    "train": "learned",
    "wind_capacity_factor": "data",
}
_ROOMS = ("data", "formulation", "learning", "solvers")

__all__ = [
    "METHODS",
    "SCENARIOS",
    "Battery",
    "Clock",
    "Comparison",
    "Cooling",
    "Curves",
    "Evaluation",
    "Explanation",
    "Generator",
    "Gpus",
    "Grid",
    "InputError",
    "Instance",
    "JobClass",
    "Model",
    "Result",
    "Schedule",
    "Seeds",
    "Site",
    "__version__",
    "build",
    "compare",
    "complete",
    "curves",
    "data",
    "evaluate",
    "expansion",
    "explain",
    "fit_quality",
    "foresight",
    "formulation",
    "learning",
    "levers",
    "load",
    "load_policy",
    "load_schedule",
    "look",
    "pareto",
    "planner",
    "plot",
    "policy",
    "pv_capacity_factor",
    "read_carbon",
    "read_jobs",
    "read_prices",
    "read_weather",
    "register_agent",
    "register_codec",
    "register_figure",
    "register_importer",
    "register_method",
    "register_policy",
    "register_reward",
    "register_scenario",
    "register_shaper",
    "report",
    "rules",
    "scenario",
    "sizing",
    "solve",
    "solve_many",
    "solvers",
    "to_xarray",
    "train",
    "what_if",
    "where_lost",
    "why",
    "wind_capacity_factor",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("stepwatt")
    elif name in _ROOMS:
        value = import_module(f"stepwatt.{name}")
    elif name in _HOME:
        value = getattr(import_module(f"stepwatt.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module 'stepwatt' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
