"""Demonstrations for the ``priced`` codec: the prices that whoever knew the day would set, where one is.

Knowing the day, its plan gives prices for any state the policy may be in (:mod:`.foresight` with perfect
information). So states can be gathered along the teacher's way or along the pupil's own (DAgger: Ross, Gordon
and Bagnell 2011, arXiv 1011.0686), and are labelled alike.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from stepwatt.formulation.plant.engine import Engine
from stepwatt.solvers.planners.foresight.foresight import Foresight

from ..codecs import PricedCodec
from ..environment.task import TaskSettings
from ..environment.world import Pool, World
from .cloning import Demonstrations


@torch.no_grad()
def imitate(
    pool: Pool,
    task: TaskSettings,
    taught: Foresight,
    engine: Engine,
    pupil: Callable[[Tensor], Tensor] | None = None,
) -> Demonstrations:
    """What the teacher would say, (N·T,A), and what the policy sees there, (N·T,O).

    ``taught`` has the values of the pool's instances. ``pupil`` (B,O) → (B,A) decides which states are
    visited; without one it is the teacher. With foresight, what is said is a correction.

    Raises:
        ValueError: a codec other than ``priced``.
    """
    world = World(pool, engine, task)
    if not isinstance(world.codec, PricedCodec):
        raise ValueError("prices are demonstrated to the priced codec only")
    seen, said = [], []
    while not world.over:
        obs = world.observation()
        action = world.codec.said(engine, world.believed, world.t, world.state, taught)
        if task.foresight:
            action = (action - world.suggested()).clamp(-1, 1)
        seen.append(obs)
        said.append(action)
        world.step(action if pupil is None else pupil(obs))
    return Demonstrations(torch.cat(seen).float(), torch.cat(said).float())


def joined(parts: list[Demonstrations]) -> Demonstrations:
    """All demonstrations as one."""
    return Demonstrations(torch.cat([part.obs for part in parts]), torch.cat([part.act for part in parts]))
