"""The doors of the tool: for each kind of file something valid, changed, and what must come of reading it.

Rule: an InputError in one line, or something that works all the way to a schedule that ``evaluate`` accepts.
"""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import stepwatt as sw
from stepwatt.data.importers.quality_fit import fit_curves
from stepwatt.data.importers.registry import IMPORTERS, imported
from stepwatt.formulation import Instance, Schedule, evaluate, load, load_schedule
from stepwatt.solvers import METHODS, SolverError, solve

from .draws import FEATURES, random_file
from .mutations import Rng, as_text, damaged, mutated, mutated_table, value

ROOT = Path(__file__).resolve().parents[2]

#: What an instance that was accepted is solved with.
SOLVERS = ("greedy", "rolling", "random", "lp", "oracle", "foresight", "all-off")

CSV_HEAD = "timestamp_utc,region,price_usd_per_mwh,carbon_lca_g_per_kwh,pv_cf,wind_cf,temp_c"

TOML = """
[family]
scenario = "jemas"
regions = ["DE,FR,DK"]
year = 2018
every = 60
[family.parameters]
volatility = 1.5
[task]
codec = "direct"
reward = "sparse"
reward_scale = 10.0
[warm_start]
kind = "none"
[training]
algo = "sac"
env_steps = 256
gamma = 0.95
seeds = [0, 1]
agent = { hidden = [8, 8] }
"""

WORDS = ("env_steps=64", "agent.hidden=[8]", "family.every=60", "task.codec=priced", "gamma=0.9", "algo=td3",
         "seeds=[0,1]", "warm_start.kind=clone", "task.foresight=true", "shaping.x=1", "shaper=none",
         "family.parameters.gpus=64", "agent.actor_rate=0.001", "batch_size=16",
         "task.information=perfect")  # fmt: skip


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
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "state.json"
            with contextlib.closing(Run(sw.foresight(), inst, path)) as run:
                list(run_stream(run, [json.dumps(line) for line in lines[:2]]))
            state = json.loads(path.read_text(encoding="utf-8"))
        tables = {}
        for path in sorted(layouts.iterdir()) if layouts else ():
            with contextlib.suppress(UnicodeDecodeError):
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


def _training() -> tuple[Any, Any]:
    from toy_envs import Regulator, settings_said

    words = ("algo=sac", "seeds=[0]", "envs_per_run=2", "env_steps=40", "warmup_steps=8", "agent.hidden=[4]",
             "batch_size=4", "log_every=20", "evaluate_every=40", "replay_steps=64")  # fmt: skip
    settings = settings_said(*words)
    return settings, Regulator(settings.seeds, settings.envs_per_run)


def _checkpoint() -> bytes:
    import tempfile

    from stepwatt.learning.training.loop import CHECKPOINT, train_agent

    settings, env = _training()
    with tempfile.TemporaryDirectory() as folder:
        train_agent(env, settings, folder=Path(folder))
        return (Path(folder) / CHECKPOINT).read_bytes()


# ------------------------------------------------------------------------------------------------ inputs


def drawn(bases: Bases, rng: Rng, changes: int | None = None) -> Drawn:
    """An input; ``changes`` limits how many there are of those that were drawn."""
    names = list(KINDS)
    share = np.array([KINDS[name].share for name in names])
    kind = str(rng.choice(names, p=share / share.sum()))
    given = Drawn(kind)
    KINDS[kind].make(bases, rng, given, _count(rng, changes))
    return given


def used(bases: Bases, given: Drawn, folder: Path, rng: Rng) -> str:
    """What comes of an input, in a word."""
    return KINDS[given.kind].use(bases, folder, given, rng)


def _count(rng: Rng, most: int | None) -> int:
    count = int(rng.choice([1, 2, 3], p=[0.6, 0.25, 0.15]))
    return count if most is None else min(count, most)


def _json(name: str, base: Callable[[Bases, Rng], Any]) -> Any:
    def make(bases: Bases, rng: Rng, given: Drawn, count: int) -> None:
        data = base(bases, rng)
        for _ in range(count):
            data, what = mutated(rng, data)
            given.changes.append(what)
        given.files[name], what = as_text(rng, data)
        given.changes += [what] if what else []

    return make


