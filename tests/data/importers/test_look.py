"""``stepwatt data look`` tells what a file is, and what must still be said to read it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stepwatt.cli import run

NAIVE = "timestamp,region,price (EUR/MWh)\n" + "".join(
    f"2025-10-26 {hour:02d}:00,NO1,{40 + n}\n" for n, hour in enumerate([0, 1, 2, 2, 3])
)
EMBER = """Country,Datetime (UTC),Price (EUR/MWhe)
Norway,2025-06-01 00:00:00,55
Norway,2025-06-01 01:00:00,54
France,2025-06-01 00:00:00,31
"""


def test_a_file_is_told_in_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ember.csv"
    path.write_text(EMBER, encoding="utf-8")
    assert run(["data", "look", str(path)]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    for text in (
        "ember: Ember, European wholesale prices (columns Country, Datetime (UTC), Price (EUR/MWhe))",
        "EUR/MWh, times in UTC",
        "2025-06-01T00:00:00+00:00 to 2025-06-01T02:00:00+00:00, 2 steps of 1h; 54 to 55, first 55, 54",
        "line 4 = '2025-06-01T00:00 UTC': expected at least two rows, or how long one stands for",
        "| Country,Datetime (UTC),Price (EUR/MWhe)",
    ):
        assert text in told.out


def test_words_of_reading_are_said_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own.csv"
    path.write_text(NAIVE, encoding="utf-8")
    words = ["time=timestamp", "value=price (EUR/MWh)", "tz=Europe/Oslo", "ambiguous=infer"]
    said = [part for word in words for part in ("--say", word)]
    assert run(["data", "look", str(path), *said, "--json"]) == 0  # whose columns are said needs no layout
    seen = json.loads(capsys.readouterr().out)
    zone = seen["quantities"]["price"]["zones"]["(one)"]
    assert (zone["from"], zone["steps"]) == ("2025-10-26T00:00:00+02:00", 5)
    assert seen["quantities"]["price"]["unit"] == "EUR/MWh"
    assert seen["refused"] == []


def test_what_is_not_known_ends_with_another_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "own.csv"
    path.write_text(NAIVE, encoding="utf-8")
    assert run(["data", "look", str(path)]) == 1
    assert "what columns are: time= and value=, or job_class=" in capsys.readouterr().out
    for command, told in (
        (["data", "look", str(tmp_path / "absent.csv")], "absent.csv: file = 'No such file or directory'"),
        (["data", "look", str(path), "--say", "tz"], "--say = 'tz': expected WORD=VALUE"),
        (["data", "look", str(path), "--say", "timezone=UTC"], "how to read = 'timezone'"),
        (["data", "look", str(path), "--layout", "embers"], "did you mean ember?"),
        (
            ["data", "look", str(path), "--layout", "columns", "--say", "dayfirst=maybe"],
            "expected true or false",
        ),
    ):
        assert run(command) == 2
        error = capsys.readouterr().err
        assert told in error
        assert error.count("\n") == 1
