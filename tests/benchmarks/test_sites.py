"""The study of sites: its cases are what they are called, its table says what is multiplied by what."""

import pytest

pytest.importorskip("torch")

from benchmarks.learning import sites


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
