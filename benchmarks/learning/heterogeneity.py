"""Study d: the same days with one, two and three different models at the three sites.

python -m benchmarks.learning.heterogeneity [--cells 3-models] [--quick]
"""

from __future__ import annotations

from stepwatt.formulation import Instance

from .common import begin, parser
from .days import Spread
from .variations import Case, run_cases

STUDY = "heterogeneity"
#: Which model's figures each model of the scenario takes.
CASES = {
    "1-model": {"SD1.5": "SDXL", "SD3.5": "SDXL"},
    "2-models": {"SD3.5": "SDXL"},
    "3-models": {},
}


def case(taken: dict[str, str]) -> Case:
    """The days with some models' figures replaced by those of others; all else is as it was."""

    def instances(spread: Spread) -> list[Instance]:
        made = []
        for inst in spread.family("test").instances("test", integral=True):
            values = inst.to_dict()
            models = values["models"]
            values["models"] = {name: models[taken.get(name, name)] for name in models}
            made.append(Instance.from_dict(values))
        return made

    return instances


def main() -> None:
    """Run what is missing of the study."""
    chosen = parser(__doc__).parse_args()
    cases = {name: case(taken) for name, taken in CASES.items()}
    if chosen.list:
        print("\n".join(cases))
        return
    run_cases(cases, begin(STUDY, chosen), chosen.cells, chosen.quick)


if __name__ == "__main__":
    main()
