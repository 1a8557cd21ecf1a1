"""The dual of every row of a relaxation, by the name of its constraint in the Pyomo model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.milp.linear_problem import LinearProblem

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


class Duals(Mapping[str, "pd.Series | float"]):
    """``duals["link"]["a", "b", 3]``: what the utility gains per unit more on the right-hand side, USD.

    A Series for each constraint of the Pyomo model, over its index there, a user's own included; a number
    for a constraint without index. Units are USD per unit of the row as :func:`..pyomo_model` states it.
    """

    def __init__(self, problem: LinearProblem, row_dual: Floats) -> None:
        self._rows = {name: (block.labels(), row_dual[block.ids]) for name, block in problem.rows.items()}

    def __getitem__(self, name: str) -> pd.Series | float:
        import pandas as pd

        labels, values = self._rows[name]
        if labels == [()]:
            return float(values[0])
        if values.ndim == 2:
            labels = [(*label, t) for label in labels for t in range(values.shape[1])]
        alone = all(len(label) == 1 for label in labels)
        index = pd.Index([label[0] for label in labels]) if alone else pd.MultiIndex.from_tuples(labels)
        return pd.Series(values.ravel(), index=index, name=name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"<Duals of {', '.join(self)}>"
