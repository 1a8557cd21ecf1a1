"""How fast environment and PPO are on an accelerator, by size of the batch; on the CPU where there is none.

    python -m benchmarks.learning.accelerator [--device cuda] [--quick]

Wall-clock seconds, since much waits for the device; one horizon before the clock begins. PPO counts
environment steps with everything that is learned from them. A result is written for each device.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch

import stepwatt as sw
from stepwatt.formulation import Instance
from stepwatt.learning.environment.batched import SchedulingEnv
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.environment.torch_engine import torch_engine
from stepwatt.learning.environment.world import make_pool
from stepwatt.learning.training.loop import build_agent, train_agent
from stepwatt.learning.training.settings import TrainingSettings

from .common import RESULTS, provenance, write_json
from .speed import DAYS, SCENARIO

TARGETS = {"environment": 10_000_000, "ppo": 1_000_000}
SIZES = {"cuda": (4_096, 32_768, 131_072, 524_288), "cpu": (1_024, 4_096)}
ROUNDS = 3
#: Slots between two rounds of PPO's updates, and horizons that are trained while the clock runs.
ROLLOUT, HORIZONS = 48, 2


def environment_of(instances: list[Instance], size: int, device: torch.device) -> SchedulingEnv:
    """So many environments on the device, with the task that a training has by default."""
    pool = make_pool(instances, "day-ahead", torch_engine(device=device))
    task = TaskSettings(reward_scale=10.0)
    return SchedulingEnv(pool, task, runs=1, envs_per_run=size, seeds=[0], device=device)


def stepping(instances: list[Instance], size: int, device: torch.device) -> float:
    """Environment steps a second: the median of rounds of one horizon each, random actions."""
    env = environment_of(instances, size, device)
    env.reset()
    actions = torch.rand((10, size, env.act_size), device=device) * 2 - 1

    def horizon() -> float:
        begun = _now(device)
        for n in range(instances[0].n_slots):
            env.step(actions[n % 10])
        return size * instances[0].n_slots / (_now(device) - begun)

    horizon()
    return statistics.median(horizon() for _ in range(ROUNDS))


def training(instances: list[Instance], size: int, device: torch.device) -> float:
    """Environment steps a second of PPO, gradients included."""
    steps = size * instances[0].n_slots

    def settings(horizons: int) -> TrainingSettings:
        agent = {"hidden": [64, 64], "rollout_slots": ROLLOUT, "minibatches": 4, "epochs": 4}
        return TrainingSettings.read(
            {"algo": "ppo", "agent": agent, "envs_per_run": size, "env_steps": horizons * steps}
            | {"evaluate_every": 100 * steps, "log_every": 100 * steps}
        )

    env = environment_of(instances, size, device)
    agent = build_agent(settings(1), env)
    train_agent(env, settings(1), agent=agent)
    begun = _now(device)
    train_agent(env, settings(HORIZONS), agent=agent)
    return HORIZONS * steps / (_now(device) - begun)


def _now(device: torch.device) -> float:
    """Seconds, once the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def main() -> None:
    """Measure one device and write the result."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    found = "cuda" if torch.cuda.is_available() else "cpu"
    options.add_argument("--device", choices=tuple(SIZES), default=found)
    options.add_argument("--quick", action="store_true", help="the smallest batch alone, nothing written")
    chosen = options.parse_args()
    device = torch.device(chosen.device)
    if device.type == "cpu":
        torch.set_num_threads(1)
    instances = [sw.scenario(SCENARIO, start=day) for day in DAYS]
    rows = []
    for size in SIZES[device.type][: 1 if chosen.quick else None]:
        row = {
            "envs": size,
            "environment": stepping(instances, size, device),
            "ppo": training(instances, size, device),
        }
        rows.append(row)
        told = ", ".join(f"{name} {row[name]:,.0f} (target {TARGETS[name]:,})" for name in TARGETS)
        print(f"{size:,} environments: steps a second {told}", flush=True)
    if chosen.quick:
        return
    what = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    path = RESULTS / f"accelerator-{device.type}.json"
    write_json(path, {"device": what, "targets": TARGETS, "by_size": rows, **provenance()})
    print(f"written to {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


if __name__ == "__main__":
    main()
