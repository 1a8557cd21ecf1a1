"""Whoever plays a policy needs no torch: it is loaded only where something is trained."""

from __future__ import annotations

import subprocess
import sys

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


def without_torch(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", BLOCKED + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "code",
    [
        "from stepwatt.learning.environment import TaskSettings, World, make_pool\n"
        "from stepwatt.learning.policies import TrainedPolicy\n"
        "assert isinstance(policy, TrainedPolicy)\n"
        "assert sw.evaluate(day, policy.schedule(day)).feasible",
        "table = sw.compare(day, {'mine': policy, 'greedy': 'greedy'}, bound='lp').table\n"
        "assert set(table.index) == {'mine', 'greedy'}",
        "def asked(obs): return np.zeros(60)\n"
        "assert len(sw.compare(day, {'asked': sw.policy(asked)}, bound='lp').table) == 1",
        "from stepwatt.streaming import Run\n"
        "session = Run(policy, day)\n"
        "assert [session.decide({'slot': t})['slot'] for t in range(4)] == [0, 1, 2, 3]",
        "import gymnasium\n"
        "env = gymnasium.make('stepwatt.learning.gym_env:stepwatt/Scheduling-v0', instances=day)\n"
        "env.reset(seed=0)\n"
        "env.step(env.action_space.sample())",
    ],
    ids=["schedule", "compare", "callable", "stream", "gymnasium"],
)
def test_playing_needs_no_torch(code: str) -> None:
    without_torch(code)
