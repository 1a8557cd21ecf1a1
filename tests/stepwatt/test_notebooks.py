"""What objects say of themselves at a prompt and in a notebook: the headline, never the arrays."""

from __future__ import annotations

import pytest

import stepwatt as sw


@pytest.fixture(scope="module")
def day() -> sw.Instance:
    data = sw.scenario("jemas", n_slots=6).to_dict()
    return sw.Instance.from_dict(data | {"name": "a <day>", "currency": "EUR"})


def test_every_object_fits_on_a_line_or_two(day: sw.Instance) -> None:
    best = sw.solve(day)
    compared = sw.compare(day, {"best": best, "greedy": "greedy"})
    for thing in (day, best, best.schedule, best.evaluation, best.prices, compared):
        told = repr(thing)
        assert len(told) < 250, told
        assert "array(" not in told
        assert str(thing) == told


def test_a_result_names_method_status_utility_bound_and_gap(day: sw.Instance) -> None:
    best = sw.solve(day)
    assert best.bound is not None
    assert best.utility is not None
    told = repr(best)
    for part in ("oracle", "optimal", f"{best.utility:,.2f} EUR", f"bound {best.bound:,.2f}", "gap"):
        assert part in told
    assert "breaks" in repr(sw.solve(day, "lp"))
    idle = sw.evaluate(day, sw.Schedule.idle(day.arrays()))
    assert "feasible" in repr(idle) or "breaks temperature" in repr(idle)


def test_notebooks_show_tables_in_which_names_are_text(day: sw.Instance) -> None:
    best = sw.solve(day)
    shown = best._repr_html_()
    assert "<table>" in shown
    assert "a &lt;day&gt;" in shown
    assert "revenue" in shown
    assert "greedy" in sw.compare(day, {"best": best, "greedy": "greedy"})._repr_html_()
