"""The settings of a training: from a TOML file and ``key=value`` words, saved beside the results."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stepwatt.formulation import InputError
from stepwatt.formulation.errors import one_of

from ..agents import AGENTS
from ..agents.sac import SACSettings
from ..options import Options, option, plain, read_options


@dataclass(frozen=True)
class TrainingSettings(Options):
    """What can be set of a training; every number of steps counts transitions of one run."""

    algo: str = option("sac")
    """Name of the agent."""
    agent: Options = field(default_factory=SACSettings)
    """The agent's own settings."""
    shaper: str = option("none")
    """Name of the reward shaper, or none."""
    shaping: Mapping[str, Any] = field(default_factory=dict)
    """The shaper's own settings; whoever builds the shaper checks them."""
    seeds: tuple[int, ...] = option((0,), low=0)
    """One run per seed, trained side by side; a run's numbers do not depend on the others."""
    envs_per_run: int = option(16, low=1)
    """Environments each run collects from at the same time."""
    env_steps: int = option(50_000, low=0)
    """Transitions to collect; 0 leaves the policy as it begins."""
    updates_per_step: float = option(0.25, above=0)
    """Gradient updates per collected transition (off-policy agents)."""
    warmup_steps: int = option(1_000, low=0)
    """Transitions before the first update (off-policy agents)."""
    warmup_actions: str = option("policy", one_of=("policy", "uniform"))
    """Actions of the warm-up: the policy's with its exploration, or drawn evenly from the box."""
    batch_size: int = option(256, low=1)
    """Transitions per update (off-policy agents), and per step of the shaper."""
    replay_steps: int = option(200_000, low=1)
    """Transitions the replay holds."""
    n_step: int = option(1, low=1)
    """Steps whose rewards a target sums before it bootstraps (off-policy agents)."""
    gamma: float = option(0.99, low=0, high=1)
    """Discount per slot."""
    log_every: int = option(1_000, low=1)
    """Transitions between two lines of the log."""
    evaluate_every: int = option(5_000, low=1)
    """Transitions between two evaluations; the first and the last policy are always evaluated."""
    checkpoint_every: int = option(20_000, low=1)
    """Transitions between two checkpoints; the last state is always stored."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise InputError(field="seeds", value=list(self.seeds), expected="one or more different seeds")
        wanted = AGENTS[self.algo].settings
        if type(self.agent) is not wanted:
            raise InputError(
                field="agent", value=type(self.agent).__name__, expected=f"{wanted.__name__} for {self.algo}"
            )


def read_settings(file: str | Path | None = None, overrides: Sequence[str] = ()) -> TrainingSettings:
    """Settings from a TOML file (or none) and words ``key=value``, which win; ``agent.key`` reaches inside.

    Raises InputError (one line: file, field, value, what was expected) for whatever does not fit.
    """
    values: dict[str, Any] = {}
    name = None if file is None else str(file)
    if file is not None:
        try:
            values = tomllib.loads(Path(file).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as why:
            raise InputError(
                field="(file)", value=str(why), expected="a readable TOML file", file=name
            ) from None
    for word in overrides:
        _override(values, word)
    return settings_of(values, name)


def settings_of(values: Mapping[str, Any], file: str | None = None) -> TrainingSettings:
    """Settings from nested dictionaries, as TOML or ``plain`` give them. Raises InputError."""
    values = dict(values)
    algo = values.get("algo", "sac")
    if algo not in AGENTS:
        raise InputError(field="algo", value=algo, expected=one_of(AGENTS, algo), file=file)
    agent = values.get("agent", {})
    if not isinstance(agent, Mapping):
        raise InputError(field="agent", value=agent, expected="a table", file=file)
    try:
        values["agent"] = read_options(AGENTS[algo].settings, agent, file)
    except InputError as defect:
        raise defect.inside("agent") from None
    return read_options(TrainingSettings, values, file)


def _override(values: dict[str, Any], word: str) -> None:
    key, equals, text = word.partition("=")
    if not equals or not key:
        raise InputError(field="(override)", value=word, expected="key=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *tables, last = key.strip().split(".")
    for table in tables:
        inner = values.setdefault(table, {})
        if not isinstance(inner, dict):
            raise InputError(field=key, value=value, expected=f"{table} to be a table")
        values = inner
    values[last] = value


def save_settings(settings: TrainingSettings, path: Path) -> None:
    """Write the resolved settings with versions and, from a checkout, the git revision, as JSON."""
    record = {
        "settings": plain(settings),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("stepwatt", "torch", "numpy")},
        },
        "platform": sys.platform,
        "git": _revision(),
    }
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _revision() -> str | None:
    """The commit this file belongs to, with "+changes" if the checkout has any; None outside a checkout."""
    git = shutil.which("git")
    if git is None:
        return None
    here = Path(__file__).resolve()

    def ask(*words: str) -> str | None:
        done = subprocess.run(
            [git, "-C", str(here.parent), *words], capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else None

    if ask("ls-files", "--error-unmatch", here.name) is None:
        return None
    revision = ask("rev-parse", "HEAD")
    return f"{revision}+changes" if ask("status", "--porcelain", "--untracked-files=no") else revision
