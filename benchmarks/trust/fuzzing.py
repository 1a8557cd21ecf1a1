"""Inputs that nobody should give, in batches: what each kind of file makes of them, and what breaks."""

from __future__ import annotations

import base64
import json
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from stepwatt.formulation import InputError
from stepwatt.formulation.files import write_text

from .guard import guarded
from .targets import Bases, Drawn, drawn, used

#: Inputs of one item of a campaign.
BATCH = 200


class Fuzzer:
    """Work of a campaign: a batch of inputs, each from the seed and its number."""

    def __init__(self, seed: int, folder: Path, layouts: Path | None = None) -> None:
        self.seed, self.folder, self.layouts = seed, folder, layouts

    def __call__(self, batch: int) -> dict[str, Any]:
        return self.tried(range(batch * BATCH, (batch + 1) * BATCH))

    def tried(self, numbers: range) -> dict[str, Any]:
        """Outcomes by kind, and findings, whose inputs are left in the folder."""
        bases = Bases.made(self.layouts)
        counts: Counter[str] = Counter()
        findings = []
        for number, answer in guarded(lambda n: _one(bases, self.seed, n), numbers):
            if "died" in answer:
                answer = {
                    "outcome": "died",
                    "found": answer["died"],
                    "kind": drawn_input(bases, self.seed, number).kind,
                }
            counts[f"{answer['kind']}: {answer['outcome']}"] += 1
            if "found" in answer:
                findings.append({"check": answer["kind"], "found": answer["found"], "number": number})
                self._leave(bases, number, answer)
        return {"outcomes": counts, "findings": findings, "inputs": len(numbers)}

    def _leave(self, bases: Bases, number: int, answer: dict[str, Any]) -> None:
        given = drawn_input(bases, self.seed, number, answer.get("changes"))
        files = {name: _plain(content) for name, content in given.files.items()}
        left = {**answer, "number": number, "changed": given.changes, "words": given.words, "files": files}
        write_text(self.folder / f"input-{number:07d}.json", json.dumps(left, indent=1) + "\n")


def _plain(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(content).decode()


def drawn_input(bases: Bases, seed: int, number: int, changes: int | None = None) -> Drawn:
    return drawn(bases, np.random.default_rng([seed, number]), changes)


def _one(bases: Bases, seed: int, number: int) -> dict[str, Any]:
    """What comes of an input; of one that breaks something, with as few changes as do."""
    given = drawn_input(bases, seed, number)
    answer = outcome_of(bases, given, number)
    if "found" in answer:
        for fewer in range(1, len(given.changes)):
            less = outcome_of(bases, drawn_input(bases, seed, number, fewer), number)
            if less.get("where") == answer.get("where"):
                return {**less, "changes": fewer}
    return answer


def outcome_of(bases: Bases, given: Drawn, number: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="trust-") as name:
        folder = Path(name)
        for file, content in given.files.items():
            (folder / file).write_bytes(content)
        try:
            outcome = used(bases, given, folder, np.random.default_rng(number))
        except InputError as error:
            told = str(error)
            if len(told.splitlines()) != 1 or not told.isprintable() or ": expected " not in told:
                return {"kind": given.kind, "outcome": "ill told", "found": repr(told)[:400], "where": "told"}
            return {"kind": given.kind, "outcome": "refused"}
        except BaseException as error:
            frames = traceback.extract_tb(error.__traceback__)
            own = [f for f in frames if "trust" not in f.filename] or frames
            where = f"{type(error).__name__} at {Path(own[-1].filename).name}:{own[-1].lineno}"
            found = f"{where}: {error}"[:400].replace(str(folder), "FOLDER")
            stack = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames[-7:]))
            return {"kind": given.kind, "outcome": "broken", "found": found, "where": where, "stack": stack}
    return {"kind": given.kind, "outcome": outcome}
