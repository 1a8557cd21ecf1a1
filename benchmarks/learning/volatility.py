"""Study c: prices that swing half, once, twice and four times as much about their mean.

python -m benchmarks.learning.volatility [--cells volatility-2] [--quick]
"""

from __future__ import annotations

from dataclasses import replace

from stepwatt.formulation import Instance

from .common import begin, parser
from .days import Spread
from .variations import Case, run_cases

STUDY = "volatility"
FACTORS = (0.5, 1.0, 2.0, 4.0)


def case(factor: float) -> Case:
    """The days with deviations of prices from their mean multiplied by the factor."""

    def instances(spread: Spread) -> list[Instance]:
        varied = replace(spread, parameters={**spread.parameters, "volatility": factor})
        return varied.family("test").instances("test", integral=True)

    return instances


def main() -> None:
    """Run what is missing of the study."""
    chosen = parser(__doc__).parse_args()
    cases = {f"volatility-{factor:g}": case(factor) for factor in FACTORS}
    if chosen.list:
        print("\n".join(cases))
        return
    run_cases(cases, begin(STUDY, chosen), chosen.cells, chosen.quick)


if __name__ == "__main__":
    main()
