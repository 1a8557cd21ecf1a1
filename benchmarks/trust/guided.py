"""Fuzzing that keeps what reaches new code: ``python -m benchmarks.trust.guided KIND --budget N``.

libFuzzer through atheris (``pip install atheris``), with the bench's own changes as its mutator: inputs that
reach a new branch of the package are changed again, so that changes add up. ``--blind`` measures what inputs
of :mod:`.fuzzing` reach, for comparison.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import atheris  # type: ignore[import-not-found]
import numpy as np

ROOT = Path(__file__).resolve().parents[2]

#: Modules to import beforehand, since functions import them when they are called.
WATCHED = ("stepwatt.formulation", "stepwatt.scores", "stepwatt.streaming", "stepwatt.solvers")


def _compiled() -> list[str]:
    """Modules whose functions must stay as they were written, since they are compiled."""
    found = (ROOT / "solvers" / "response").rglob("*.py")
    return [".".join(("stepwatt", *file.relative_to(ROOT).with_suffix("").parts)) for file in found]


with atheris.instrument_imports(include=["stepwatt"], exclude=_compiled(), enable_loader_override=False):
    for _package in WATCHED:
        for _module in walk_packages(getattr(import_module(_package), "__path__", ()), f"{_package}."):
            import_module(_module.name)
    from .bases import Bases, Drawn
    from .fuzzing import drawn_input, outcome_of
    from .inputs import any_instance
    from .mutations import as_text, damaged, mild, mutated

#: Kinds of one JSON file, and its name.
FILES = {
    "instance": "instance.json",
    "schedule": "schedule.json",
    "comparison": "comparison.json",
    "state": "state.json",
}
LIMITS = ("-timeout=60", "-rss_limit_mb=4096", "-max_len=100000", "-print_final_stats=1")


def changed(data: bytes, largest: int, seed: int) -> bytes:
    """A file with one more change, which mostly keeps it what it is."""
    rng = np.random.default_rng(seed)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return damaged(rng, data)[0][:largest]
    value, _ = (mild if rng.random() < 0.5 else mutated)(rng, value)
    content = as_text(rng, value)[0]
    return content if len(content) <= largest else data


def starts(bases: Bases, kind: str, seed: int, count: int) -> list[bytes]:
    """Valid files."""
    if kind == "instance":
        rng = np.random.default_rng(seed)
        return [json.dumps(any_instance(bases, rng)).encode() for _ in range(count)]
    return [json.dumps(getattr(bases, kind)).encode()]


def blind(bases: Bases, kind: str, seed: int, count: int) -> list[bytes]:
    """The first inputs of that kind of :mod:`.fuzzing`."""
    found: list[bytes] = []
    number = 0
    while len(found) < count:
        given = drawn_input(bases, seed, number)
        number += 1
        if given.kind == kind:
            found.append(given.files[FILES[kind]])
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Fuzz until the budget is spent; libFuzzer ends the process. Findings lie in the folder."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trust.guided", description=__doc__)
    parser.add_argument("kind", choices=sorted(FILES))
    parser.add_argument("--budget", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/trust"))
    parser.add_argument("--blind", action="store_true", help="only inputs of the fuzzer, nothing guided")
    chosen = parser.parse_args(arguments)
    kind = chosen.kind
    folder = chosen.out / f"{'blind' if chosen.blind else 'guided'}-{kind}-{chosen.seed}"
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    bases = Bases.made()
    first = (
        blind(bases, kind, chosen.seed, chosen.budget)
        if chosen.blind
        else starts(bases, kind, chosen.seed, 20)
    )
    for content in first:
        (corpus / f"{zlib.crc32(content):08x}").write_bytes(content)

    def one(data: bytes) -> None:
        number = zlib.crc32(data)
        answer = outcome_of(bases, Drawn(kind, {FILES[kind]: data}), number)
        if "found" in answer:
            (folder / f"found-{number:08x}").write_bytes(data)
            print(f"guided {kind} {number:08x}: {answer['found']}", flush=True)

    runs = 0 if chosen.blind else chosen.budget
    words = [
        sys.argv[0],
        *LIMITS,
        f"-seed={chosen.seed + 1}",
        f"-runs={runs}",
        f"-artifact_prefix={folder}/",
        str(corpus),
    ]
    atheris.Setup(words, one, custom_mutator=changed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
