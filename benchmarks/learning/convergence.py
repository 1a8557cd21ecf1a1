"""Study a: how fast each algorithm learns with each shaper under the sparse reward.

python -m benchmarks.learning.convergence [--seeds 10] [--cells 'sac-*'] [--quick] [--timing]
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median
from typing import Any

from stepwatt.learning.shapers import SHAPERS
from stepwatt.learning.training.loop import train_agent

from .common import Cell, begin, parser, provenance, run_cells, set_up, write_json
from .days import Spread

STUDY = "convergence"
SEEDS = 10
ENV_STEPS = 20_000
SOME = ("none", "placebo", "jemas", "diffusion-potential", "solver-potential")
PAIRS = [("sac", name) for name in SHAPERS] + [(algo, name) for algo in ("td3", "ppo") for name in SOME]

#: In units of reward: what is added is scaled with it. η = 0.4 is the paper's.
SHAPING: dict[str, dict[str, Any]] = {
    "constant": {"value": 0.1},
    "reward-agent": {"weight": 0.4, "update_every": 4},
    "jemas": {"weight": 0.4, "latent": 64, "steps": 3, "update_every": 4},
    "success-rate": {"weight": 0.3, "features": 256},
}
#: Per coordinate of the action, for SAC: of -3, -2, -1, -0.5, 0 and 0.3 the best on validation days, unshaped
#: (-1, -0.5, 0 tried) and shaped by the solver.
TARGET_ENTROPY = 0.0
#: Of the agent's updates, the share after which the biased shapers have faded out.
FADED = 0.5
#: PPO takes few, large rounds: the models learn at every minibatch and are renewed with every rollout.
ROUNDS = {"train_every": 1, "refresh_every": 12}


def training(algo: str, shaper: str, seeds: int, env_steps: int = ENV_STEPS, **more: Any) -> dict[str, Any]:
    """Settings of one cell's training."""
    shaping = dict(SHAPING.get(shaper, {}))
    rate = 0.25
    if shaper in ("regression", "diffusion"):
        shaping["anneal_updates"] = int(FADED * rate * env_steps)
    if algo == "ppo":
        if shaper in ("placebo", "diffusion-potential"):
            shaping |= ROUNDS
        if shaper == "jemas":
            shaping["update_every"] = 1
    agent: dict[str, Any] = {"hidden": [64, 64]}
    if algo == "sac":
        agent["target_entropy"] = TARGET_ENTROPY
    if algo == "ppo":
        agent["rollout_slots"] = 48
    return {
        "algo": algo,
        "agent": agent,
        "shaper": shaper,
        "shaping": shaping,
        "seeds": list(range(seeds)),
        "envs_per_run": 16,
        "env_steps": env_steps,
        "updates_per_step": rate,
        "warmup_steps": 1_000,
        "batch_size": 128,
        "replay_steps": env_steps,
        "gamma": 0.95,
        "evaluate_every": max(env_steps // 20, 1),
        **more,
    }


def cells(seeds: int, quick: bool) -> list[Cell]:
    """All cells; ``quick`` with few days and steps."""
    spread = Spread(train=20, validation=15, test=30) if quick else Spread()
    steps = 2_000 if quick else ENV_STEPS
    return [Cell(f"{algo}-{name}", training(algo, name, seeds, steps), spread=spread) for algo, name in PAIRS]


def timing(seeds: int, rounds: int = 3, updates: int = 100) -> Mapping[str, Any]:
    """CPU seconds of a short training with each shaper of SAC, in turns, so that all meet the same load.

    A round's ratio is that of its own unshaped training before it; the median of the rounds is kept.
    """
    spread = Spread(train=20)
    names = list(SHAPERS)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            plan = training("sac", name, seeds)
            plan |= {"env_steps": 1_000 + 4 * updates, "evaluate_every": 100_000}
            of_cell, made = set_up(Cell("timing", plan, spread=spread))
            begun = time.process_time()
            train_agent(made.env, of_cell.training, agent=made.agent, shaper=made.shaper)
            seconds[name].append(time.process_time() - begun)
    ratios = {
        name: median(a / b for a, b in zip(of, seconds["none"], strict=True)) for name, of in seconds.items()
    }
    return {
        "seeds": seeds,
        "updates": updates,
        "rounds": rounds,
        "cpu_seconds": seconds,
        "ratio": ratios,
        "made": provenance(),
    }


def main() -> None:
    """Run what is missing of the study."""
    options = parser(__doc__)
    options.add_argument("--timing", action="store_true", help="measure the training time of each shaper")
    chosen = options.parse_args()
    seeds = chosen.seeds or (2 if chosen.quick else SEEDS)
    folder = begin(STUDY, chosen)
    plans = cells(seeds, chosen.quick)
    if chosen.list:
        print("\n".join(cell.name for cell in plans))
        return
    if chosen.timing:
        write_json(folder.parent / "timing.json", timing(seeds, rounds=1 if chosen.quick else 3))
        return
    run_cells(
        plans, folder, only=chosen.cells, workers=chosen.workers, say=lambda text: print(text, flush=True)
    )


if __name__ == "__main__":
    main()
