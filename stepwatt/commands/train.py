"""``stepwatt train``: a policy from days of a scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Json


def train(
    settings: Annotated[
        list[str] | None,
        typer.Argument(help="key=value words that win over all else, e.g. env_steps=20000 family.every=4"),
    ] = None,
    scenario: Annotated[
        str | None, typer.Option(help="Scenario whose training days are learned from (jemas).")
    ] = None,
    algo: Annotated[str | None, typer.Option(help="sac (as by default), td3, ddpg or ppo.")] = None,
    shaping: Annotated[
        str | None,
        typer.Option(help="Reward shaper (booked); an unknown name lists the known ones."),
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Seed; several are trained side by side.")] = None,
    codec: Annotated[str | None, typer.Option(help="How actions are coded: direct (or raw, priced).")] = None,
    reward: Annotated[
        str | None, typer.Option(help="sparse (as by default), dense, episode or joint.")
    ] = None,
    information: Annotated[
        str | None,
        typer.Option(help="What the policy sees ahead: day-ahead (or none, persistence, perfect)."),
    ] = None,
    warm_start: Annotated[
        str | None, typer.Option(help="none, or clone: begin from optimal schedules, or prices.")
    ] = None,
    regime: Annotated[
        str | None, typer.Option(help="Where rewards are hard to get: R1, R2, R4 or R5 of the paper.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML file with tables family, task, warm_start, training.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for log, checkpoint and policy.npz.")] = Path(
        "runs/latest"
    ),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in the folder, if there is one.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew where the folder holds a training.")
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write TensorBoard's events, too: OUT/tensorboard.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train a policy; its folder can be given to stepwatt compare.

    The first Ctrl-C stores a checkpoint, from which --resume goes on exactly.

    Example: stepwatt train --algo sac --seed 0 --out runs/sac env_steps=20000
    """
    from ..comparing.accepted import Seeds
    from ..console import print_facts, print_json, working
    from ..learned import train as run

    made = working(
        "train",
        lambda progress: run(
            scenario,
            algo=algo,
            shaping=shaping,
            seed=seed or None,
            codec=codec,
            reward=reward,
            information=information,
            warm_start=warm_start,
            regime=regime,
            config=config,
            settings=settings or [],
            out=out,
            resume=resume,
            overwrite=overwrite,
            tensorboard=tensorboard,
            progress=progress,
        ),
    )
    policies = made.runs if isinstance(made, Seeds) else [made]
    told = []
    for run_number, policy in enumerate(policies):
        about = policy.training
        last = {name: values[run_number] for name, values in about["evaluations"][-1]["metrics"].items()}
        told.append(
            {
                "seed": about["seed"],
                "env_steps": about["env_steps"],
                "updates": about["updates"],
                "cpu_seconds": about["cpu_seconds"],
                **{f"validation_{name}": value for name, value in last.items()},
            }
        )
    if as_json:
        print_json({"folder": str(out), "policies": told})
        return
    for facts in told:
        print_facts([(name.replace("_", " "), f"{value:g}") for name, value in facts.items()])
    print_facts([("folder", str(out))])
