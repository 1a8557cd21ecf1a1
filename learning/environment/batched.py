"""The batched environment of agents: E instances side by side on torch, begun anew by itself.

All environments share the clock: an episode is one instance from its first to its last slot, and every
environment draws its next instance from the pool when the horizon ends (in the same step).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from stepwatt.formulation import InputError
from stepwatt.formulation.plant.bridge import arrays_of
from stepwatt.formulation.plant.state import PlantState
from stepwatt.solvers.planners.foresight.foresight import Foresight

from ..memory.transitions import Step
from ..networks.states import check_like, count, restore_generators
from .task import TaskSettings
from .torch_engine import torch_engine
from .world import Pool, World


class SchedulingEnv:
    """``World`` as agents want it: E environments that draw from a pool and begin anew by themselves.

    ``runs`` splits the environments run-major; each run draws its instances from its own generator.
    ``outcome`` is what happened in the last slot.
    """

    def __init__(
        self,
        pool: Pool,
        task: TaskSettings,
        *,
        runs: int,
        envs_per_run: int,
        seeds: Sequence[int],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ):
        self.device = torch.device(device)
        self.engine = torch_engine(dtype, device)
        self.envs = runs * envs_per_run
        self.runs, self.envs_per_run = runs, envs_per_run
        self._rngs = [torch.Generator(device="cpu").manual_seed(seed) for seed in seeds]
        self.pool = pool
        self.world = World(pool.take(self._draw(), self.engine), self.engine, task)
        self.obs_size, self.act_size = self.world.obs_size, self.world.act_size

    def reseed(self, seeds: Sequence[int]) -> None:
        """Draw instances as an environment made with these seeds would."""
        for rng, seed in zip(self._rngs, seeds, strict=True):
            rng.manual_seed(seed)

    def _draw(self) -> Tensor:
        """(E,) instances of the pool."""
        chosen = [torch.randint(len(self.pool), (self.envs_per_run,), generator=rng) for rng in self._rngs]
        self._index = torch.cat(chosen).to(self.device)
        return self._index

    @torch.no_grad()
    def reset(self) -> tuple[Tensor, Tensor]:
        """Fresh instances: observations (E,O) and the solver's potential (E,)."""
        self.world.begin(self.pool.take(self._draw(), self.engine))
        return self.world.observation(), self.world.potential()

    @torch.no_grad()
    def step(self, action: Tensor) -> Step:
        """One slot everywhere (see :class:`BatchedEnv`)."""
        reward, success, self.outcome = self.world.step(action)
        final_obs, potential = self.world.observation(), self.world.potential()
        over = self.world.over
        obs, next_potential = self.reset() if over else (final_obs, potential)
        ended = torch.full((self.envs,), over, device=self.device)
        return Step(
            obs=obs,
            final_obs=final_obs,
            reward=reward,
            terminated=ended,
            truncated=torch.zeros_like(ended),
            potential=potential,
            next_potential=next_potential,
            success=success,
        )

    def state_dict(self) -> dict[str, Any]:
        """Instances drawn, clock, plant state, generators; what is foreseen, once it was planned again."""
        ahead = self.world.drawn.foresight
        renewed: dict[str, Any] = {}
        if ahead is not None and self.world.planned:
            for name, values in ahead.__dict__.items():
                renewed[name] = torch.tensor(values) if name != "begun" else values
        return {
            "planned": self.world.planned,
            "foresight": renewed,
            "index": self._index,
            "t": self.world.t,
            "earned": self.world.earned,
            "always": self.world.always,
            "state": dict(self.world.state.__dict__),
            "generators": [rng.get_state() for rng in self._rngs],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where ``state_dict`` was taken."""
        check_like(state["index"], self._index, "env.index")
        if int(state["index"].min()) < 0 or int(state["index"].max()) >= len(self.pool):
            expected = f"instances 0 to {len(self.pool) - 1}"
            raise InputError(field="env.index", value=state["index"].tolist(), expected=expected)
        self._index = state["index"]
        self.world.begin(self.pool.take(self._index, self.engine))
        self.world.t = count(state["t"], "env.t", self.world.drawn.problem.shape.n_slots - 1)
        self.world.planned = count(state["planned"], "env.planned", self.world.t)
        if self.world.planned:
            self._foresee(state["foresight"])
        check_like(state["earned"], self.world.earned, "env.earned")
        self.world.earned = state["earned"]
        check_like(state["always"], self.world.always, "env.always")
        self.world.always = state["always"]
        for name, model in self.world.state.__dict__.items():
            check_like(state["state"][name], model, f"env.state.{name}")
        self.world.state = PlantState(**state["state"])
        restore_generators(self._rngs, state["generators"], "env.generators")

    def _foresee(self, stored: Mapping[str, Any]) -> None:
        """Take up what was planned again, as long as what was foreseen at first from that slot on."""
        first = self.world.drawn.foresight
        if first is None or stored["begun"] != self.world.planned:
            raise InputError(
                field="env.foresight.begun", value=stored["begun"], expected=str(self.world.planned)
            )
        for name, values in first.since(self.world.planned).__dict__.items():
            if name == "begun":
                continue
            shape = list(values.shape)
            if name == "multipliers":  # of blocks, of which there may be any number
                shape[0] = len(stored[name])
            check_like(stored[name], torch.empty(shape, dtype=torch.float64), f"env.foresight.{name}")
        self.world.drawn = replace(self.world.drawn, foresight=arrays_of(Foresight(**stored)))
