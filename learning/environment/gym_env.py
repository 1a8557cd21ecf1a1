"""The environment as Gymnasium has it: one instance at a time on numpy, or many side by side on torch.

    import gymnasium as gym, stepwatt as sw, stepwatt.learning.environment.gym_env
    env = gym.make("stepwatt/Scheduling-v0", instances=[sw.scenario("jemas", start="2018-06-12")])

Importing this module makes the name known (Gymnasium has no plug-ins since 1.0); where nothing is imported,
``gym.make("stepwatt.learning.environment.gym_env:stepwatt/Scheduling-v0", ...)`` has Gymnasium do it.

Actions are the box [-1,1]^A of the task's codec, observations the vector of ``observation.py`` in single
precision. An episode is one instance from its first slot to its last, where it terminates (never truncates).
``info`` holds ``utility`` (USD, the slot's share of the horizon's utility) and ``failed_share`` (jobs lost or
cut back over jobs dealt with, at the worst site); what it earned is judged by ``evaluate`` only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.arguments import finite, whole
from stepwatt.formulation.errors import extra
from stepwatt.formulation.plant.engine import numpy_engine

from ..options import MOST, check_memory
from .task import TaskSettings
from .world import World, pool_for

with extra("learning"):
    import gymnasium
    from gymnasium.vector import AutoresetMode, VectorEnv

if TYPE_CHECKING:
    import torch

ENVIRONMENT = "stepwatt/Scheduling-v0"

Vector = NDArray[np.float32]

#: Observations are finite, and scaled to a size near 1; no tighter bound holds for every instance.
LARGEST = float(np.finfo(np.float32).max)


def _spaces(observed: int, acted: int) -> tuple[gymnasium.Space[Vector], gymnasium.Space[Vector]]:
    box: Any = gymnasium.spaces.Box
    return (
        box(-LARGEST, LARGEST, (observed,), np.float32),
        box(-1.0, 1.0, (acted,), np.float32),
    )


def _given_task(task: Any) -> TaskSettings:
    """The task, by itself if none is given."""
    if task is None:
        return TaskSettings()
    if not isinstance(task, TaskSettings):
        raise InputError(field="task", value=task, expected="TaskSettings(…)")
    return task


def _given_device(device: Any) -> torch.device:
    """Where torch computes; it is there."""
    import torch

    try:
        found = torch.device(device)
        torch.zeros(1, device=found)
    except (RuntimeError, AssertionError, TypeError, ValueError) as error:
        raise InputError(field="device", value=device, expected="a device that torch has, cpu") from error
    return found


class SchedulingGymEnv(gymnasium.Env[Vector, Vector]):
    """One instance per episode, drawn by the environment's own ``np_random``; on numpy, without torch.

    ``instances`` share one shape, one alone need not be a list; ``histories`` are the days before them, for
    ``persistence`` and the recent past; ``forecast_seed`` draws the errors of ``day-ahead``. With
    ``integral``, jobs and GPUs are whole. It can be pickled, and goes on from there.

    Raises:
        InputError: no instances, or of different shapes; not a history each; or a task with foresight, which
            the vector form has.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  (Gymnasium's own annotation)

    def __init__(
        self,
        instances: Sequence[Instance] | Instance,
        task: TaskSettings | None = None,
        *,
        histories: Sequence[Instance | None] | Instance | None = None,
        forecast_seed: int = 0,
        integral: bool = False,
        render_mode: None = None,
    ):
        engine = numpy_engine()
        task = _given_task(task)
        if task.foresight:
            raise InputError(field="task.foresight", value=True, expected="False, or the vector form")
        pool = pool_for(task, instances, engine, histories=histories, seed=forecast_seed)
        self._days = [pool.take(np.array([n]), engine) for n in range(len(pool))]
        self.world = World(self._days[0], engine, task, integral=integral)
        self.render_mode = render_mode
        self.observation_space, self.action_space = _spaces(self.world.obs_size, self.world.act_size)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Vector, dict[str, Any]]:
        """Slot 0 of another instance: the observation (O,) and the ``instance``'s place in the list."""
        super().reset(seed=seed)
        chosen = int(self.np_random.integers(len(self._days)))
        self.world.begin(self._days[chosen])
        return self._seen(), {"instance": chosen}

    def step(self, action: Vector) -> tuple[Vector, float, bool, bool, dict[str, Any]]:
        """One slot; ``action`` (A,), cut to [-1,1].

        Raises:
            InputError: other than A finite numbers.
            RuntimeError: the horizon is over and :meth:`reset` was not called.
        """
        if self.world.over:
            raise RuntimeError("the horizon is over: reset the environment before the next step")
        reward, _, outcome = self.world.step(finite(action, "action", (self.world.act_size,))[None])
        info = {"utility": float(outcome.utility[0]), "failed_share": float(self.world.failed[0])}
        return self._seen(), float(reward[0]), self.world.over, False, info

    def _seen(self) -> Vector:
        seen: Vector = self.world.observation()[0].astype(np.float32)
        return seen


