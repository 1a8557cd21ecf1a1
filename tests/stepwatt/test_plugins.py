"""Every family is open: a package from outside brings members, for Python and for the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import stepwatt as sw
from stepwatt.formulation import InputError
from stepwatt.formulation.registry import Registry

PYPROJECT = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}"
version = "0.3"

[project.entry-points."stepwatt.plugins"]
{name} = "{target}"

[tool.setuptools]
py-modules = ["{name}"]
"""

STRANGERS = '''
"""One member of every family."""

from dataclasses import replace

import stepwatt as sw
from stepwatt.formulation.records import SettingsRecord


class StillSettings(SettingsRecord):
    hidden: list[int] = [8]


class BonusSettings(SettingsRecord):
    amount: float = 1.0


def register():
    import sys

    sw.register_method("thrifty", thrifty, kind="planner", what="greedy under another name")
    sw.register_policy("sleepy", lambda: sleep)
    sw.register_agent("still", still, settings=StillSettings)
    sw.register_shaper("bonus", bonus, settings=BonusSettings)
    sw.register_codec("mirrored", mirrored)
    sw.register_importer("semicolons", semicolons)
    sw.register_importer("pairs", pairs, gives="points")
    sw.register_figure("tally", tally, title="Counted policies")
    sw.register_figure("sum", total, title="All jobs", needs="schedule", size="third")
    assert "torch" not in sys.modules or "stepwatt.learning.training.run" in sys.modules


def thrifty(instance, settings):
    from stepwatt.solvers.planners.rules import greedy

    return replace(greedy(instance, settings), method="thrifty")


def sleep(instance):
    return sw.solve(instance, "greedy").schedule


def still(settings, obs_size, act_size, seeds, device="cpu"):
    import torch
    from stepwatt.learning.networks.policy import Policy
    from stepwatt.learning.networks.parallel_runs import generators

    class Still:
        def __init__(self):
            self.actor = Policy(obs_size, act_size, settings.hidden, generators(seeds, device))

        def act(self, obs, deterministic=False):
            return self.actor(obs).detach()

        def policy(self, run=None):
            return self.actor if run is None else self.actor.one_run(run)

        def update(self, batch, demonstrations=None):
            return {"reward": batch.reward.mean(-1)}

        def state_dict(self):
            return {"actor": self.actor.state_dict()}

        def load_state_dict(self, state):
            self.actor.load_state_dict(state["actor"])

    return Still()


def bonus(obs_size, act_size, seeds, settings, device):
    from stepwatt.learning.shapers.controls import ConstantShaper

    return ConstantShaper(settings.amount)


def mirrored(shape):
    from stepwatt.learning.codecs import DirectCodec

    class Mirrored(DirectCodec):
        def decode(self, e, problem, t, state, action):
            return super().decode(e, problem, t, state, -action)

    return Mirrored(shape)


@sw.register_reward("halved")
def halved(slot):
    return slot.earned * 0.5


@sw.register_scenario("village")
def village(*, start="2018-06-12", n_slots=4, series=None, seed=0):
    return sw.scenario("jemas", zones=["DE"], start=start, n_slots=n_slots, seed=seed, series=series, gpus=4)


def semicolons(path):
    import pandas as pd

    from stepwatt.data import as_series

    return as_series(pd.read_csv(path, sep=";"))


def pairs(path):
    numbers = [[float(word) for word in line.split()] for line in path.read_text().splitlines()]
    return [row[0] for row in numbers], [row[1] for row in numbers]


def tally(comparison):
    from stepwatt.reports.figures import Panel

    return Panel(f"There are {len(comparison.policies)} policies.", {"data": [], "layout": {}})


def total(shown):
    from stepwatt.reports.figures import Panel

    return Panel(f"{shown.schedule.runs.sum():.0f} jobs ran.")
'''


def install(folder: Path, name: str, source: str, target: str) -> Path:
    """The package installed by pip, apart from all others; the folder belongs on ``PYTHONPATH``."""
    project, site = folder / name, folder / f"{name}-site"
    project.mkdir()
    (project / "pyproject.toml").write_text(PYPROJECT.format(name=name, target=target), encoding="utf-8")
    (project / f"{name}.py").write_text(source, encoding="utf-8")
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", *offline]
    subprocess.run([*pip, "--target", str(site), str(project)], check=True, capture_output=True)
    return site


