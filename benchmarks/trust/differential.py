"""One instance after the other, every statement of the model held against every other."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from stepwatt.formulation.files import write_text

from .case import Complaint, told
from .checks import CHECKS, complaints
from .draws import File, drawn_file
from .shrinking import shrunk

#: Seconds for the search of a small instance with the same complaint.
PATIENCE = 60.0


class Trial:
    """Work of a campaign: try the instance of a number; complaints leave a small instance in the folder."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed, self.folder = seed, folder

    def __call__(self, number: int) -> dict[str, Any]:
        file = drawn_file(self.seed, number)
        found = tried(file, number)
        checked = Counter({check.name: 1 for check in CHECKS})
        for name in dict.fromkeys(complaint.check for complaint in found):
            self._leave(number, file, name)
        return {"checks": checked, "findings": [vars(complaint) for complaint in found]}

    def _leave(self, number: int, file: File, check: str) -> None:
        small = shrunk(file, lambda less: bool(tried(less, number, check)), PATIENCE)
        left = {"check": check, "seed": number, "found": [c.found for c in tried(small, number, check)]}
        text = json.dumps({**left, "instance": small}, indent=1) + "\n"
        write_text(self.folder / f"small-{number:06d}-{check}.json", text)


def tried(file: File, seed: int, only: str | None = None) -> list[Complaint]:
    """What does not hold of an instance; a check that breaks down is a complaint, too."""
    try:
        return complaints(file, seed, only)
    except Exception as error:
        return [Complaint(only or "breaks-down", told(error))]