class SchedulingVectorEnv(VectorEnv[Vector, Vector, NDArray[Any]]):
    """``num_envs`` instances side by side on the torch engine, as numpy arrays outside.

    All share the clock and end together; the step that ends an episode returns the first observation of the
    next one, and the last of the old one as ``infos["final_obs"]`` (autoreset mode SAME_STEP). ``infos`` of
    every step hold ``utility`` and ``failed_share`` (E,) of the slot just played; at the end ``final_info``
    holds them again, where Gymnasium's own vector environments have them.

    Arguments as for :class:`SchedulingGymEnv`; whole jobs are not offered.
    """

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(
        self,
        instances: Sequence[Instance] | Instance,
        task: TaskSettings | None = None,
        *,
        num_envs: int = 1,
        histories: Sequence[Instance | None] | Instance | None = None,
        forecast_seed: int = 0,
        device: str = "cpu",
    ):
        with extra("learning"):
            from .batched import SchedulingEnv
            from .torch_engine import torch_engine

        place = _given_device(device)
        engine = torch_engine(device=place)
        task = _given_task(task)
        num_envs = whole(num_envs, "num_envs", 1, MOST)
        pool = pool_for(task, instances, engine, histories=histories, seed=forecast_seed)
        check_memory("num_envs", num_envs, num_envs * math.prod(pool.outlook.shape) / len(pool))
        self.inner = SchedulingEnv(pool, task, runs=1, envs_per_run=num_envs, seeds=[0], device=place)
        self.num_envs = num_envs
        self.single_observation_space, self.single_action_space = _spaces(
            self.inner.obs_size, self.inner.act_size
        )
        self.observation_space = gymnasium.vector.utils.batch_space(self.single_observation_space, num_envs)
        self.action_space = gymnasium.vector.utils.batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Vector, dict[str, Any]]:
        """Slot 0 of freshly drawn instances: observations (E,O)."""
        super().reset(seed=seed)
        if seed is not None or self._np_random is None:
            self.inner.reseed([int(self.np_random.integers(2**62))])
        obs, _ = self.inner.reset()
        return _outside(obs), {}

    def step(
        self, actions: Vector
    ) -> tuple[Vector, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """One slot everywhere; ``actions`` (E,A), cut to [-1,1].

        Raises:
            InputError: other than E × A finite numbers.
        """
        said = finite(actions, "action", (self.num_envs, self.inner.act_size))
        done = self.inner.step(self.inner.engine.asarray(np.ascontiguousarray(said)))
        everywhere = np.ones(self.num_envs, dtype=bool)
        infos: dict[str, Any] = {
            "utility": _outside(self.inner.outcome.utility),
            "_utility": everywhere,
            "failed_share": _outside(self.inner.world.failed),
            "_failed_share": everywhere,
        }
        ended = _outside(done.terminated)
        if ended.any():
            last = dict(infos)
            infos |= {"final_obs": _outside(done.final_obs), "_final_obs": ended}
            infos |= {"final_info": last, "_final_info": ended}
        return _outside(done.obs), _outside(done.reward), ended, _outside(done.truncated), infos


def _outside(values: torch.Tensor) -> NDArray[Any]:
    """A numpy array of its own, row after row."""
    return np.array(values.cpu().numpy(), order="C")


def register() -> None:
    """Make ``gymnasium.make("stepwatt/Scheduling-v0", instances=[...])`` and ``make_vec`` known."""
    if ENVIRONMENT not in gymnasium.registry:
        gymnasium.register(
            ENVIRONMENT,
            entry_point=f"{__name__}:SchedulingGymEnv",
            vector_entry_point=f"{__name__}:SchedulingVectorEnv",
        )


register()

__all__ = ["ENVIRONMENT", "SchedulingGymEnv", "SchedulingVectorEnv", "register"]