def _any_instance(bases: Bases, rng: Rng) -> Any:
    features = [name for name in FEATURES if rng.random() < 0.25]
    sizes = {"n_slots": int(rng.integers(1, 4)), "n_sites": int(rng.integers(1, 3))}
    file = random_file(rng, features=features, **sizes)
    file["closes"] = bool(rng.random() < 0.8)
    if rng.random() < 0.3:
        file |= {"timezone": "Europe/Berlin", "currency": "EUR"}
    return file


def _lines(bases: Bases, rng: Rng, given: Drawn, count: int) -> None:
    lines: list[Any] = list(bases.lines)
    for _ in range(count):
        at = int(rng.integers(len(lines)))
        lines[at], what = mutated(rng, lines[at])
        given.changes.append(f"line {at}: {what}")
    content = b"".join(json.dumps(line).encode("utf-8", "surrogatepass") + b"\n" for line in lines)
    if rng.random() < 0.1:
        content, what = damaged(rng, content)
        given.changes.append(what)
    given.files["slots.jsonl"] = content


def _state(bases: Bases, rng: Rng, given: Drawn, count: int) -> None:
    data: Any = bases.state
    for _ in range(count):
        data, what = mutated(rng, data)
        given.changes.append(what)
    if isinstance(data, dict) and rng.random() < 0.7:
        data.pop("checksum", None)  # or nothing else would be looked at
    given.files["state.json"], what = as_text(rng, data)
    given.changes += [what] if what else []


def _table(name: str, base: Callable[[Bases, Rng], str]) -> Any:
    def make(bases: Bases, rng: Rng, given: Drawn, count: int) -> None:
        text = base(bases, rng)
        cut = ";" if text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",") else ","
        for _ in range(count):
            text, what = mutated_table(rng, text, cut)
            given.changes.append(what)
        content = text.encode("utf-8", "surrogatepass")
        if rng.random() < 0.15:
            content, what = damaged(rng, content)
            given.changes.append(what)
        ending = str(
            rng.choice([".csv", ".csv", ".csv", ".csv.gz", ".zip", ".xz", ".tar.gz", ".zst", ".txt"])
        )
        given.files[name + (ending if rng.random() < 0.3 else ".csv")] = content

    return make


def _points(bases: Bases, rng: Rng) -> str:
    steps = sorted({int(n) for n in rng.integers(1, 80, rng.integers(2, 9))})
    return "\n".join(["steps,quality", *(f"{s},{1 - np.exp(-0.1 * s):.4f}" for s in steps)]) + "\n"


def _any_series(bases: Bases, rng: Rng) -> str:
    names = sorted(bases.tables)
    if names and rng.random() < 0.6:
        return bases.tables[names[rng.integers(len(names))]]
    return bases.series


def _toml(bases: Bases, rng: Rng, given: Drawn, count: int) -> None:
    lines = TOML.strip().splitlines()
    for _ in range(count):
        at = int(rng.integers(len(lines)))
        key, equals, _ = lines[at].partition(" = ")
        action = rng.choice(["value", "value", "value", "lose", "double", "rename", "table"])
        if action == "value" and equals:
            lines[at] = f"{key} = {_spelled(rng)}"
        elif action == "lose":
            del lines[at]
        elif action == "double":
            lines.insert(at, lines[at])
        elif action == "rename":
            lines[at] = f"{rng.choice(['x', 'algo', '', 'a.b', 'hidden'])}{equals}{_spelled(rng)}"
        else:
            lines.insert(at, f"[{rng.choice(['x', 'training', 'training.agent', 'task.codec', 'family'])}]")
        given.changes.append(f"{action} at {at}")
    content = "\n".join(lines).encode("utf-8", "surrogatepass")
    given.files["config.toml"] = damaged(rng, content)[0] if rng.random() < 0.1 else content


def _spelled(rng: Rng) -> str:
    drawn_value = value(rng)
    texts = (
        "{}",
        "[1,",
        "'x",
        "1e400",
        "2018-06-12",
        "0x1F",
        "1_000",
        "inf",
        "nan",
        "{a=1}",
        "[[1]]",
        "-1",
        "1e12",
    )
    if rng.random() < 0.4:
        return texts[rng.integers(len(texts))]
    return "true" if drawn_value is True else json.dumps(drawn_value)


