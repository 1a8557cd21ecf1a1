"""The report: one file, no network, every figure drawable, numbers of the judge, names taken as text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from places import EXAMPLES

import stepwatt as sw
from stepwatt.reports import figures
from stepwatt.reports.figures.registry import FIGURES
from stepwatt.reports.page import html
from stepwatt.reports.tables import money, percent, share


class Page(HTMLParser):
    """What a browser would fetch or run, and the places where figures go."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.places: list[str] = []
        self.scripts: list[str] = []
        self.tags: list[str] = []
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.fetched += [value for name, value in attrs if name in ("src", "href") and value]
        if given.get("class") == "plot":
            self.places.append(given["id"] or "")
        self._inside = tag == "script"
        if self._inside:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[-1] += data


def figures_of(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    loaded: dict[str, Any] = json.loads(found.group(1), parse_constant=pytest.fail)
    return loaded


@pytest.fixture(scope="module")
def comparison() -> sw.Comparison:
    inst = sw.scenario("jemas", start="2018-06-12T16:00", n_slots=6)
    return sw.compare(inst, {"oracle": "oracle", "lp": "lp", "greedy": "greedy", "all-off": "all-off"})


@pytest.fixture(scope="module")
def page(comparison: sw.Comparison) -> str:
    return html(comparison)


def test_one_file_that_needs_no_network(page: str) -> None:
    seen = Page(page)
    assert seen.fetched == []
    assert not {"link", "img", "iframe"} & set(seen.tags)
    assert page.count("* plotly.js v") == 1
    assert "@import" not in page.partition("</style>")[0]


def test_every_place_has_a_figure_and_every_figure_a_place(page: str) -> None:
    assert sorted(Page(page).places) == sorted(figures_of(page))
    subjects = {key.partition("-")[2] for key in figures_of(page)}
    assert subjects == {name for name, figure in FIGURES.items() if figure.needs != "several"}


def test_every_figure_is_one_that_plotly_knows(page: str) -> None:
    for figure in figures_of(page).values():
        go.Figure(figure)


def test_table_quotes_the_judge(page: str, comparison: sw.Comparison) -> None:
    table = page.partition("<tbody>")[2].partition("</tbody>")[0]
    for policy in ("oracle", "greedy", "all-off"):
        judged = comparison.cases[0].entry(policy).evaluation
        assert judged is not None
        assert f">{money(judged.utility)}<" in table
        assert f">{percent(comparison.table.at[policy, 'gap'])}<" in table


def test_the_strongest_planner_is_highlighted_and_relaxations_are_bounds(page: str) -> None:
    table = page.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = {row.partition("<b>")[2].partition("</b>")[0]: row for row in table.split("<tr ")[1:]}
    assert [name for name, row in rows.items() if "strongest" in row.partition(">")[0]] == ["greedy"]
    assert "≤" in rows["lp"]


def test_supply_and_use_in_the_dispatch_figure_cancel(comparison: sw.Comparison) -> None:
    case = comparison.cases[0]
    entry = case.entry("oracle")
    assert entry.schedule is not None
    assert entry.evaluation is not None
    figure = figures.dispatch_panel(figures.Shown(case.instance, entry.schedule, entry.evaluation)).figure
    assert figure is not None
    for axis in {trace["yaxis"] for trace in figure["data"]}:
        flows = [trace["y"] for trace in figure["data"] if trace["yaxis"] == axis]
        assert np.sum(flows, axis=0) == pytest.approx(0, abs=1e-4)


def test_step_histogram_counts_every_job_once(comparison: sw.Comparison) -> None:
    case = comparison.cases[0]
    entry = case.entry("oracle")
    assert entry.schedule is not None
    figure = figures.steps_panel(figures.Shown(case.instance, entry.schedule, entry.evaluation)).figure
    assert figure is not None
    assert sum(sum(trace["y"]) for trace in figure["data"]) == pytest.approx(
        entry.schedule.runs.sum(), rel=1e-4
    )


def test_money_bars_add_up_to_the_utility(comparison: sw.Comparison) -> None:
    figure = figures.money_panel(comparison).figure
    assert figure is not None
    *terms, utility = figure["data"]
    assert np.sum([trace["x"] for trace in terms], axis=0) == pytest.approx(utility["x"], rel=1e-3)
    assert "lp" not in utility["y"]


def test_times_are_the_instances_own() -> None:
    file = json.loads((EXAMPLES / "example-0.json").read_text(encoding="utf-8"))
    inst = sw.Instance.from_dict(file | {"start": "2024-03-31T22:00:00+02:00"})
    axis = figures.panel.times(inst)
    assert axis == {"x0": "2024-03-31 22:00:00", "dx": inst.slot_hours * 3_600_000}
    assert figures.panel.zone_label(inst) == "UTC+02:00"


@pytest.mark.parametrize("number", range(8))
def test_every_feature_of_the_model_can_be_shown(number: int, tmp_path: Path) -> None:
    """Sites without battery or cooling decision, with generators, one slot, fluid jobs."""
    inst = sw.load(EXAMPLES / f"example-{number}.json")
    result = sw.solve(inst, gap=1e-3)
    sw.report(result, tmp_path / "report.html")
    for figure in figures_of((tmp_path / "report.html").read_text(encoding="utf-8")).values():
        go.Figure(figure)


def test_names_from_files_are_text_not_markup(tmp_path: Path) -> None:
    nasty = '</script><img src=x onerror="alert(1)">{{7*7}}'
    text = (EXAMPLES / "example-0.json").read_text(encoding="utf-8")
    site = next(iter(json.loads(text)["sites"]))
    inst = sw.Instance.from_dict(json.loads(text.replace(json.dumps(site), json.dumps(nasty))))
    found = sw.compare(inst, {nasty: "greedy"}, bound="lp")
    text = html(found)
    clean = html(sw.compare(sw.load(EXAMPLES / "example-0.json"), {"x": "greedy"}, bound="lp").scores)
    assert Page(text).fetched == []
    assert Page(text).tags.count("script") == Page(clean).tags.count("script")
    assert Page(text).places == Page(clean).places


def test_a_broken_schedule_is_shown_with_its_flag_and_without_a_score() -> None:
    inst = sw.scenario("jemas", n_slots=2)
    schedule = sw.Schedule.idle(inst.arrays())
    schedule.export_mw[0, 0] = 0.01
    text = html(sw.compare(inst, {"mine": schedule}, bound="lp").scores)
    assert "breaks balance by 0.01" in text
    table = text.partition("<tbody>")[2].partition("</tbody>")[0]
    assert money(sw.evaluate(inst, schedule).utility) not in table


def test_infeasible_instance_gives_a_page_without_figures_of_schedules() -> None:
    hot = json.loads(json.dumps(sw.scenario("jemas", n_slots=2).to_dict()))
    for site in hot["sites"].values():
        site["cooling"] |= {"initial_c": 60.0, "max_power_mw": 0.0}
    result = sw.solve(sw.Instance.from_dict(hot))
    assert result.schedule is None
    from stepwatt.reports.page import comparison_of

    text = html(comparison_of(result))
    assert "no schedule" in text
    assert Page(text).places == []


def test_comparison_of_several_instances_shows_the_chosen_one(tmp_path: Path) -> None:
    instances = [sw.scenario("jemas", start=start, n_slots=2) for start in ("2018-06-12", "2018-06-13")]
    found = sw.compare(instances, {"greedy": "greedy"}, bound="lp")
    found.to_html(tmp_path / "report.html", number=1)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "One of 2 instances" in text
    assert f"<h1>{instances[1].name}</h1>" in text
    with pytest.raises(sw.InputError, match="number = 2"):
        sw.report(found, tmp_path / "report.html", number=2)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.1234, "12.34 %"), (4.77e-5, "0.0048 %"), (-3e-6, "-0.00030 %"), (-1e-12, "0.00 %"), (0.0, "0.00 %")],
)
def test_small_gaps_keep_their_size(value: float, shown: str) -> None:
    assert percent(value) == shown


def test_few_missed_jobs_are_not_none() -> None:
    assert (share(0.0), share(1e-7), share(0.02)) == ("0.00 %", "< 0.01 %", "2.00 %")