def lay(site: Path, name: str, source: str, target: str) -> Path:
    """What an installation comes down to: the module, and beside it who it is and its entry point."""
    about = site / f"{name}-0.3.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.3\n", encoding="utf-8")
    points = f"[stepwatt.plugins]\n{name} = {target}\n"
    (about / "entry_points.txt").write_text(points, encoding="utf-8")
    (site / f"{name}.py").write_text(source, encoding="utf-8")
    return site


def python(site: Path, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A fresh process that finds what is installed in the folder."""
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
    )


def stepwatt(site: Path, *words: str, folder: Path) -> str:
    """A command line in a fresh process, which is to succeed; what it prints."""
    done = python(site, "-m", "stepwatt", *words, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package with one member of every family is installed."""
    return install(tmp_path_factory.mktemp("plugins"), "strangers", STRANGERS, "strangers:register")


@pytest.fixture(scope="module")
def village(site: Path) -> Path:
    """The instance file that the strangers' scenario writes, and the folder for all others."""
    folder = site.parent / "work"
    folder.mkdir()
    stepwatt(site, "scenario", "village", "--slots", "3", "--out", "village.json", folder=folder)
    return folder / "village.json"


# ---------------------------------------------------------------------- the command line


def test_scenario_makes_a_strangers_instance_with_the_options_it_takes(village: Path) -> None:
    inst = sw.load(village)
    assert (list(inst.sites), inst.n_slots) == (["DE"], 3)


def test_an_option_that_the_scenario_does_not_take_is_refused(site: Path, tmp_path: Path) -> None:
    done = python(site, "-m", "stepwatt", "scenario", "village", "--zones", "FR", folder=tmp_path)
    assert done.returncode == 2
    assert "zones = ('FR',): expected a parameter of village" in done.stderr


def test_solve_runs_a_strangers_method(site: Path, village: Path) -> None:
    said = json.loads(
        stepwatt(site, "solve", "village.json", "--method", "thrifty", "--json", folder=village.parent)
    )
    assert (said["method"], said["status"]) == ("thrifty", "feasible")


def test_compare_and_report_show_a_strangers_method_policy_and_figures(site: Path, village: Path) -> None:
    policies = [word for name in ("thrifty", "sleepy") for word in ("--policy", name)]
    told = stepwatt(
        site, "compare", "village.json", *policies, "--bound", "lp", "--out", "c.json", folder=village.parent
    )
    assert "sleepy" in told
    stepwatt(site, "report", "c.json", "--out", "page.html", folder=village.parent)
    page = (village.parent / "page.html").read_text(encoding="utf-8")
    for words in ("greedy under another name", "Counted policies", "There are 2 policies.", "jobs ran."):
        assert words in page


def test_files_are_read_by_strangers_importers(site: Path, village: Path) -> None:
    folder = village.parent
    hours = [f"2018-06-12T{hour:02d}:00Z;DE;40.5;300;0.1;0.2" for hour in range(24)]
    columns = "timestamp_utc;region;price_usd_per_mwh;carbon_lca_g_per_kwh;pv_cf;wind_cf"
    (folder / "prices.txt").write_text("\n".join([columns, *hours]), encoding="utf-8")
    read = ["--series", "prices.txt", "--importer", "semicolons", "--out", "own.json"]
    stepwatt(site, "scenario", "village", *read, folder=folder)
    grid = sw.load(folder / "own.json").sites["DE"].grid
    embedded = sw.load(village).sites["DE"].grid
    assert len(set(grid.export_price)) == 1
    assert grid.export_price != embedded.export_price[: len(grid.export_price)]
    (folder / "points.txt").write_text("4 0.2\n8 0.5\n16 0.7\n32 0.75\n", encoding="utf-8")
    fit = stepwatt(site, "quality", "fit", "points.txt", "--importer", "pairs", "--json", folder=folder)
    assert json.loads(fit)["points"] == 4


def test_train_uses_a_strangers_agent_shaper_codec_and_reward(site: Path, village: Path) -> None:
    size = ["family.every=180", "family.slot_minutes=60", "env_steps=64", "warmup_steps=16", "envs_per_run=4"]
    parts = ["algo=still", "agent.hidden=[4]", "shaper=bonus", "task.codec=mirrored", "task.reward=halved"]
    stepwatt(site, "train", *size, *parts, "shaping.amount=0.5", "--out", "run", folder=village.parent)
    kept = json.loads((village.parent / "run" / "settings.json").read_text(encoding="utf-8"))["settings"]
    assert (kept["algo"], kept["agent"], kept["shaper"]) == ("still", {"hidden": [4]}, "bonus")
    assert kept["shaping"] == {"amount": 0.5}
    assert (village.parent / "run" / "policy.npz").exists()


# ---------------------------------------------------------------------- Python


def test_every_member_is_known_in_python(site: Path, tmp_path: Path) -> None:
    code = """
import stepwatt as sw
inst = sw.scenario("village", n_slots=2)
assert sw.solve(inst, "thrifty").method == "thrifty"
assert [one.method for one in sw.solve_many([inst, inst], "thrifty", processes=2)] == ["thrifty"] * 2
both = sw.compare(inst, {"a": "sleepy", "b": "thrifty"}, bound="lp")
assert both.table.loc["a", "utility"] == both.table.loc["b", "utility"]
from stepwatt.data import IMPORTERS
from stepwatt.reports.figures.registry import FIGURES
from stepwatt.learning.agents import AGENTS
from stepwatt.learning.codecs import CODECS
from stepwatt.learning.environment.rewards import REWARDS
from stepwatt.learning.shapers import SHAPERS
from stepwatt.comparing.registry import POLICIES
families = (sw.METHODS, sw.SCENARIOS, POLICIES, IMPORTERS, FIGURES, AGENTS, CODECS, REWARDS, SHAPERS)
print(*(name for family in families for name in family))
policy = sw.train(algo="still", shaping="bonus", codec="mirrored", reward="halved", settings=[
    "family.every=180", "family.slot_minutes=60", "env_steps=32", "warmup_steps=16", "envs_per_run=4",
    "replay_steps=1000"])
assert policy.task.codec == "mirrored"
"""
    done = python(site, "-c", code, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    members = "thrifty sleepy still bonus mirrored halved village semicolons pairs tally sum"
    assert set(members.split()) <= set(done.stdout.split())


def test_own_code_registers_without_a_package(tmp_path: Path) -> None:
    """A method of the script's own is known in other processes, too, which have not run the script."""
    code = """
from dataclasses import replace
import stepwatt as sw

@sw.register_method("mine", kind="ablation", what="my own")
def mine(inst, settings):
    return replace(sw.solve(inst, "greedy"), method="mine")

if __name__ == "__main__":
    inst = sw.scenario("jemas", n_slots=2, gpus=4)
    found = sw.compare([inst, inst], {"a": "mine", "b": "greedy"}, bound="lp", workers=2)
    print(*found.table.loc["a", ["method", "kind"]])
"""
    (tmp_path / "script.py").write_text(code, encoding="utf-8")
    done = python(tmp_path, "script.py", folder=tmp_path)
    assert done.stdout.split() == ["mine", "ablation"], done.stderr


# ---------------------------------------------------------------------- what goes wrong


def test_a_broken_plugin_costs_one_line_that_names_it(tmp_path: Path) -> None:
    source = 'import stepwatt as sw\nsw.register_method("half", print)\nimport absent\n'
    broken = lay(tmp_path, "broken", source, "broken")
    code = "import stepwatt as sw; print(*sw.METHODS)"
    done = python(broken, "-c", code, folder=tmp_path)
    assert done.returncode == 0
    assert "oracle" in done.stdout.split()
    assert "half" not in done.stdout.split()
    (line,) = done.stderr.splitlines()
    assert "plug-in broken 0.3 was left out: ModuleNotFoundError: No module named 'absent'" in line


def test_a_plugin_that_takes_a_name_of_ours_is_left_out(tmp_path: Path) -> None:
    source = 'import stepwatt as sw\ndef enter():\n    sw.register_scenario("jemas", dict)\n'
    greedy = lay(tmp_path, "greedy", source, "greedy:enter")
    done = python(greedy, "-m", "stepwatt", "scenario", "jemass", folder=tmp_path)
    assert done.returncode == 2
    warned, refused = done.stderr.splitlines()
    assert "plug-in greedy 0.3 was left out: scenario = 'jemas': expected a name that is not taken" in warned
    assert refused == "stepwatt: scenario = 'jemass': expected one of jemas, volatile; did you mean jemas?"


def test_plugins_are_not_looked_for_while_names_are_known(tmp_path: Path) -> None:
    source = "raise SystemExit('loaded')\n"
    site = lay(tmp_path, "loud", source, "loud")
    code = "import stepwatt as sw; sw.solve(sw.scenario('jemas', n_slots=1, gpus=4), 'greedy')"
    assert python(site, "-c", code, folder=tmp_path).returncode == 0


# ---------------------------------------------------------------------- a registry by itself


def test_members_stand_in_the_order_in_which_they_came() -> None:
    shelf: Registry[int] = Registry("shelf-1", {"b": 1, "a": 2})
    shelf.register("0", 3)
    assert shelf.names() == ("b", "a", "0")
    assert [shelf[name] for name in shelf] == [1, 2, 3]
    assert (len(shelf), shelf.get("a"), shelf.get("z"), shelf.get("z", 7)) == (3, 2, None, 7)


@pytest.mark.parametrize("name", ["orcale", "ORACLE", "orac"])
def test_an_unknown_name_tells_the_known_ones_and_a_near_one(name: str) -> None:
    shelf: Registry[int] = Registry("shelf-2", {"oracle": 1, "greedy": 2})
    with pytest.raises(
        InputError, match=f"shelf-2 = '{name}': expected one of oracle, greedy; did you mean oracle"
    ):
        shelf[name]


@pytest.mark.parametrize("name", [3, None, [1], {}])
def test_what_is_no_text_is_no_name(name: object) -> None:
    shelf: Registry[int] = Registry("shelf-3", {"a": 1})
    assert name not in shelf
    with pytest.raises(InputError, match=r"expected one of a$"):
        shelf.check(name)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a=b", "a,b", "a/b", "ä", "a" * 61, 3])
def test_names_that_would_break_a_command_line_are_refused(name: str) -> None:
    shelf: Registry[int] = Registry("shelf-4", {})
    with pytest.raises(InputError, match="expected a name of letters"):
        shelf.register(name, 1)


def test_a_name_is_given_once() -> None:
    shelf: Registry[int] = Registry("shelf-5", {"a": 1})
    shelf.register("b", 2)
    for name in ("a", "b"):
        with pytest.raises(InputError, match="a name that is not taken"):
            shelf.register(name, 3)
    assert dict(shelf) == {"a": 1, "b": 2}


def test_a_policy_does_not_take_a_methods_name() -> None:
    with pytest.raises(InputError, match="policy = 'oracle': expected a name that is not taken"):
        sw.register_policy("oracle", dict)


def test_what_cannot_be_called_is_no_member() -> None:
    with pytest.raises(InputError, match="shaper = 3: expected something that can be called"):
        sw.register_shaper("three", 3)  # type: ignore[call-overload]


def test_what_is_said_of_a_member_is_checked_at_once() -> None:
    with pytest.raises(InputError, match=r"kind = 'planer': expected one of .*did you mean planner"):
        sw.register_method("odd", print, kind="planer")  # type: ignore[call-overload]
    with pytest.raises(InputError, match=r"settings = .*expected a class derived from SettingsRecord"):
        sw.register_agent("odd", print, settings=dict)  # type: ignore[type-var]
    with pytest.raises(InputError, match="size = 'huge': expected one of wide, half, third"):
        sw.register_figure("odd", print, title="Odd", size="huge")  # type: ignore[call-overload]
    assert "odd" not in sw.METHODS
