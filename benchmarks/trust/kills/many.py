"""``python -m benchmarks.trust.kills.many FILE``: days solved by two workers, utilities in a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import stepwatt as sw
from stepwatt.formulation.files import write_text


def main() -> None:
    """Solve and write; what failed says why."""
    days = [sw.scenario("jemas", start=f"2018-06-{day}", n_slots=4, slot_minutes=60) for day in range(12, 18)]
    found = sw.solve_many(days, "lp", processes=2, on_error="keep")
    told = [{"utility": one.utility} if isinstance(one, sw.Result) else {"error": str(one)} for one in found]
    write_text(Path(sys.argv[1]), json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
