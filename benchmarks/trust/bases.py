"""What is valid, and gets changed: a file of each kind, from one small instance and one short training."""

from __future__ import annotations

import contextlib
import json
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import stepwatt as sw
from stepwatt.formulation import Instance
from stepwatt.solvers import solve

from .draws import random_file

ROOT = Path(__file__).resolve().parents[2]

#: First lines of tables in the layouts of others, made by hand.
LAYOUTS = Path(__file__).with_name("layouts")

CSV_HEAD = "timestamp_utc,region,price_usd_per_mwh,carbon_lca_g_per_kwh,pv_cf,wind_cf,temp_c"


@dataclass
class Drawn:
    """An input: its kind, what was changed, the files and words it consists of."""

    kind: str
    files: dict[str, bytes] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)


@dataclass
class Bases:
    """What is valid, and gets changed."""

    instance: dict[str, Any]
    schedule: dict[str, Any]
    result: dict[str, Any]
    comparison: dict[str, Any]
    lines: list[dict[str, Any]]
    state: dict[str, Any]
    series: str
    tables: dict[str, str]
    policy: bytes
    checkpoint: bytes

    @staticmethod
    @cache
    def made(layouts: Path | None = None) -> Bases:
        """All of them; takes some seconds, once."""
        inst = _instance()
        result = solve(inst, "oracle")
        compared = sw.compare(inst, {"greedy": "greedy", "mine": result.schedule}, bound="lp")
        from stepwatt.scores.file import text
        from stepwatt.streaming import Run, run_stream

        lines = [
            {
                "slot": t,
                "arrivals": {
                    name: {k: jobs[t] for k, jobs in by.items()} for name, by in inst.arrivals.items()
                },
                "import_price": {n: s.grid.import_price[t] for n, s in inst.sites.items()},  # type: ignore[index]
            }
            for t in range(inst.n_slots)
        ]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "state.json"
            with contextlib.closing(Run(sw.foresight(), inst, path)) as run:
                list(run_stream(run, [json.dumps(line) for line in lines[:2]]))
            state = json.loads(path.read_text(encoding="utf-8"))
        tables = {}
        for path in sorted((layouts or LAYOUTS).iterdir()):
            with contextlib.suppress(UnicodeDecodeError):  # other encodings are among the changes
                tables[path.name] = path.read_text(encoding="utf-8")[:8000]
        return Bases(
            instance=inst.to_dict(),
            schedule=result.to_dict()["schedule"],
            result=result.to_dict(),
            comparison=json.loads(text(compared.scores)),
            lines=lines,
            state=state,
            series=_series(),
            tables=tables,
            policy=(ROOT / "tests" / "examples" / "policy.npz").read_bytes(),
            checkpoint=_checkpoint(),
        )


def _instance() -> Instance:
    features = {
        "deadline",
        "battery",
        "generator",
        "thermal",
        "demand",
        "link",
        "carbon",
        "backlog",
        "metered",
    }
    file = random_file(np.random.default_rng(5), n_slots=3, n_sites=2, features=features)
    return Instance.from_dict(file)


def _series() -> str:
    rows = [
        f"2018-06-12T{hour:02d}:00:00Z,{zone},{40 + hour},{300 + hour},{0.1 * (hour % 5)},0.4,{15 + hour}"
        for zone in ("DE", "FR")
        for hour in range(6)
    ]
    return "\n".join([CSV_HEAD, *rows]) + "\n"


def training() -> tuple[Any, Any]:
    from toy_envs import Regulator, settings_said

    words = ("algo=sac", "seeds=[0]", "envs_per_run=2", "env_steps=40", "warmup_steps=8", "agent.hidden=[4]",
             "batch_size=4", "log_every=20", "evaluate_every=40", "replay_steps=64")  # fmt: skip
    settings = settings_said(*words)
    return settings, Regulator(settings.seeds, settings.envs_per_run)


def _checkpoint() -> bytes:
    from stepwatt.learning.training.loop import CHECKPOINT, train_agent

    settings, env = training()
    with tempfile.TemporaryDirectory() as folder:
        train_agent(env, settings, folder=Path(folder))
        return (Path(folder) / CHECKPOINT).read_bytes()
