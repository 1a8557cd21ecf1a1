"""Short trainings: each agent with each codec, each shaper, reward and information, and each warm start."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import stepwatt as sw

from . import judged
from .digests import short, summary, whole
from .instances import half_hours
from .running import Items

#: A few days of hours, small networks, sixty updates.
SMALL = [
    *("family.every=120", "family.slot_minutes=60", "agent.hidden=[16]", "batch_size=16"),
    *("envs_per_run=4", "env_steps=256", "warmup_steps=64", "evaluate_every=128", "log_every=64"),
]
PPO = ["agent.rollout_slots=12", "agent.epochs=2"]
OFTEN = ["shaping.train_every=1", "shaping.refresh_every=4"]
ADDED = ["shaping.train_every=1", "shaping.anneal_updates=40"]
CLONE = ["warm_start.updates=60", "warm_start.batch_size=32"]


def trained(*settings: str, **words: Any) -> dict[str, Any]:
    """A training: its log, its policies as they are saved, and what they do with a day."""
    with tempfile.TemporaryDirectory() as name:
        return _trained(Path(name), *settings, **words)


def _trained(folder: Path, *settings: str, **words: Any) -> dict[str, Any]:
    made = sw.train(settings=[*SMALL, *settings], out=folder, **words)
    lines = (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    policies = made.runs if isinstance(made, sw.Seeds) else [made]
    return {
        "log": whole([json.loads(line) for line in lines]),
        "policies": [_policy(folder, policy) for policy in policies],
    }


def _policy(folder: Path, policy: Any) -> dict[str, Any]:
    last = policy.training["evaluations"][-1]["metrics"]
    day = half_hours("2018-06-12", n_slots=12, integral_jobs=False).to_dict() | {"slot_hours": 1.0}
    inst = sw.Instance.from_dict(day)
    policy.save(folder / "again.npz")
    read = sw.load_policy(folder / "again.npz")
    return {
        "updates": policy.training["updates"],
        "validation": short(last),
        "network": saved(folder / "again.npz"),
        "day": judged.schedule(inst, read.schedule(inst, inst)),
    }


def saved(file: Path) -> dict[str, Any]:
    """The numbers of a policy's file."""
    with np.load(file, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in sorted(archive.files) if name != "about"}
    shapes = whole({name: array.shape for name, array in arrays.items()})
    return {"shapes": shapes, **summary(np.concatenate([array.ravel() for array in arrays.values()]))}


def _resumed() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        words = {"algo": "sac", "shaping": "solver-potential", "reward": "dense"}
        _trained(Path(name), "env_steps=128", "checkpoint_every=64", **words)
        return _trained(Path(name), "env_steps=256", "checkpoint_every=64", resume=True, **words)


def _of(algo: str, codec: str, shaping: str, *settings: str, **words: Any) -> Callable[[], Any]:
    """A training whose settings depend on the algorithm."""
    more = (*PPO, *settings) if algo == "ppo" else settings
    return lambda: trained(*more, algo=algo, codec=codec, shaping=shaping, **words)


ITEMS: Items = {
    "sac, direct, none, dense, two seeds": _of("sac", "direct", "none", reward="dense", seed=[0, 1]),
    "sac, direct, success-rate": _of("sac", "direct", "success-rate", "shaping.features=50"),
    "sac, direct, jemas": _of("sac", "direct", "jemas", "shaping.latent=16", "shaping.steps=3"),
    "sac, direct, diffusion-potential": _of("sac", "direct", "diffusion-potential", *OFTEN),
    "sac, priced, solver-potential, dense": _of("sac", "priced", "solver-potential", reward="dense"),
    "sac, priced, foresight corrected": _of("sac", "priced", "none", "task.foresight=true"),
    "td3, direct, diffusion, persistence": _of(
        "td3", "direct", "diffusion", *ADDED, information="persistence"
    ),
    "td3, direct, constant": _of("td3", "direct", "constant"),
    "td3, priced, potential-regression, dense": _of(
        "td3", "priced", "potential-regression", *OFTEN, reward="dense"
    ),
    "ddpg, direct, regression, nothing ahead": _of(
        "ddpg", "direct", "regression", *ADDED, information="none"
    ),
    "ddpg, priced, placebo": _of("ddpg", "priced", "placebo", *OFTEN),
    "ppo, direct, reward-agent, by episode": _of("ppo", "direct", "reward-agent", reward="episode"),
    "ppo, direct, solver-potential, perfect": _of("ppo", "direct", "solver-potential", information="perfect"),
    "ppo, priced, diffusion-potential, dense": _of(
        "ppo", "priced", "diffusion-potential", *OFTEN, reward="dense"
    ),
    "clone, direct, refined": _of(
        "sac",
        "direct",
        "none",
        *CLONE,
        "warm_start.refining=3",
        "agent.cloning_weight=1.0",
        warm_start="clone",
    ),
    "clone, priced": _of("ppo", "priced", "none", *CLONE, warm_start="clone", reward="dense"),
    "resumed": _resumed,
}
