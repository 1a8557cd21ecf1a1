"""The fixed set of results notices what changes, and says how much."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.fixed import __main__ as command
from benchmarks.fixed import running
from benchmarks.fixed.differences import ERROR, differences
from benchmarks.fixed.digests import plain, short, summary, text


def amounts(kept: Any, found: Any) -> list[float]:
    return [one.amount for one in differences(kept, found)]


def test_every_bit_and_every_place_counts() -> None:
    values = np.linspace(-1.0, 3.0, 50)
    assert amounts(summary(values), summary(values)) == []
    nudged = values.copy()
    nudged[7] = np.nextafter(nudged[7], 9.0)
    assert 0 < amounts(summary(values), summary(nudged))[0] < 1e-15
    changed = values.copy()
    changed[[3, 4]] = changed[[4, 3]]
    assert amounts(summary(values), summary(changed))[0] > 1e-4
    assert amounts(summary(values), summary(values[:-1])) == [float("inf")]


def test_texts_differ_by_their_numbers_or_by_their_words() -> None:
    first = text("sites: DE 10.0, FR 20.0\n")
    assert amounts(first, text("sites: DE 10.0, FR 20.0\n")) == []
    assert 0.0033 < amounts(first, text("sites: DE 10.0, FR 20.1\n"))[0] < 0.0051
    assert amounts(first, text("sites: DE 10.0, IT 20.0\n")) == [float("inf")]


def test_numbers_are_relative_to_their_size_but_not_to_noise() -> None:
    assert amounts({"a": 100.0}, {"a": 101.0}) == [pytest.approx(1 / 101)]
    assert amounts([1e-13], [2e-13]) == [pytest.approx(1e-7)]
    assert amounts({"a": True}, {"a": 1.5}) == [float("inf")]
    assert amounts({"a": 1}, {"b": 1}) == [float("inf")] * 2


def test_an_error_is_never_as_before() -> None:
    assert amounts(f"{ERROR}lost", f"{ERROR}lost") == [float("inf")]


def test_times_and_places_of_files_are_left_out() -> None:
    assert plain({"seconds": 1.5, "file": "x", "kept": [np.float64(2.0)]}) == {"kept": [2.0]}
    assert short({"few": [1, 2], "many": list(range(99))})["many"]["n"] == 99


def test_the_command_tells_what_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {"solving/a": {"utility": 5.0}, "solving/b": {"utility": 7.0}}
    monkeypatch.setattr(command, "chosen", lambda pattern: {"solving": list(values)})
    monkeypatch.setattr(command, "run", lambda wanted, say: dict(values))
    file = str(tmp_path / "kept.json")
    assert command.main(["--out", file]) == 0
    assert json.loads(Path(file).read_text(encoding="utf-8"))["items"] == values
    assert command.main(["--against", file]) == 0
    values["solving/b"] = {"utility": 7.007}
    capsys.readouterr()
    assert command.main(["--against", file]) == 1
    assert capsys.readouterr().out.startswith("solving/b: 0.000999 in utility: 7.0 -> 7.007\n1 of 2 items")
    assert command.main(["--against", file, "--tolerance", "1e-2"]) == 0
    del values["solving/a"]
    assert command.main(["--against", file, "--tolerance", "1e-2"]) == 1


def test_an_item_that_fails_is_told_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise ValueError("no schedule")

    monkeypatch.setattr(running, "items_of", lambda group: {"bad": fails, "good": lambda: 3})
    file = tmp_path / "answers.jsonl"
    running.main("solving", str(file), ["solving/bad", "solving/good"])
    told = [json.loads(line)[:2] for line in file.read_text(encoding="utf-8").splitlines()]
    assert told == [["solving/bad", f"{ERROR}ValueError: no schedule"], ["solving/good", 3]]


def test_items_are_chosen_by_a_part_of_their_name_or_a_pattern() -> None:
    assert running.meant("solving/fluid/oracle", "fluid")
    assert running.meant("solving/fluid/oracle", "solving/*/oracle")
    assert not running.meant("solving/fluid/lp", "solving/*/oracle")
    groups = running.chosen("")
    assert list(groups) == list(running.GROUPS)
    assert set(running.chosen("trading/")) == {"trading"}


def test_a_pattern_that_names_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--only", "^(solving|planning)", "--list"])
    assert ended.value.code == 2
    assert "names no item" in capsys.readouterr().err
