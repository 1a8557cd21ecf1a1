"""The report in a browser: nothing fails, is cut or missing, and what can be clicked works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import SIZES, browser, opened

import stepwatt as sw


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two afternoons with a policy of one's own and one whose schedule breaks a constraint."""
    starts = ("2018-06-12T16:00", "2018-12-12T16:00")
    days = [sw.scenario("jemas", start=start, n_slots=4) for start in starts]

    def broken(inst: sw.Instance) -> sw.Schedule:
        schedule = sw.Schedule.idle(inst.arrays())
        schedule.export_mw[0, 0] = 0.01
        return schedule

    policies = {"lp": "lp", "a planner with a long name": "greedy", "all-off": "all-off", "mine": broken}
    target = tmp_path_factory.mktemp("page") / "report.html"
    sw.compare(days, policies).to_html(target, why=True)
    return target


@pytest.fixture(scope="module", params=sorted(SIZES))
def shown(request: pytest.FixtureRequest, page: Path) -> Iterator[Any]:
    with browser(request.param) as driver:
        opened(driver, page)
        yield driver


def test_the_console_is_silent(shown: Any) -> None:
    assert [line["message"] for line in shown.get_log("browser") if line["level"] != "INFO"] == []


def test_every_place_has_its_figure(shown: Any) -> None:
    empty = """return [...document.querySelectorAll(".plot")].filter(p => p.offsetParent && (
        !p.querySelector(".main-svg") || p.clientWidth < 100)).map(p => p.id)"""
    assert shown.execute_script(empty) == []
    assert shown.execute_script('return document.querySelectorAll(".main-svg").length') > 10


def test_nothing_is_cut_or_wider_than_the_page(shown: Any) -> None:
    wide = """const width = document.documentElement.clientWidth;
        return [...document.querySelectorAll("main *, header *")].filter(e => !e.closest("svg")
          && e.offsetParent && (e.getBoundingClientRect().right > width + 1
              || (getComputedStyle(e).overflowX !== "visible"
              && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0)))
        .map(e => e.tagName + "." + e.className + " " + e.textContent.slice(0, 40))"""
    assert shown.execute_script(wide) == []
    assert shown.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")


def test_every_number_of_the_table_can_be_read(shown: Any) -> None:
    hidden = """return [...document.querySelectorAll("#all table.policies tbody td")].filter(
        e => e.textContent.trim() && e.getBoundingClientRect().width < 5).map(e => e.textContent)"""
    assert shown.execute_script(hidden) == []


def test_text_stands_out_from_what_is_behind_it(shown: Any) -> None:
    """WCAG 2.1, 1.4.3: a contrast of 4.5, or 3 for large letters."""
    assert shown.execute_script(FAINT) == []


def test_a_click_on_a_heading_sorts_the_table(shown: Any) -> None:
    click = """const table = document.querySelector("#all table.policies");
        table.querySelectorAll("th button")[2].click();
        return [...table.tBodies[0].rows].map(row => row.cells[2].dataset.value)"""
    for expected in (True, False):
        values = [float(text) for text in shown.execute_script(click) if text]
        assert values == sorted(values, reverse=expected)


def test_a_day_can_be_picked_and_a_time_chosen_in_all_figures(shown: Any) -> None:
    shown.execute_async_script(PICK)
    zoomed = shown.execute_async_script(ZOOM)
    assert len(zoomed) > 3
    assert len({tuple(ends) for ends in zoomed}) == 1


def test_a_click_on_a_slot_tells_why_and_so_does_the_keyboard(shown: Any) -> None:
    shown.execute_async_script(PICK)
    clicked = shown.execute_async_script(CLICK)
    assert clicked["slot"] == "2018-12-12 16:10"
    assert clicked["site"] == "FR"
    assert clicked["under"] == clicked["figure"]
    assert "A GPU-hour is worth" in clicked["words"]
    assert len(clicked["marked"]) > 3
    for marked in clicked["marked"]:
        assert {tuple(ends) for ends in marked} == {("2018-12-12 16:10:00", "2018-12-12 16:15:00")}
    assert clicked["bands"] > 0
    chosen = shown.execute_script(CHOOSE)
    assert "DK" in chosen
    assert chosen != clicked["words"]


FAINT = """
function channel(v) { v /= 255; return v <= 0.04045 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4); }
function light(c) { return 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]); }
function rgb(text) { return text.match(/[\\d.]+/g).map(Number); }
function behind(e) {
  for (; e; e = e.parentElement) {
    const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) { return c; }
  }
  return [255, 255, 255];
}
return [...document.querySelectorAll("main *, header *")].filter(e => !e.closest("svg") && e.offsetParent
    && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())).filter(e => {
  const style = getComputedStyle(e), a = light(rgb(style.color)), b = light(behind(e));
  const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.6 && style.fontWeight >= 700);
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < (large ? 3 : 4.5);
}).map(e => e.tagName + " " + e.textContent.slice(0, 40));
"""

PICK = """
const done = arguments[arguments.length - 1], picker = document.getElementById("scope");
picker.value = "s1";
picker.dispatchEvent(new Event("change"));
(function wait(left) {
  const places = [...document.querySelectorAll("#s1 .plot")].filter(p => p.offsetParent);
  const next = places.find(p => !p.querySelector(".main-svg"));
  if (!next || left === 0) { setTimeout(done, 100); return; }
  next.scrollIntoView();
  setTimeout(() => wait(left - 1), 30);
})(300);
"""

ZOOM = """
const done = arguments[arguments.length - 1];
const places = [...document.querySelectorAll("#s1 .plot")].filter(p => p.offsetParent && p.layout
  && (p.layout.xaxis || {}).type === "date");
const ends = ["2018-12-12 16:05:00", "2018-12-12 16:10:00"];
Plotly.relayout(places[0], { "xaxis.range": ends }).then(() => setTimeout(() => done(
  places.map(p => p.layout.xaxis.range.map(String))), 500));
"""

# the second slot but one, in the row of the second site of the first figure of the schedule
CLICK = """
const done = arguments[arguments.length - 1];
const place = document.querySelector("#s1 .detail:not([hidden]) .plot");
const trace = place.data.find(t => t.yaxis === "y2");
place.emit("plotly_click", { points: [{ x: "2018-12-12 16:12", data: trace }] });
setTimeout(() => {
  const why = document.querySelector("#s1 .detail:not([hidden]) .why");
  const text = select => select.options[select.selectedIndex].textContent;
  const places = [...why.closest(".detail").querySelectorAll(".plot")];
  const timed = places.filter(p => p.layout.xaxis.type === "date");
  done({ slot: text(why.querySelector(".slot")), site: text(why.querySelector(".site")),
    words: why.querySelector(".reason").textContent, figure: place.id,
    marked: timed.map(p => (p.layout.shapes || []).filter(s => s.name === "slot").map(s => [s.x0, s.x1])),
    bands: timed.flatMap(p => p.layout.shapes || []).filter(s => s.name !== "slot").length,
    under: why.closest(".panel").querySelector(".plot").id });
}, 50);
"""

CHOOSE = """
const why = document.querySelector("#s1 .detail:not([hidden]) .why"), site = why.querySelector(".site");
site.value = [...site.options].find(o => o.textContent === "DK").value;
site.dispatchEvent(new Event("change"));
return why.querySelector(".reason").textContent;
"""
