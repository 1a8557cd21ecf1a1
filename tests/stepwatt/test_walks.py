"""The walks of an engineer, counted: with a project folder, and from files to a report in Python."""

from __future__ import annotations

import inspect

import pytest

import stepwatt as sw
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


def from_files_to_a_report(zone, currency, timezone):
    prices = sw.read_prices("prices.csv", zone=zone)
    jobs = sw.read_jobs("requests.csv", time="arrived", job_class="tier", every="1h", tz=timezone)
    batch = sw.JobClass(quality_price=1e-4, deadline_minutes=360)
    classes = {"urgent": sw.JobClass(quality_price=2e-4, miss_penalty=1e-4), "flexible": batch}
    grid = sw.Grid(import_price=prices, import_limit_mw=0.02)
    site = sw.Site(gpus=sw.Gpus(count=8, kind="H100-SXM"), grid=grid, cooling=sw.Cooling(pue=1.2))
    shape = {"start": "2025-01-14", "slot": "1h", "timezone": timezone, "currency": currency}
    day = sw.build(
        **shape, sites={"home": site}, models=["sdxl-base"], classes=classes, arrivals={"home": jobs}
    )
    sw.compare(day, {"oracle": "oracle", "all-off": "all-off"}).to_html("report.html")
    return day


def entsoe(hour):
    return f'"14/01/2025 {hour:02}:00:00 - {clock(hour + 1)}","BZN|DE-LU","Sequence 1","{50 + hour}.00"'


def clock(hour):
    return f"{14 + hour // 24}/01/2025 {hour % 24:02}:00:00"


def gridstatus(hour):
    begin = f"2025-01-14 {hour:02}:00:00-06:00"
    end = f"2025-01-{14 + (hour + 1) // 24} {(hour + 1) % 24:02}:00:00-06:00"
    return f"{begin},{begin},{end},HB_NORTH,Trading Hub,REAL_TIME_HOURLY,{50 + hour}.0"


FILES = {
    "ENTSO-E": ('"MTU (CET/CEST)","Area","Sequence","Day-ahead Price (EUR/MWh)"', entsoe),
    "gridstatus": ("Time,Interval Start,Interval End,Location,Location Type,Market,SPP", gridstatus),
}
PLACES = {"ENTSO-E": ("DE-LU", "EUR", "Europe/Berlin"), "gridstatus": ("HB_NORTH", "USD", "America/Chicago")}


@pytest.mark.parametrize("layout", FILES)
def test_from_prices_and_a_request_log_to_a_report_takes_at_most_twelve_lines(layout, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    header, row = FILES[layout]
    (tmp_path / "prices.csv").write_text("\n".join([header, *map(row, range(24))]) + "\n", encoding="utf-8")
    requests = [
        f"2025-01-14 {t // 60:02}:{t % 60:02},{tier}" for t in range(1440) for tier in ("urgent", "flexible")
    ]
    (tmp_path / "requests.csv").write_text("\n".join(["arrived,tier", *requests]) + "\n", encoding="utf-8")
    day = from_files_to_a_report(*PLACES[layout])
    lines = inspect.getsource(from_files_to_a_report).splitlines()
    assert 1 + len(lines) - 2 <= 12  # with the import; the first and the last are the test's
    a = day.arrays()
    assert a.import_price[0].tolist() == [50.0 + hour for hour in range(24)]
    assert a.arrivals[0].tolist() == [[60.0] * 24] * 2
    assert "oracle" in (tmp_path / "report.html").read_text(encoding="utf-8")
