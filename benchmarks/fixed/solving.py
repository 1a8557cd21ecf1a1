"""Every method on every instance, batches, the exchange with its accounts, and why there is no schedule."""

from __future__ import annotations

from typing import Any

import stepwatt as sw

from . import judged
from .digests import short, whole
from .instances import EXAMPLES, JEMAS, instance, too_hot
from .running import Items

GAP = 1e-3
#: Those there were when the results were written down.
METHODS = (
    *("oracle", "lp", "conic", "pyomo", "greedy", "rolling", "local", "fixed-steps", "no-dvfs"),
    *("no-renewables", "no-storage", "no-deferral", "all-off", "random", "distributed"),
)
#: Whole jobs take the plain model minutes.
PYOMO = ("fluid", "example-1", "example-4", "example-7")
#: Searches inside these have limits of their own, in seconds, which a busy machine may reach.
LIMITED = {("distributed", name) for name in ("half-hours", "five-minutes", "engines", "example-3")}
LIMITED |= {("fixed-steps", "example-3")}


def _asked(method: str, name: str) -> bool:
    return (method, name) not in LIMITED and (method != "pyomo" or name in PYOMO)


def _solved(method: str, name: str) -> dict[str, Any]:
    return judged.result(sw.solve(instance(name), method, gap=GAP, time_limit=None))


def _exchange() -> dict[str, Any]:
    from stepwatt.solvers import Settings

    found = sw.distribute(instance("example-5"), Settings(gap=GAP))
    books = sw.accounts(found, Settings(gap=GAP))
    return {
        "rounds": found.rounds,
        "prices": whole(found.prices),
        "lots": whole(found.lots.sent),
        "history": whole(found.history),
        "messages": whole(found.messages),
        "accounts": whole(books.table),
        "fees": whole(books.fees),
        "slack": books.slack,
    }


def _batch() -> list[Any]:
    many = [instance(name) for name in EXAMPLES[:4]]
    found = sw.solve_many(many, "oracle", processes=2, gap=GAP, time_limit=None)
    return [short(judged.result(result)) for result in found]


ITEMS: Items = {
    **{
        f"{name}/{method}": lambda method=method, name=name: _solved(method, name)  # type: ignore[misc]
        for name in (*JEMAS, *EXAMPLES)
        for method in METHODS
        if _asked(method, name)
    },
    "exchange": _exchange,
    "batch": _batch,
    "explained": lambda: short(sw.explain(too_hot()).to_dict()),
    "explained, feasible": lambda: short(sw.explain(instance("example-5")).to_dict()),
    "infeasible": lambda: judged.result(sw.solve(too_hot(), gap=GAP, time_limit=None)),
}
