"""``what_if``: variants of an instance side by side, each held against the instance as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.arguments import table
from stepwatt.formulation.instance.given import the_instance
from stepwatt.solvers import Result
from stepwatt.solvers.interface.settings import Progress, Settings
from stepwatt.solvers.optimum.levers import difference
from stepwatt.solvers.optimum.oracle import oracle

from ..console import Waited, told_progress
from .levers import DAYS_A_YEAR
from .one_by_one import one_by_one

if TYPE_CHECKING:
    import pandas as pd

AS_IT_IS = "as it is"
#: Metrics that the table shows.
_TOLD = ("energy_mwh", "carbon_t", "miss_rate", "mean_steps")


@dataclass(frozen=True)
class WhatIf:
    """The certified optimum of the instance and of each variant, by name; ``as it is`` comes first.

    ``table`` has one row per variant: utility and bound of the horizon, ``low`` and ``high`` of what the
    change is worth a day and a year, energy, carbon, missed jobs. Variants are never averaged.
    """

    results: Mapping[str, Result]

    @property
    def currency(self) -> str:
        """What money is counted in."""
        return self.results[AS_IT_IS].instance.currency

    @property
    def table(self) -> pd.DataFrame:
        """One row per variant."""
        import pandas as pd

        return pd.DataFrame([self._row(name) for name in self.results]).set_index("variant")

    def _row(self, name: str) -> dict[str, object]:
        base, found = self.results[AS_IT_IS], self.results[name]
        inst = found.instance
        a_day = 24 / (inst.n_slots * inst.slot_hours)
        worth = difference(found, base)
        low, high = (0.0, 0.0) if name == AS_IT_IS else (a_day * worth.low, a_day * worth.high)
        metrics = {} if found.evaluation is None else found.evaluation.metrics
        told = {
            key: metrics.get(key, np.nan) for key in ("energy_mwh", "carbon_t", "miss_rate", "mean_steps")
        }
        return {
            "variant": name,
            "utility": np.nan if found.utility is None else found.utility,
            "bound": np.nan if found.bound is None else found.bound,
            "low": low,
            "high": high,
            "low_year": DAYS_A_YEAR * low,
            "high_year": DAYS_A_YEAR * high,
            **told,
            "status": str(found.status),
        }

    def __repr__(self) -> str:
        return f"<WhatIf of {self.results[AS_IT_IS].instance.name!r}: {', '.join(self.results)}>"

    def _repr_html_(self) -> str:
        """The table, for notebooks."""
        return self.table.to_html(float_format="{:,.4g}".format)


def what_if(
    inst: Instance,
    variants: Mapping[str, Mapping[str, Any]],
    *,
    gap: float = 1e-4,
    time_limit: float | None = 300.0,
    workers: int = 1,
    progress: Waited = None,
) -> WhatIf:
    """What changes of an instance are worth, certified.

    ``sw.what_if(inst, {"bigger battery": {"sites.DE.battery.energy_mwh": 1.0}}).table``; paths as in
    :meth:`Instance.replace`.

    Args:
        inst: the instance as it is.
        variants: what is changed, by name.
        gap: to which optima are certified.
        time_limit: seconds of a solve.
        workers: variants in work at a time.
        progress: called with the share done and what was done; if not given, a line is shown where a person
            waits (a terminal, a notebook), and not if it is False.

    Raises:
        InputError: no variant, a name that is taken, or a path or value that does not fit, named with its
            variant.
    """
    the_instance(inst)
    if not isinstance(variants, Mapping) or not variants or AS_IT_IS in variants:
        expected = f"at least one variant, none of them named {AS_IT_IS!r}"
        raise InputError(field="variants", value=variants, expected=expected)
    table(variants, "variants")
    made = {AS_IT_IS: inst}
    for name, changes in variants.items():
        try:
            made[name] = inst.replace(changes)
        except InputError as error:
            raise error.inside(f"variants.{name}") from None
    if any(one.currency != inst.currency for one in made.values()):
        raise InputError(field="variants", value="currency", expected=f"money in {inst.currency}, as it is")
    effort = Settings(gap=gap, time_limit=time_limit)
    with told_progress("what-if", progress) as told:
        results = one_by_one(partial(_solved, effort), made, workers, told)
    return WhatIf(dict(zip(made, results, strict=True)))


def _solved(effort: Settings, told: Progress, inst: Instance) -> Result:
    return oracle(inst, replace(effort, progress=told))
