"""Where an optional part of the installation is needed and not there, one line says how to install it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from functools import cache

import pytest
from places import EXAMPLES, ROOT

BEGUN = f"""
import contextlib, io, json, sys
for blocked in {{doors}}:
    sys.modules[blocked] = None  # importing it raises ModuleNotFoundError
import stepwatt as sw
from stepwatt.cli import run
day = sw.scenario("jemas", start="2018-06-12T10:00", n_slots=2, slot_minutes=60)
day.save("day.json")
kept = {str(EXAMPLES / "policy.npz")!r}
short = ["family.every=180", "env_steps=16", "warmup_steps=8", "batch_size=8", "agent.hidden=[4]"]


def asked(observation):
    return observation


def vector():
    from stepwatt.learning.environment.gym_env import SchedulingVectorEnv
    return SchedulingVectorEnv([day])


def with_events():
    from pathlib import Path
    from stepwatt.learning.training.logs import TrainingLog
    TrainingLog(Path("log.jsonl"), tensorboard=Path("events"))


def single():
    import stepwatt.learning.environment.gym_env


told = {{{{}}}}
for blocked, doors in {{doors}}.items():
    told[blocked] = []
    for door in doors:
        try:
            eval(door, globals())()
        except sw.InputError as refused:
            assert isinstance(refused, ImportError)
            told[blocked].append(str(refused))
        else:
            raise AssertionError(f"{{{{door}}}} worked")
for blocked, commands in {{commands}}.items():
    for words in commands:
        with contextlib.redirect_stderr(io.StringIO()) as shown:
            assert run(words.split()) == 2, words
        told[blocked].append(shown.getvalue().removesuffix("\\n"))
print(json.dumps(told))
"""

#: What is not there, by what is missed: calls from Python, and command lines.
NEEDED: dict[str, tuple[str, list[str], list[str]]] = {
    "llvmlite": (
        "planners",
        [
            "sw.foresight",
            "lambda: sw.solve(day, 'foresight')",
            "lambda: sw.load_policy(kept)",
            "lambda: sw.compare(day, {'asked': sw.policy(asked)}, bound='lp')",
            "lambda: sw.train(settings=short)",
            "single",
        ],
        [
            "solve day.json --method foresight",
            f"run {EXAMPLES / 'policy.npz'} day.json",
            "run foresight day.json",
        ],
    ),
    "torch": ("learning", ["lambda: sw.train(settings=short)", "vector"], ["train --out trained"]),
    "gymnasium": ("learning", ["single", "vector"], []),
    "tensorboard": ("learning", ["with_events"], []),
    "xarray": ("xarray", ["lambda: sw.to_xarray(sw.solve(day, 'greedy'))"], []),
    "pvlib": ("weather", ["lambda: sw.pv_capacity_factor(None)"], []),
}


#: What can be missed together, since no door asks for two of them: each group is one process.
GROUPS = (("llvmlite",), ("torch",), ("gymnasium", "tensorboard", "xarray", "pvlib"))


@cache
def told(group: tuple[str, ...]) -> dict[str, list[str]]:
    """What every door says, by what is missed."""
    doors = {blocked: NEEDED[blocked][1] for blocked in group}
    commands = {blocked: NEEDED[blocked][2] for blocked in group}
    code = BEGUN.format(doors=doors, commands=commands)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, check=False
        )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    found: dict[str, list[str]] = json.loads(line)
    return found


@pytest.mark.parametrize("blocked", NEEDED)
def test_one_line_names_the_extra(blocked: str) -> None:
    extra, doors, commands = NEEDED[blocked]
    (group,) = (group for group in GROUPS if blocked in group)
    lines = told(group)[blocked]
    assert len(lines) == len(doors) + len(commands), lines
    for line in lines:
        assert "\n" not in line
        assert "No module named" in line or "import of" in line
        assert blocked in line
        assert line.endswith(f"expected the extra: pip install 'stepwatt[{extra}]'")


def test_the_extras_are_those_that_are_named() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    for blocked, (extra, _, _) in NEEDED.items():
        assert any(word.startswith(blocked) for word in extras[extra])