def _words(bases: Bases, rng: Rng, given: Drawn, count: int) -> None:
    for _ in range(count):
        key = WORDS[rng.integers(len(WORDS))].partition("=")[0]
        if rng.random() < 0.15:
            key = str(
                rng.choice(
                    ["", ".", "a.b.c", "training", "agent", "seeds.x", "family.", "task..codec", "\u00e9"]
                )
            )
        given.words.append(f"{key}={_spelled(rng)}" if rng.random() < 0.95 else key)
    given.words += [WORDS[rng.integers(len(WORDS))]]
    given.changes = list(given.words)


class _Opened:
    """Unpickled, it would show: no file may do so."""

    def __reduce__(self) -> Any:
        return open, ("executed", "w")


def _policy(bases: Bases, rng: Rng, given: Drawn, count: int) -> None:
    if rng.random() < 0.2:
        given.files["policy.npz"], what = damaged(rng, bases.policy)
        given.changes.append(what)
        return
    with np.load(io.BytesIO(bases.policy)) as archive:
        arrays: dict[str, Any] = {name: archive[name] for name in archive.files}
    for _ in range(count):
        name = str(rng.choice(sorted(arrays)))
        if name == "about" or rng.random() < 0.3:
            about, what = (
                mutated(rng, json.loads(str(arrays["about"]))) if "about" in arrays else ({}, "none")
            )
            arrays["about"] = np.array(json.dumps(about))
            given.changes.append(f"about{what}")
            continue
        arrays[name], what = _other_array(rng, arrays[name])
        given.changes.append(f"{name} {what}")
        if rng.random() < 0.1:
            arrays[str(rng.choice(["x", "../x", "net.layers.9.weight", ""]))] = arrays.pop(name)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as out:
        for name, values in arrays.items():
            with io.BytesIO() as part:
                np.save(part, values, allow_pickle=True)
                out.writestr(f"{name}.npy", part.getvalue())
    given.files["policy.npz"] = packed.getvalue()


def _other_array(rng: Rng, values: Any) -> tuple[Any, str]:
    ways: dict[str, Callable[[], Any]] = {
        "NaN": lambda: np.full_like(values, np.nan),
        "huge": lambda: np.full_like(values, 3e38),
        "double": lambda: values.astype(np.float64),
        "integers": lambda: np.zeros(values.shape, dtype=np.int64),
        "texts": lambda: np.full(values.shape, "x"),
        "flat": lambda: values.ravel(),
        "shorter": lambda: np.atleast_1d(values)[..., :-1],
        "empty": lambda: np.atleast_1d(values)[:0],
        "scalar": lambda: np.array(1.0),
        "complex": lambda: values.astype(complex),
        "objects": lambda: np.array([_Opened()], dtype=object),
        "large": lambda: np.broadcast_to(np.float32(0), (1, 3000, 3000)).copy(),
    }
    name = str(rng.choice(sorted(ways)))
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f":
        name = "scalar"
    return ways[name](), name


def _damaged_checkpoint(bases: Bases, rng: Rng, given: Drawn, count: int) -> None:
    import torch

    if rng.random() < 0.25:
        given.files["checkpoint.pt"], what = damaged(rng, bases.checkpoint)
        given.changes.append(what)
        return
    state = torch.load(io.BytesIO(bases.checkpoint), weights_only=True)
    for _ in range(count):
        given.changes.append(_change_state(rng, state))
    packed = io.BytesIO()
    torch.save(state, packed)
    given.files["checkpoint.pt"] = packed.getvalue()


