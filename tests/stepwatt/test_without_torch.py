"""Whoever plays a policy needs no torch: it is loaded only where something is trained."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from places import EXAMPLES

KEPT = EXAMPLES / "policy.npz"

BLOCKED = f"""
import sys
sys.modules["torch"] = None  # importing it raises ModuleNotFoundError
import numpy as np
import stepwatt as sw
day = sw.scenario("jemas", start="2018-06-12T10:00", n_slots=4, slot_minutes=30, integral_jobs=False)
policy = sw.load_policy({str(KEPT)!r})
"""

PLAYED = {
    "schedule": (
        "from stepwatt.learning.environment import TaskSettings, World, make_pool\n"
        "from stepwatt.learning.policies import TrainedPolicy\n"
        "assert isinstance(policy, TrainedPolicy)\n"
        "assert sw.evaluate(day, policy.schedule(day)).feasible"
    ),
    "compare": (
        "table = sw.compare(day, {'mine': policy, 'greedy': 'greedy'}, bound='lp').table\n"
        "assert set(table.index) == {'mine', 'greedy'}"
    ),
    "callable": (
        "def asked(obs): return np.zeros(60)\n"
        "assert len(sw.compare(day, {'asked': sw.policy(asked)}, bound='lp').table) == 1"
    ),
    "stream": (
        "from stepwatt.streaming import Run\n"
        "session = Run(policy, day)\n"
        "assert [session.decide({'slot': t})['slot'] for t in range(4)] == [0, 1, 2, 3]"
    ),
    "gymnasium": (
        "import gymnasium\n"
        "env = gymnasium.make('stepwatt.learning.gym_env:stepwatt/Scheduling-v0', instances=day)\n"
        "env.reset(seed=0)\n"
        "env.step(env.action_space.sample())"
    ),
}

ALL = f"""
import json, traceback
failed = {{}}
for name, code in {PLAYED!r}.items():
    try:
        exec(code, dict(globals()))
    except Exception:
        failed[name] = traceback.format_exc()
print(json.dumps(failed))
"""


@pytest.fixture(scope="module")
def failed() -> Any:
    """What went wrong with each of them, in one process."""
    done = subprocess.run([sys.executable, "-c", BLOCKED + ALL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("played", PLAYED)
def test_playing_needs_no_torch(played: str, failed: dict[str, str]) -> None:
    assert played not in failed, failed[played]
