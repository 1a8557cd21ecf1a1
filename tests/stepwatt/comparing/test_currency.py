"""Money is told in the currency of the file, everywhere, and never added up across currencies."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny

import stepwatt as sw
from stepwatt.cli import run
from stepwatt.formulation import InputError, Instance


def in_euros() -> Instance:
    return Instance.from_dict(tiny.battery().to_dict() | {"currency": "EUR"})


def test_every_table_and_the_report_say_the_currency(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inst = in_euros()
    found = sw.compare(inst, {"greedy": "greedy"}, bound="lp")
    assert "utility, EUR" in found.to_markdown()
    assert "utility, EUR" in found.to_latex()
    found.to_html(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Utilities are EUR" in page
    inst.save(tmp_path / "i.json")
    assert (
        run(["solve", str(tmp_path / "i.json"), "--method", "greedy", "--out", str(tmp_path / "s.json")]) == 0
    )
    assert run(["evaluate", str(tmp_path / "i.json"), str(tmp_path / "s.json")]) == 0
    assert run(["compare", str(tmp_path / "i.json"), "--policy", "greedy"]) == 0
    said = capsys.readouterr().out
    assert "EUR" in said
    assert "USD" not in said


def test_two_currencies_are_not_compared() -> None:
    with pytest.raises(InputError, match="instances of one currency"):
        sw.compare([tiny.battery(), in_euros()], {"greedy": "greedy"})
