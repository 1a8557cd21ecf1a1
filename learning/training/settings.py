"""The settings of a training: from a TOML file and ``key=value`` words, saved beside the results."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializeAsAny, model_validator

from stepwatt.formulation import InputError
from stepwatt.formulation.files import write_text
from stepwatt.formulation.manifest import revision
from stepwatt.formulation.records import Efficiency, Positive, SettingsRecord, defect, member

from ..agents import AGENTS
from ..options import Count, CountOrNone, Seeds, Size
from ..shapers import SHAPERS


class TrainingSettings(SettingsRecord):
    """What can be set of a training; every number of steps counts transitions of one run."""

    algo: Annotated[str, member(AGENTS)] = "sac"
    """Name of the agent."""
    agent: SerializeAsAny[SettingsRecord] = Field(default_factory=SettingsRecord)
    """The agent's own settings."""
    shaper: Annotated[str, member(SHAPERS)] = "none"
    """Name of the reward shaper, or none."""
    shaping: Mapping[str, Any] = Field(default_factory=dict)
    """The shaper's own settings."""
    seeds: Seeds = (0,)
    """One run per seed, trained side by side; a run's numbers do not depend on the others."""
    envs_per_run: Size = 16
    """Environments each run collects from at the same time."""
    env_steps: CountOrNone = 50_000
    """Transitions to collect; 0 leaves the policy as it begins."""
    updates_per_step: Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False)] = 0.25
    """Gradient updates per collected transition (off-policy agents)."""
    warmup_steps: CountOrNone = 1_000
    """Transitions before the first update (off-policy agents)."""
    warmup_actions: Literal["policy", "uniform"] = "policy"
    """Actions of the warm-up: the policy's with its exploration, or drawn evenly from the box."""
    batch_size: Size = 256
    """Transitions per update (off-policy agents), and per step of the shaper."""
    replay_steps: Count = 200_000
    """Transitions the replay holds."""
    n_step: Count = 1
    """Steps whose rewards a target sums before it bootstraps (off-policy agents)."""
    gamma: Efficiency = 0.99
    """Discount per slot; a plan has it from the horizon. In a batch 0 says that the episode ended."""
    horizon_hours: Positive | None = None
    """Hours after which a reward counts for 1/e now: where given, a plan turns it into gamma by the length of
    its slots, so that slots of any length look as far ahead."""
    centring: bool = True
    """Rewards less their running mean, so that values are around 0 from the beginning."""
    log_every: Count = 1_000
    """Transitions between two lines of the log."""
    evaluate_every: Count = 5_000
    """Transitions between two evaluations; the first and the last policy are always evaluated."""
    checkpoint_every: Count = 20_000
    """Transitions between two checkpoints; the last state is always stored."""
    threads: Annotated[int, Field(ge=1, le=1_024)] = 1
    """Threads of torch; over networks as small as these, several get into each other's way."""

    @model_validator(mode="before")
    @classmethod
    def _of_the_algorithm(cls, values: Any) -> Any:
        """The agent's settings are of the class that its algorithm has."""
        algo, agent = values.get("algo", "sac"), values.get("agent", {})
        if algo not in AGENTS:
            return {**values, "agent": SettingsRecord()}  # the algorithm is told to be unknown
        wanted = AGENTS[algo].settings
        if isinstance(agent, SettingsRecord):
            if type(agent) is not wanted:
                expected = f"{wanted.__name__} for {algo}"
                raise defect(("agent",), type(agent).__name__, expected)
            return values
        try:
            return {**values, "agent": wanted.read(agent)}
        except InputError as error:
            raise error.inside("agent") from None

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        SHAPERS[self.shaper].read(self.shaping)
        if len(set(self.seeds)) != len(self.seeds):
            raise defect(("seeds",), list(self.seeds), "one or more different seeds")
        return self


def save_settings(tables: Mapping[str, Any], path: Path) -> None:
    """Write the resolved tables with versions and, from a checkout, the git revision, as JSON.

    ``settings`` is the table ``training`` again, under the name it had when it stood alone.
    """
    record = {
        **tables,
        "settings": tables["training"],
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("stepwatt", "torch", "numpy")},
        },
        "platform": sys.platform,
        "git": revision(),
    }
    write_text(path, json.dumps(record, indent=2) + "\n")
