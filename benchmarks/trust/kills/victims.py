"""What is killed: tiny commands, the files they leave, and which of these are whole at any moment."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import stepwatt as sw

SLOTS = 12
_TRAINING = (
    *("env_steps=240", "checkpoint_every=48", "log_every=24", "evaluate_every=120", "warmup_steps=48"),
    *("batch_size=8", "agent.hidden=[8]"),
    *('family.regions=["DE,FR"]', "family.slot_minutes=60", "family.every=300"),
)
_OUTPUTS = ("c.html", "c.json", "c.csv", "c.statistics.csv", "c.md", "c.tex")
_COMPARED = ("compare", "day.json", "--policy=lp", "--policy=greedy", "--policy=all-off", "--policy=oracle")


#: What is wrong with a content, or "".
Check = Callable[[bytes], str]


@dataclass(frozen=True, eq=False)
class Victim:
    """A command whose output files, given twice, are the same.

    Attributes:
        name: what it is called.
        program: ``stepwatt``, or a module.
        words: of the command line; the same again goes on.
        replaced: outputs that may be there before, of which either the old or the new one is whole.
        growing: file (a pattern) → what may be wrong with it in the middle of the work.
        streamed: whether its output is a stream of decisions.
        anew: whether it must be begun anew every time, as it starts processes itself.
        exact: whether files are the same bit for bit, but for dates; else JSON is, without seconds.
        every: it has one trial where others have so many.
    """

    name: str
    program: str
    words: tuple[str, ...]
    replaced: tuple[str, ...] = ()
    growing: dict[str, Check] = field(default_factory=dict)
    streamed: bool = False
    anew: bool = False
    exact: bool = True
    every: int = 1

    def same(self, name: str, one: bytes, other: bytes) -> bool:
        """Whether two contents of a file say the same."""
        if one == other:
            return True
        if (
            name.endswith(".pt") and not _zip(one) and not _zip(other)
        ):  # pickled strings that are one or equal are not the same bytes
            return _states(one) == _states(other)
        if not name.endswith(".json") or _json(one) or _json(other):
            return False
        passing = {"date"} if self.exact else {"date", "outputs", "seconds"}
        return bool(_without(passing, json.loads(one)) == _without(passing, json.loads(other)))


def _states(content: bytes) -> Any:
    """A checkpoint as plain values: tensors by their bits, which tell no two NaN apart."""
    import torch

    def plain(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return str(value.dtype), tuple(value.shape), value.contiguous().numpy().tobytes()
        if isinstance(value, dict):
            return {name: plain(inner) for name, inner in value.items()}
        return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value

    return plain(torch.load(BytesIO(content), weights_only=True))


def _without(names: set[str], value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without(names, inner) for name, inner in value.items() if name not in names}
    return [_without(names, inner) for inner in value] if isinstance(value, list) else value


def ground(folder: Path) -> None:
    """Make the files that victims read."""
    folder.mkdir(parents=True, exist_ok=True)
    day = sw.scenario("jemas", start="2018-06-12T06:00", zones=["DE", "FR", "DK"], n_slots=SLOTS)
    day.save(folder / "day.json")
    sw.load_policy("jemas").save(folder / "policy.npz")
    lines = [
        json.dumps({"slot": t, "import_price": {name: site.grid.import_price[t] + t}})
        for t in range(SLOTS)
        for name, site in list(day.sites.items())[:1]
    ]
    (folder / "slots.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _json(content: bytes) -> str:
    try:
        json.loads(content)
    except ValueError as error:
        return str(error)
    return ""


def _lines(content: bytes) -> str:
    """Of a log; the last line may be cut, and is dropped when it is read."""
    return next((wrong for line in content.split(b"\n")[:-1] if (wrong := _json(line))), "")


def _state(content: bytes) -> str:
    wrong = _json(content)
    if wrong:
        return wrong
    data = json.loads(content)
    said = data.pop("checksum")
    found = hashlib.sha256(json.dumps(data).encode()).hexdigest()[:16]
    return "" if said == found else "the checksum is another"


def _zip(content: bytes) -> str:
    try:
        return zipfile.ZipFile(BytesIO(content)).testzip() or ""
    except zipfile.BadZipFile as error:
        return str(error)


def _run(name: str, policy: str) -> Victim:
    words = ("run", policy, "day.json", "--state", "state.json", "--slots", "slots.jsonl")
    return Victim(name, "stepwatt", words, growing={"state.json": _state}, streamed=True)


VICTIMS = (
    Victim(
        "solve",
        "stepwatt",
        ("solve", "day.json", "--out", "r.json", "--prices", "p.csv"),
        replaced=("r.json", "p.csv"),
    ),
    Victim("export", "stepwatt", ("export", "day.json", "--out", "m.mps"), replaced=("m.mps",)),
    Victim(
        "compare",
        "stepwatt",
        (*_COMPARED, *(f"--out={name}" for name in _OUTPUTS)),
        replaced=_OUTPUTS,
        growing={"c.html.runs/*.run.json": _json},
    ),
    Victim(
        "compare --keep",
        "stepwatt",
        (*_COMPARED, "--keep=kept", "--out=c.json", "--out=c.csv"),
        replaced=("c.json", "c.csv"),
        growing={"kept/*.run.json": _json},
    ),
    Victim(
        "compare --workers",
        "stepwatt",
        (*_COMPARED, "--workers=2", "--out=c.json"),
        replaced=("c.json",),
        growing={"c.json.runs/*.run.json": _json},
        anew=True,
        exact=False,
        every=5,
    ),
    _run("run foresight", "foresight"),
    _run("run trained", "policy.npz"),
    Victim(
        "train",
        "stepwatt",
        ("train", "--resume", "--shaping=none", "--out=t", *_TRAINING),
        growing={"t/settings.json": _json, "t/log.jsonl": _lines, "t/checkpoint.pt": _zip},
    ),
    Victim(
        "study",
        "benchmarks.distributed",
        ("--quick", "--only", "example-1", "example-2", "--out=study"),
        growing={"study/*.json": _json},
    ),
)

#: Not killed itself: only its workers are.
MANY = Victim("solve_many", "benchmarks.trust.kills.many", ("many.json",), anew=True, exact=False)

BY_NAME = {victim.name: victim for victim in (*VICTIMS, MANY)}
