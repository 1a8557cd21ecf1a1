"""The study of sites: its cases are what they are called, its table says what is multiplied by what."""

import pytest

pytest.importorskip("torch")

from benchmarks.learning import sites, sites_confirmation


def test_cases_have_the_sites_and_models_they_are_called_after():
    for name, case in sites.CASES.items():
        [first, *_] = sites.instances(case, "test", 60)
        assert first.integral_jobs
        if "site" in name:
            assert len(first.sites) == int(name[0])
        if name.startswith("1"):
            figures = list(first.to_dict()["models"].values())
            assert figures == figures[:1] * len(figures)
    usual, other = (sites.instances(sites.CASES[name], "test", 60)[0] for name in ("home", "3 other models"))
    mine, theirs = (inst.to_dict()["models"] for inst in (usual, other))
    assert not [name for name in mine if mine[name] == theirs[name]]


def test_no_policy_is_trained_on_days_that_it_is_judged_by():
    for name in sites.POLICIES:
        plan = sites.plan_of(name, 1, quick=False)
        assert plan.training.seeds == (1,)
        assert all(len(region.split(",")) == 3 for region in plan.family.regions)
        assert not set(plan.family.days("train")) & set(plan.family.days("test"))


def test_the_table_multiplies_the_gap_at_home():
    made = {"machine": "m", "date": "d"}
    records = {
        "home": {"days": ["a", "b"], "bound": [100, 100], "made": made},
        "2 sites": {"days": ["a", "b"], "bound": [50, 50], "made": made},
    }
    records["home"]["utility"] = {
        "drawn models": [[99, 99], [98, 98]],
        "flat": [[97, 97]],
        "greedy": [90, 90],
    }
    records["2 sites"]["utility"] = {"drawn models": [[49, 48], [49, 48]], "greedy": [45, 45]}
    told = sites.table(records, {"drawn models": 0.001}).splitlines()
    assert told[0] == "| case | drawn models | flat | greedy | of home |"
    assert told[3].startswith("| 2 sites | 0.0300 ±")
    assert told[3].split(" | ")[2:] == ["", "0.1000 ± 0.0000", "2.00 x |"]
    assert "2 test days" in told[-1]
    assert "2 seeds" in told[-1]
    assert "at most 0.10 %" in told[-1]


def test_the_confirmation_takes_the_days_that_the_study_does_not():
    home = sites.CASES["home"]
    looked_at = {day.name for day in sites.instances(home, "test", sites.EVERY["test"])}
    unseen = {day.name for day in sites_confirmation.unseen(home, quick=False)}
    assert not unseen & looked_at
    assert len(unseen | looked_at) == len(sites.instances(home, "test", 1))


@pytest.mark.parametrize(
    ("gaps", "verdict"),
    [((0.0150, 0.0151), "holds"), ((0.019, 0.022), "undecided"), ((0.0300, 0.0302), "fails")],
)
def test_a_case_holds_where_its_gap_is_surely_at_most_twice_that_at_home(gaps, verdict):
    days = [f"2018-06-{day:02d}" for day in range(1, 15)]
    made = {"machine": "m", "date": "d"}

    def record(*found):
        utility = {"drawn models": [[100.0 * (1 - gap)] * len(days) for gap in found]}
        return {"days": days, "bound": [100.0] * len(days), "utility": utility, "missed": 0.0, "made": made}

    records = {"home": record(0.010, 0.010), "2 sites": record(*gaps)}
    row = sites_confirmation.table(records).splitlines()[3]
    assert row.startswith(f"| 2 sites | {sum(gaps) / 2:.4f} | {50 * sum(gaps):.2f} x |")
    assert row.endswith(f"| {verdict} |")
