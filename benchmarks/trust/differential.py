"""One instance after the other, every statement of the model held against every other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stepwatt.formulation.files import write_text

from .case import Case, Complaint, told
from .checks import complaints
from .draws import File, drawn
from .shrinking import shrunk

#: Seconds for the search of a small instance with the same complaint.
PATIENCE = 60.0
#: What a check is called that ends in an error.
BREAKS = "breaks-down"


class Trial:
    """Work of a campaign: try the instance of a number; complaints leave a small instance in the folder."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed, self.folder = seed, folder

    def __call__(self, number: int) -> dict[str, Any]:
        file, features = drawn(self.seed, number)
        extreme = "extreme" in features
        found, case = tried(file, number, extreme=extreme)
        for name in dict.fromkeys(complaint.check for complaint in found):
            self._leave(number, file, name, extreme)
        row: dict[str, Any] = {"features": dict.fromkeys(features, 1)}
        if case is not None:
            row |= {"members": dict.fromkeys(case.methods, 1), "compared": case.compared}
        return row | {"findings": [vars(complaint) for complaint in found]}

    def _leave(self, number: int, file: File, check: str, extreme: bool) -> None:
        def complaints_of(less: File) -> list[Complaint]:
            return tried(less, number, check, extreme=extreme)[0]

        small = shrunk(file, lambda less: bool(complaints_of(less)), PATIENCE)
        left = {"check": check, "seed": number, "found": [c.found for c in complaints_of(small)]}
        text = json.dumps({**left, "instance": small}, indent=1) + "\n"
        write_text(self.folder / f"small-{number:06d}-{check}.json", text)


def tried(
    file: File, seed: int, only: str | None = None, *, extreme: bool = False
) -> tuple[list[Complaint], Case | None]:
    """What does not hold of an instance, and the case; a check that breaks down is a complaint, too."""
    case = None
    try:
        case = Case(file, seed, extreme=extreme)
        return complaints(case, None if only == BREAKS else only), case
    except Exception as error:
        return [Complaint(only or BREAKS, told(error))], case
