"""The command: ``python -m benchmarks.trust differential|fuzz|kills [--budget N] [--seed S] [--out FOLDER]``.

The same command goes on; a larger budget goes further. Exit code 1 where something is unexplained.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # many tiny problems: threads would only wait for each other


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a campaign and print its summary; how many findings there are decides the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["kills"]:
        from .kills.command import main as kills

        return kills(words[1:])
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trust", description=__doc__)
    parser.add_argument("what", choices=["differential", "fuzz"])
    parser.add_argument("--budget", type=int, default=100, help="instances, or inputs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/trust"), help="folder of what is kept")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="try what was clean, too")
    parser.add_argument("--layouts", type=Path, help="folder of tables to mutate beside those of the bench")
    parser.add_argument("--write", type=Path, help="page with marks for the summary, as results.md")
    parser.add_argument("--only", type=int, help="the item of this number alone")
    chosen = parser.parse_args(words)

    from .campaign import campaign, summary, write_section

    folder = chosen.out / f"{chosen.what}-{chosen.seed}"
    if chosen.what == "differential":
        from .differential import Trial

        work, items = Trial(chosen.seed, folder), chosen.budget
    else:
        from .fuzzing import BATCH, Fuzzer

        work = Fuzzer(chosen.seed, folder, chosen.layouts)
        items = -(-chosen.budget // BATCH)
    if chosen.only is not None:
        row = work(chosen.only)
        print(*row["findings"], sep="\n")
        return int(bool(row["findings"]))
    rows = campaign(chosen.what, work, items, folder, workers=chosen.workers, again=chosen.again)
    command = f"python -m benchmarks.trust {chosen.what} --budget {chosen.budget} --seed {chosen.seed}"
    lines = list(summary(command, rows))
    print(*lines, sep="\n")
    if chosen.write is not None:
        write_section(chosen.write, chosen.what, lines)
    return int(any(row["findings"] for row in rows))


if __name__ == "__main__":
    from ..telling import told

    sys.exit(told(main))
