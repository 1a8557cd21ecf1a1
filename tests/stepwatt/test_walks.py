"""The walk of an engineer with a project folder, counted: from nothing to a report."""

from __future__ import annotations

from stepwatt.cli import run

COMMANDS = (
    "init oslo",
    "build oslo --out day.json",
    "compare oslo --policy greedy --policy all-off --bound lp",
    "evaluate oslo plan.csv",
)


def test_an_engineer_with_a_project_folder_needs_at_most_five_commands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert len(COMMANDS) <= 5
    (tmp_path / "plan.csv").write_text("slot,site,class,model,steps,jobs\n")
    for command in COMMANDS:
        assert run(command.split()) == 0, capsys.readouterr().err
    assert "greedy" in (tmp_path / "oslo" / "report.html").read_text(encoding="utf-8")
