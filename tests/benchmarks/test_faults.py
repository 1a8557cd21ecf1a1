"""The page of trust names, for each of the 41 faults, tests that there are."""

from __future__ import annotations

import re

from places import ROOT

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def rows() -> dict[int, str]:
    page = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
    return {int(number): row for number, row in re.findall(r"^\| (\d+) \|(.*)$", page, re.MULTILINE)}


def test_every_fault_is_held_by_tests_that_there_are() -> None:
    found = rows()
    assert list(found) == list(range(1, 42))
    for number, row in found.items():
        named = NAMED.findall(row)
        assert named, number
        for file, name in named:
            text = (ROOT / file).read_text(encoding="utf-8")
            assert re.search(rf"^ *def {name}\(", text, re.MULTILINE), (number, file, name)
