"""The report: one file, no network, every figure drawable, numbers of the judge, names taken as text."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from pages import Page, figures_of, unpacked
from places import EXAMPLES

import stepwatt as sw
from stepwatt.reports import figures, why
from stepwatt.reports import page as pages
from stepwatt.reports.figures.gap_axis import gap_scale
from stepwatt.reports.figures.registry import FIGURES
from stepwatt.reports.library import packed_library
from stepwatt.reports.page import html
from stepwatt.reports.summary import amount, cards, lever_ends, sentences
from stepwatt.reports.tables import cells, money, percent, share
from stepwatt.scores.scores import Scores


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
    assert "* plotly.js (cartesian - minified) v" in unpacked(page, "library")
    assert "@import" not in page.partition("</style>")[0]


def test_every_place_has_a_figure_and_every_figure_a_place(page: str) -> None:
    assert sorted(Page(page).places) == sorted(figures_of(page))
    subjects = {key.split("-", 2)[2] for key in figures_of(page)}
    assert subjects == {name for name, figure in FIGURES.items() if figure.needs != "several"}


def test_a_page_of_a_day_is_small(page: str) -> None:
    assert len(page.encode()) < 1_000_000


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


def test_what_the_time_limit_ended_is_said(comparison: sw.Comparison) -> None:
    """A planner that was not done looks worse than it is, a relaxation that was not done bounds nothing."""
    (case,) = comparison.cases
    stopped = [case.entries[0].policy, next(e.policy for e in case.entries if e.kind == "bound")]
    entries = [replace(e, status="time_limit") if e.policy in stopped else e for e in case.entries]
    found = replace(comparison, cases=(replace(case, entries=tuple(entries)),))
    notes = {row[0]: row[-1] for row in cells(found.scores)}
    assert {policy: note for policy, note in notes.items() if note} == dict.fromkeys(stopped, "time limit")
    assert "time limit" in found._repr_html_()
    assert "with more it may do better" in html(found.scores)
    assert "with more it may do better" not in html(comparison.scores)


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
    assert [name for name in ("all", "s0", "s1") if f'<option value="{name}"' in text] == ["all", "s0", "s1"]
    details = {place.partition("-")[0] for place in figures_of(text) if "-d0-" in place}
    assert details == {"s0", "s1"}
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


def test_the_page_opens_with_what_it_comes_to_in_money(comparison: sw.Comparison) -> None:
    first, planner = sentences(comparison.scores)
    utility = comparison.table["utility"]
    more = f"{amount(utility['oracle'] - utility['all-off'])} USD more than all levers off"
    assert f"all levers off {amount(utility['all-off'])} USD" in first
    assert f"the optimum {amount(utility['oracle'])} USD, {more}" in first
    assert "greedy" in planner
    text = html(comparison)
    assert text.index("In money") < text.index("Policies against the bound")


def test_levers_are_told_between_proven_ends_or_as_a_difference(tmp_path: Path) -> None:
    inst = sw.scenario("jemas", start="2018-11-14T15:00", n_slots=6, slot_minutes=60)
    policies = {"oracle": "oracle", "local": "local", "no-storage": "no-storage"}
    found = sw.compare(inst, policies, gap=0.02)
    found.save(tmp_path / "comparison.json")
    scores = sw.Comparison.load(tmp_path / "comparison.json").scores
    ends = lever_ends(scores, "oracle", "local")
    best, without = (sw.solve(inst, method, gap=1e-5).utility for method in ("oracle", "local"))
    assert ends is not None
    assert best is not None
    assert without is not None
    assert 0 <= ends[0] - 1e-3 <= best - without <= ends[1] + 1e-3
    assert f"sending jobs to other sites {amount(ends[0])} to {amount(ends[1])}" in levers_told(scores)
    assert "by proven bounds" in levers_told(scores)

    case = scores.cases[0]
    unproven = [replace(entry, restricted_bound=None) for entry in case.entries]
    scores = Scores((replace(case, entries=tuple(unproven)),), scores.reference)
    lost = scores.table.at["oracle", "utility"] - scores.table.at["local", "utility"]
    assert f"sending jobs to other sites {amount(lost)}" in levers_told(scores)
    assert "as the difference of two schedules" in levers_told(scores)


def levers_told(scores: Scores) -> str:
    return list(sentences(scores))[-1]


@pytest.fixture(scope="module")
def explained(comparison: sw.Comparison) -> str:
    return html(comparison.scores, why=True)


def test_every_slot_and_site_of_a_schedule_has_its_reason(comparison: sw.Comparison, explained: str) -> None:
    case = comparison.cases[0]
    held = json.loads(unpacked(explained, "r-s0"))
    assert held["frame"]["slots"] == case.instance.n_slots
    assert held["frame"]["sites"] == list(case.instance.sites)
    shown = tabs(explained)
    assert sorted(held["of"]) == [f"s0-d{n}" for n in range(len(shown))]
    entry = case.entry("greedy")
    assert entry.schedule is not None
    told = held["of"][f"s0-d{shown.index('greedy')}"]
    for slot in (0, 5):
        for number, site in enumerate(case.instance.sites):
            full = sw.why(entry.schedule, case.instance, slot=slot, site=site, certify="prices")
            lines = [line for reason in full.reasons for line in reason.lines()]
            assert f"power {full.prices['power']:.2f} USD/MWh" in told[number][slot][0]
            assert set(told[number][slot][1:]) <= set(lines)
            assert any(site in line for line in told[number][slot][1:])


def test_the_dearest_decisions_stand_with_their_sum(comparison: sw.Comparison, explained: str) -> None:
    case = comparison.cases[0]
    entry, best = case.entry("greedy"), case.entry("oracle")
    assert entry.schedule is not None
    assert best.schedule is not None
    found = sw.where_lost(case.instance, entry.schedule, best.schedule)
    dearest = found.decisions[found.decisions["loss"] >= 0.005].head(10)
    lost = explained.partition("<b>greedy</b>: ")[2].partition("Where it loses")[2]
    total = money(found.decisions["loss"].sum())
    assert f"{money(dearest['loss'].sum())} of the {total} USD" in " ".join(lost.split())
    for row in dearest.to_dict("records"):
        assert f">{row['item']}</td>" in lost
        assert f">{money(row['loss'])}</td>" in lost


def test_reasons_are_there_if_asked_for_and_if_they_fit(
    comparison: sw.Comparison, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 'class="reasons"' not in page
    assert "Where it loses" not in page
    with monkeypatch.context() as few:
        few.setattr(why, "MOST_REASONS", 17)
        text = html(comparison.scores, why=True)
    assert "Reasons are left out: 6 slots at 3 sites" in text
    assert "Where it loses" in text
    monkeypatch.setattr(pages, "LARGEST", len(page.encode()))
    text = html(comparison.scores, why=True)
    assert "the page has no room for them" in " ".join(text.split())
    assert 'class="reasons"' not in text


def test_a_schedule_that_breaks_a_constraint_is_not_explained() -> None:
    inst = sw.scenario("jemas", n_slots=2)
    schedule = sw.Schedule.idle(inst.arrays())
    schedule.export_mw[0, 0] = 0.01
    text = html(sw.compare(inst, {"mine": schedule}, bound="lp").scores, why=True)
    assert "A schedule that breaks a constraint is not explained." in text


def test_own_policies_are_shown_in_detail_and_others_if_named(comparison: sw.Comparison) -> None:
    inst = comparison.cases[0].instance
    own = sw.compare(inst, {"mine": comparison.cases[0].entry("greedy").schedule, "random": "random"})
    assert tabs(html(own.scores)) == ["mine", "random"]
    assert tabs(html(own.scores, detail=["random"])) == ["random"]
    with pytest.raises(sw.InputError, match="detail = 'other'"):
        html(own.scores, detail=["other"])


def tabs(page: str) -> list[str]:
    return re.findall(r'role="tabpanel"[^>]*>\n<p class="words"><b>([^<]*)</b>', page)


def test_cards_and_table_have_the_same_scope() -> None:
    days = [sw.scenario("jemas", start=start, n_slots=2) for start in ("2018-06-12", "2018-06-13")]
    found = sw.compare(days, {"greedy": "greedy"}, bound="lp").scores
    (value, *_), *_ = cards(found)
    assert value == f"{money(found.table.at['greedy', 'utility'])} USD"
    page = html(found)
    for case in found.cases:
        judged = case.entry("greedy").evaluation
        assert judged is not None
        assert f"<b>{money(judged.utility)} USD</b>" in page


def test_a_page_of_many_days_stays_within_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    days = [sw.scenario("jemas", start=f"2018-06-{day}", n_slots=2) for day in (11, 12, 13)]
    found = sw.compare(days, {"greedy": "greedy"}, bound="lp").scores
    whole = html(found)
    monkeypatch.setattr(pages, "LARGEST", len(whole.encode()) - 1000)
    less = html(found, number=1)
    assert len(less.encode()) < len(whole.encode())
    assert [f'<option value="s{place}"' in less for place in range(3)] == [True, True, False]
    assert "room for 2 single instances" in less


def test_gaps_of_all_sizes_are_told_apart() -> None:
    scale, least = gap_scale([0.0046, 0.1, 39.5])
    assert scale["type"] == "log"
    assert scale["ticktext"] == ["≤ 0.001", "0.01", "0.1", "1", "10", "100"]
    assert least == pytest.approx(0.001)
    plain = gap_scale([0.0, 2.0])[0]
    assert plain["range"][0] < 0 < 2 < plain["range"][1]


def test_arrows_are_the_jobs_that_leave_home(comparison: sw.Comparison) -> None:
    case = comparison.cases[0]
    entry = case.entry("oracle")
    assert entry.schedule is not None
    assert entry.evaluation is not None
    figure = figures.flows_panel(figures.Shown(case.instance, entry.schedule, entry.evaluation)).figure
    assert figure is not None
    jobs = entry.schedule.transfers.sum(axis=(2, 3))
    sent = [jobs[i, j] for i in range(3) for j in range(3) if i != j and jobs[i, j] > 0.5]
    assert len(figure["layout"]["annotations"]) == len(sent)
    told = sorted(
        float(re.sub(r".*: ([\d,]+) jobs", r"\1", text).replace(",", ""))
        for text in figure["data"][0]["text"]
    )
    assert told == pytest.approx(sorted(sent), abs=1)


def test_a_figure_of_another_kind_brings_the_whole_library() -> None:
    assert "(cartesian" not in gunzip(packed_library(["scatter", "sunburst"]))[:100]
    assert "(cartesian" in gunzip(packed_library(["scatter", "heatmap"]))[:100]


def gunzip(text: str) -> str:
    return gzip.decompress(b64decode(text)).decode("utf-8")
