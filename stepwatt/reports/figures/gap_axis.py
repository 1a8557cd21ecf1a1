"""An axis that tells gaps of 0.01 % apart beside one of 40 %."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import Any

#: The widest ratio of gaps (in %) that a plain axis shows, and the least gap that a logarithmic one does.
_PLAIN_RATIO, _LEAST = 30.0, 0.001


def gap_scale(gaps: Sequence[float]) -> tuple[dict[str, Any], float]:
    """The axis for gaps in %, and the least gap that it shows: logarithmic where the gaps differ much."""
    above = [gap for gap in gaps if gap > _LEAST]
    if not above or max(above) <= _PLAIN_RATIO * min(above):
        least, most = min([0.0, *gaps]), max([_LEAST, *gaps])
        # from a little before zero: a dot there covers no name
        return {"range": [least - 0.03 * (most - least), most + 0.08 * (most - least)]}, least
    tens = [10.0**power for power in range(round(log10(_LEAST)), 10)]
    ticks = [ten for ten in tens if ten <= 3 * max(above)]
    while len(ticks) > 1 and ticks[1] <= min(above) and min(gaps) > ticks[1]:
        del ticks[0]
    named = [f"{tick:g}" for tick in ticks]
    if ticks[0] == _LEAST:
        named[0] = f"≤ {named[0]}"
    ends = [log10(ticks[0]) - 0.15, log10(max(*above, ticks[-1])) + 0.1]
    return {"type": "log", "range": ends, "tickvals": ticks, "ticktext": named}, ticks[0]
