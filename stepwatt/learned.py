"""Learned policies, and foresight, behind the public API: torch is loaded by ``train`` alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwatt.formulation import InputError
from stepwatt.formulation.arguments import flag, path_of, whole
from stepwatt.formulation.errors import extra

from .comparing.accepted import Seeds
from .console import Waited, told_progress

if TYPE_CHECKING:
    from stepwatt.learning.policies.trained import TrainedPolicy
    from stepwatt.solvers.planners.foresight.planner import ForesightPolicy


def train(
    scenario: str | None = None,
    *,
    algo: str | None = None,
    shaping: str | None = None,
    seed: int | Sequence[int] | None = None,
    codec: str | None = None,
    reward: str | None = None,
    information: str | None = None,
    warm_start: str | None = None,
    regime: str | None = None,
    config: str | Path | None = None,
    settings: Sequence[str] = (),
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    tensorboard: bool = False,
    progress: Waited = None,
) -> Any:
    """Train a policy on days of a scenario (learning.md); ``compare`` takes what comes back.

    Args:
        scenario: name of the scenario whose training days are learned from (jemas).
        algo: sac (as by default), td3, ddpg or ppo.
        shaping: the reward shaper (booked), a key of ``stepwatt.learning.shapers.SHAPERS``.
        seed: one seed (0) gives one policy, several (trained side by side) give ``Seeds`` of them.
        codec: how actions are coded (direct).
        reward: how they are paid (sparse).
        information: what is seen of the future (day-ahead).
        warm_start: ``clone`` begins from optimal schedules of the training days or, where prices are said,
            from the prices that would be set by whoever knew their day (none).
        regime: R1, R2, R4 or R5 of arXiv 2605.02965, where rewards are hard to get (learning.md, "The paper's
            regimes"); what is said besides wins.
        config: TOML file with tables family, task, warm_start, training; arguments that are given win.
        settings: further ``key=value`` words, as on the command line; these win over all.
        out: folder for settings, log, checkpoint and ``policy.npz``.
        resume: go on from the checkpoint in ``out``; begin where there is none yet.
        overwrite: begin anew where ``out`` holds a training, which is otherwise refused.
        tensorboard: write the log as TensorBoard's events, too, into ``out/tensorboard``.
        progress: called with the share done and what is being worked on; if not given, a line is shown where
            a person waits (a terminal, a notebook), and not if it is False.

    Raises:
        InputError: settings that do not exist or do not fit together, TensorBoard without a folder,
            what is neither True nor False.
    """
    resume, overwrite = flag(resume, "resume"), flag(overwrite, "overwrite")
    if flag(tensorboard, "tensorboard") and out is None:
        raise InputError(field="out", value=None, expected="a folder, for TensorBoard's events")
    with extra("learning"):
        from stepwatt.learning.training.plan import read_plan
        from stepwatt.learning.training.run import run_plan
    seeds = None if seed is None else [*seed] if isinstance(seed, Iterable) else [whole(seed, "seed")]
    words = {
        "family.scenario": scenario,
        "algo": algo,
        "shaper": shaping,
        "seeds": seeds,
        "task.codec": codec,
        "task.reward": reward,
        "task.information": information,
        "warm_start.kind": warm_start,
        "regime": regime,
    }
    given = [f"{key}={json.dumps(value)}" for key, value in words.items() if value is not None]
    if isinstance(settings, str) or not all(isinstance(word, str) for word in settings):
        raise InputError(field="settings", value=settings, expected="a list of texts KEY=VALUE")
    plan = read_plan(None if config is None else path_of(config, "config"), [*given, *settings])
    folder = None if out is None else path_of(out, "out")
    with told_progress("train", progress) as told:
        made = run_plan(
            plan, folder, resume=resume, overwrite=overwrite, tensorboard=tensorboard, progress=told
        )
    return made[0] if len(made) == 1 else Seeds(made)


def foresight(
    forecast: str = "day-ahead", *, renewal_hours: float | None = None, seed: int = 0
) -> ForesightPolicy:
    """A policy that needs no training: prices from a plan of the forecast day, slots answered by themselves.

    ``compare`` takes it, and :class:`.streaming.Run` where slots come one by one.

    Args:
        forecast: day-ahead, persistence or perfect, as for ``rolling``.
        renewal_hours: after how many the rest of the horizon is planned again, seen errors lasting; 0 for
            never. Not given: 1.
        seed: draws the errors of day-ahead forecasts.

    Raises:
        InputError: no such forecast, hours below 0, or llvmlite is not installed.
    """
    from stepwatt.solvers.planners.foresight.planner import ForesightPolicy

    return ForesightPolicy(forecast, renewal_hours, seed)


def load_policy(path: str | Path) -> TrainedPolicy:
    """A trained policy from its file or its folder.

    Raises:
        InputError: no policy there, not one of this format, or llvmlite is not installed.
    """
    from stepwatt.learning.policies.trained import load_policy as load

    return load(path_of(path))


def is_policy_path(text: str) -> bool:
    """Whether a text names a trained policy: its file, or the folder of its training."""
    return text.endswith(".npz") or os.path.isdir(text)
