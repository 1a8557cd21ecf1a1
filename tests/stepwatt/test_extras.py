"""Where an optional part of the installation is needed and not there, one line says how to install it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from places import EXAMPLES, ROOT

BEGUN = f"""
import sys
sys.modules[{{blocked!r}}] = None  # importing it raises ModuleNotFoundError
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


doors = {{doors}}
for door in doors:
    try:
        door()
    except sw.InputError as told:
        assert isinstance(told, ImportError)
        print(told)
    else:
        raise AssertionError("that worked")
for words in {{commands}}:
    assert run(words.split()) == 2, words
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


@pytest.mark.parametrize("blocked", NEEDED)
def test_one_line_names_the_extra(blocked: str, tmp_path: Path) -> None:
    extra, doors, commands = NEEDED[blocked]
    code = BEGUN.format(blocked=blocked, doors=f"[{', '.join(doors)}]", commands=commands)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines() + done.stderr.splitlines()
    assert len(lines) == len(doors) + len(commands), lines
    for line in lines:
        assert "No module named" in line or "import of" in line
        assert blocked in line
        assert line.endswith(f"expected the extra: pip install 'stepwatt[{extra}]'")


def test_the_extras_are_those_that_are_named() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    for blocked, (extra, _, _) in NEEDED.items():
        assert any(word.startswith(blocked) for word in extras[extra])
