"""How fast the environment is: a batch on torch by its size, and a single instance beside CartPole.

    python -m benchmarks.learning.speed

One thread, CPU seconds. A step of the batch includes decoding, plant, reward, observation and the reset at
the end of the horizon, with the information set "day-ahead". A step of a single instance is that of the
Gymnasium adapter, beside that of ``gymnasium.make("CartPole-v1")`` in interleaved rounds, so that the
ratio of a round hardly depends on what else the machine is doing.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch

import stepwatt as sw
import stepwatt.learning.environment.gym_env
from stepwatt.formulation import Instance
from stepwatt.learning.environment.batched import SchedulingEnv
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.environment.torch_engine import torch_engine
from stepwatt.learning.environment.world import make_pool

from .common import provenance, write_json

RESULTS = Path(__file__).parent / "results" / "speed.json"
SIZES = (1, 16, 64, 256, 1024, 4096)
SCENARIO = "jemas"
DAYS = ("2018-06-10", "2018-06-11", "2018-06-12")
TARGETS = {"steps_per_second_at_1024": 200_000, "ratio_to_cartpole": 20}


def batch_speed(insts: list[Instance], size: int, rounds: int) -> dict[str, float]:
    """Environment steps per CPU second: median and range over rounds of one horizon each."""
    pool = make_pool(insts, "day-ahead", torch_engine())
    env = SchedulingEnv(pool, TaskSettings(), runs=1, envs_per_run=size, seeds=[0])
    env.reset()
    slots = insts[0].n_slots
    actions = torch.rand((10, size, env.act_size)) * 2 - 1
    for n in range(20):
        env.step(actions[n % 10])
    found = []
    for _ in range(rounds):
        begun = time.process_time()
        for n in range(slots):
            env.step(actions[n % 10])
        found.append(size * slots / (time.process_time() - begun))
    return {"median": statistics.median(found), "lowest": min(found), "highest": max(found)}


def single_speed(inst: Instance, rounds: int) -> dict[str, float]:
    """Microseconds of CPU time per step, and the ratio: medians of interleaved rounds."""
    ours = gymnasium.make(stepwatt.learning.environment.gym_env.ENVIRONMENT, instances=[inst])
    theirs = gymnasium.make("CartPole-v1")
    actions = np.random.default_rng(0).uniform(-1, 1, (10, *(ours.action_space.shape or ())))
    moves: list[Any] = list(actions.astype(np.float32))
    pairs = []
    for _ in range(rounds + 1):
        own = _microseconds(ours, moves, 4 * inst.n_slots)
        cart = _microseconds(theirs, [0, 1], 20_000)
        pairs.append((own, cart))
    pairs = pairs[1:]
    ratios = [own / cart for own, cart in pairs]
    return {
        "us_per_step": statistics.median(own for own, _ in pairs),
        "cartpole_us_per_step": statistics.median(cart for _, cart in pairs),
        "ratio": statistics.median(ratios),
        "lowest_ratio": min(ratios),
        "highest_ratio": max(ratios),
    }


def _microseconds(env: gymnasium.Env[Any, Any], moves: list[Any], steps: int) -> float:
    env.reset(seed=0)
    begun = time.process_time()
    for n in range(steps):
        _, _, terminated, truncated, _ = env.step(moves[n % len(moves)])
        if terminated or truncated:
            env.reset()
    return 1e6 * (time.process_time() - begun) / steps


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--rounds", type=int, default=21, help="interleaved rounds of the single instance")
    options.add_argument("--out", type=Path, default=RESULTS)
    chosen = options.parse_args()
    torch.set_num_threads(1)
    insts = [sw.scenario(SCENARIO, start=day) for day in DAYS]
    batches = {}
    for size in SIZES:
        batches[size] = batch_speed(insts, size, rounds=3 if size > 1024 else 5)
        print(
            f"batch {size:5d}: {batches[size]['median']:10,.0f} environment steps per CPU second", flush=True
        )
    single = single_speed(insts[-1], chosen.rounds)
    print(
        f"single instance: {single['us_per_step']:.0f} µs a step, CartPole-v1 "
        f"{single['cartpole_us_per_step']:.1f} µs; ratio {single['ratio']:.1f} "
        f"({single['lowest_ratio']:.1f} to {single['highest_ratio']:.1f})"
    )
    shape = {"sites": len(insts[0].sites), "classes": len(insts[0].classes), "slots": insts[0].n_slots}
    versions = {"numpy": np.__version__, "gymnasium": gymnasium.__version__}
    record = {
        "scenario": {"name": SCENARIO, "days": DAYS, **shape},
        "targets": TARGETS,
        "steps_per_cpu_second": batches,
        "single_instance": single,
        **provenance(),
        **versions,
    }
    write_json(chosen.out, record)
    print(f"written to {chosen.out}")


if __name__ == "__main__":
    main()