def _change_state(rng: Rng, state: Any) -> str:
    import torch

    from .mutations import places

    holder, key, path = (found := places(state))[rng.integers(len(found))]
    old = holder[key]
    if isinstance(old, torch.Tensor) and rng.random() < 0.8:
        ways: dict[str, Callable[[], Any]] = {
            "flat": lambda: old.reshape(-1),
            "longer": lambda: torch.cat([old.reshape(-1), old.reshape(-1)]),
            "empty": lambda: old.reshape(-1)[:0],
            "scalar": lambda: torch.tensor(1.0),
            "double": lambda: old.double(),
            "integers": lambda: torch.zeros(old.shape, dtype=torch.int64),
            "NaN": lambda: torch.full(old.shape, float("nan")),
            "text": lambda: "x",
            "complex": lambda: torch.zeros(old.shape, dtype=torch.complex64),
            "sparse": lambda: torch.zeros(3, 3).to_sparse(),
            "huge": lambda: torch.zeros(1).expand(10**9),
        }
        name = str(rng.choice(sorted(ways)))
        holder[key] = ways[name]()
        return f"{path} {name}"
    if rng.random() < 0.3:
        del holder[key]
        return f"{path} deleted"
    holder[key] = _Opened() if rng.random() < 0.05 else value(rng)
    return f"{path} = {str(holder[key])[:40]}"


# ------------------------------------------------------------------------------------------- what it is for


