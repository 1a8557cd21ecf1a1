"""Inputs of each kind: something valid with one to three changes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

from .bases import Bases, Drawn
from .draws import FEATURES, random_file
from .mutations import Rng, as_text, damaged, mild, mutated, mutated_table, places, value

#: How often an instance, a schedule or a state is changed so that it may well be accepted.
MILD = 0.3

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


def json_file(name: str, base: Callable[[Bases, Rng], Any]) -> Any:
    def make(bases: Bases, rng: Rng, given: Drawn, count: int) -> None:
        data = base(bases, rng)
        change = mild if rng.random() < MILD else mutated
        for _ in range(count):
            data, what = change(rng, data)
            given.changes.append(what)
        given.files[name], what = as_text(rng, data)
        given.changes += [what] if what else []

    return make


def any_instance(bases: Bases, rng: Rng) -> Any:
    features = [name for name in FEATURES if rng.random() < 0.25]
    sizes = {"n_slots": int(rng.integers(1, 4)), "n_sites": int(rng.integers(1, 3))}
    file = random_file(rng, features=features, **sizes)
    file["closes"] = bool(rng.random() < 0.8)
    if rng.random() < 0.3:
        file |= {"timezone": "Europe/Berlin", "currency": "EUR"}
    return file


def lines_file(bases: Bases, rng: Rng, given: Drawn, count: int) -> None:
    lines: list[Any] = list(bases.lines)
    change = mild if rng.random() < MILD else mutated
    for _ in range(count):
        at = int(rng.integers(len(lines)))
        lines[at], what = change(rng, lines[at])
        given.changes.append(f"line {at}: {what}")
    content = b"".join(json.dumps(line).encode("utf-8", "surrogatepass") + b"\n" for line in lines)
    if rng.random() < 0.1:
        content, what = damaged(rng, content)
        given.changes.append(what)
    given.files["slots.jsonl"] = content


def state_file(bases: Bases, rng: Rng, given: Drawn, count: int) -> None:
    data: Any = bases.state
    change = mild if rng.random() < MILD else mutated
    for _ in range(count):
        data, what = change(rng, data)
        given.changes.append(what)
    if isinstance(data, dict) and rng.random() < 0.7:
        data.pop("checksum", None)  # or nothing else would be looked at
    given.files["state.json"], what = as_text(rng, data)
    given.changes += [what] if what else []


def table(name: str, base: Callable[[Bases, Rng], str]) -> Any:
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


def points(bases: Bases, rng: Rng) -> str:
    steps = sorted({int(n) for n in rng.integers(1, 80, rng.integers(2, 9))})
    return "\n".join(["steps,quality", *(f"{s},{1 - np.exp(-0.1 * s):.4f}" for s in steps)]) + "\n"


def any_series(bases: Bases, rng: Rng) -> str:
    names = sorted(bases.tables)
    if names and rng.random() < 0.6:
        return bases.tables[names[rng.integers(len(names))]]
    return bases.series


def toml_file(bases: Bases, rng: Rng, given: Drawn, count: int) -> None:
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


def words(bases: Bases, rng: Rng, given: Drawn, count: int) -> None:
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


def policy_file(bases: Bases, rng: Rng, given: Drawn, count: int) -> None:
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


def checkpoint_file(bases: Bases, rng: Rng, given: Drawn, count: int) -> None:
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


def command(bases: Bases, rng: Rng, given: Drawn, count: int) -> None:
    json_file("instance.json", any_instance)(bases, rng, given, count)
    name = str(rng.choice(["gpus", "load", "x", "carbon_price", "", "revenue_scale"]))
    given.words.append(f"{name}={_spelled(rng)}")