def _use_instance(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    inst = load(folder / "instance.json")
    method = SOLVERS[rng.integers(len(SOLVERS))]
    try:
        result = solve(inst, method, gap=1e-2, time_limit=3.0, seed=int(rng.integers(9)))
    except SolverError:
        return f"solver error ({method})"
    if result.schedule is None:
        return f"{result.status} ({method})"
    again = load_again(inst, result.schedule, folder)
    judged = evaluate(inst, again)
    assert judged.utility == result.utility, f"{method}: {result.utility}, from its file {judged.utility}"
    _finite(judged)
    if judged.broken and METHODS[method].kind != "bound":
        # the command tells it and ends with 1; of numbers that somebody could mean it must not happen
        assert _absurd(json.loads((folder / "instance.json").read_bytes())), (
            f"{method} breaks {judged.broken}"
        )
        return f"told as broken ({method})"
    if result.bound is not None and judged.feasible:
        over = judged.utility - result.bound
        most = max(abs(v) for v in judged.breakdown.values())
        assert over <= 1e-5 * most + 1e-9, f"{method} has {judged.utility}, bound {result.bound}"
    return "solved"


def _absurd(node: Any) -> bool:
    """Whether there are numbers that nobody can mean, of a size at which doubles have no room for digits."""
    if isinstance(node, dict | list):
        return any(map(_absurd, node.values() if isinstance(node, dict) else node))
    return isinstance(node, int | float) and not (node == 0 or 1e-9 <= abs(node) <= 1e8)


def load_again(inst: Instance, schedule: Schedule, folder: Path) -> Schedule:
    """The schedule as its file has it."""
    schedule.save(inst, folder / "schedule.json")
    return load_schedule(inst, folder / "schedule.json")


def _finite(judged: Any) -> None:
    numbers = [
        judged.utility,
        *judged.breakdown.values(),
        *judged.metrics.values(),
        *judged.violations.values(),
    ]
    assert np.isfinite(numbers).all(), f"numbers that are not finite: {numbers}"


def _use_schedule(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    inst = Instance.from_dict(bases.instance)
    judged = evaluate(inst, load_schedule(inst, folder / "schedule.json"))
    _finite(judged)
    return "feasible" if judged.feasible else "infeasible"


def _use_comparison(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    compared = sw.Comparison.load(folder / "comparison.json")
    compared.to_markdown(), compared.to_latex(), compared.results, compared.statistics
    if rng.random() < 0.1:
        compared.to_html(folder / "page.html")
    return "read"


def _use_stream(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    from stepwatt.streaming import Run, run_stream

    inst = Instance.from_dict(bases.instance)
    state = folder / "state.json" if "state.json" in given.files else None
    path = folder / "slots.jsonl"
    if not path.exists():
        path.write_text("".join(json.dumps(line) + "\n" for line in bases.lines), encoding="utf-8")
    with contextlib.closing(Run(sw.foresight(), inst, state)) as run, path.open(encoding="utf-8") as lines:
        for decision in run_stream(run, lines):
            text = json.dumps(decision, allow_nan=False)
            assert text
    return "ran"


def _use_points(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    steps, quality = imported(folder / next(iter(given.files)), "quality-points", "points")
    for fit in fit_curves(steps, quality):
        assert np.isfinite([fit.rmse, *fit.parameters.values()]).all(), f"{fit}"
    return "fitted"


def _use_series(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    path = folder / next(iter(given.files))
    names = sorted(name for name, one in IMPORTERS.items() if name != "quality-points")
    name = names[rng.integers(len(names))]
    read = IMPORTERS[name].read(path)
    if IMPORTERS[name].gives != "series":
        return f"read ({name})"
    zones = sorted(read.index.unique("zone"))
    first = read.loc[zones[0]].index[0]
    inst = sw.scenario(
        "jemas", start=first.isoformat(), zones=zones[:2], n_slots=2, slot_minutes=30, series=read
    )
    result = solve(inst, "greedy")
    assert result.evaluation is None or result.evaluation.feasible
    return "planned"


def _use_toml(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    from stepwatt.learning.training.run import read_plan

    read_plan(folder / "config.toml")
    return "read"


def _use_words(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    from stepwatt.learning.training.run import read_plan

    read_plan(None, given.words)
    return "read"


def _use_policy(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    from stepwatt.learned import load_policy

    with _nothing_runs(folder):
        policy = load_policy(folder / "policy.npz")
        inst = sw.scenario("jemas", start="2018-06-12T06:00", n_slots=2, slot_minutes=30)
        schedule = policy.schedule(inst)
    assert evaluate(inst, schedule).feasible
    return "played"


def _use_checkpoint(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    from stepwatt.learning.training.loop import train_agent

    settings, env = _training()
    with _nothing_runs(folder):
        train_agent(env, settings, folder=folder, resume=True)
    return "resumed"


@contextlib.contextmanager
def _nothing_runs(folder: Path) -> Any:
    with contextlib.chdir(folder):
        try:
            yield
        finally:
            if (folder / "executed").exists():
                raise AssertionError("code in the file was executed")


def _use_command(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    from stepwatt.cli import run

    place = folder / "instance.json"
    commands = (
        ["evaluate", str(place), str(place)],
        ["solve", str(place), "--method", "greedy", "--out", str(folder / "result.json")],
        ["export", str(place), "--out", str(folder / "model.mps")],
        ["compare", str(place), "--policy", "greedy", "--bound", "lp", "--out", str(folder / "table.md")],
        ["explain", str(place)],
        ["scenario", "jemas", "--slots", "2", "--out", str(folder / "made.json"), "--set", *given.words[:1]],
    )
    code = run(list(commands[rng.integers(len(commands))]))
    assert code in (0, 1, 2), f"exit code {code}"
    return f"exit {code}"


def _command(bases: Bases, rng: Rng, given: Drawn, count: int) -> None:
    _json("instance.json", _any_instance)(bases, rng, given, count)
    name = str(rng.choice(["gpus", "load", "x", "carbon_price", "", "revenue_scale"]))
    given.words.append(f"{name}={_spelled(rng)}")


@dataclass(frozen=True)
class Kind:
    """How inputs of a kind are made and used, and their share of all."""

    share: float
    make: Callable[[Bases, Rng, Drawn, int], None]
    use: Callable[[Bases, Path, Drawn, Rng], str]


KINDS: dict[str, Kind] = {
    "instance": Kind(38, _json("instance.json", _any_instance), _use_instance),
    "schedule": Kind(10, _json("schedule.json", lambda b, _: b.schedule), _use_schedule),
    "result": Kind(5, _json("schedule.json", lambda b, _: b.result), _use_schedule),
    "comparison": Kind(4, _json("comparison.json", lambda b, _: b.comparison), _use_comparison),
    "slot lines": Kind(8, _lines, _use_stream),
    "state": Kind(8, _state, _use_stream),
    "quality points": Kind(4, _table("points", _points), _use_points),
    "series": Kind(8, _table("series", _any_series), _use_series),
    "TOML": Kind(4, _toml, _use_toml),
    "words": Kind(4, _words, _use_words),
    "policy": Kind(3, _policy, _use_policy),
    "checkpoint": Kind(1, _damaged_checkpoint, _use_checkpoint),
    "command": Kind(3, _command, _use_command),
}
