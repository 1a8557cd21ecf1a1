"""How a result came about, in a file beside it: command, settings, seeds, versions, machine, digests."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from .errors import InputError
from .files import make_room
from .records import MISSING, Record, as_input_error, json_text, read_json

SCHEMA = "stepwatt.manifest/1"
ENDING = ".manifest.json"

#: Bytes of a file's name that file systems take.
_LONGEST = 255

#: Packages that have a say in numbers, those that are installed.
PACKAGES = (
    *("stepwatt", "numpy", "scipy", "pandas", "pydantic", "pyomo", "highspy", "cvxpy", "clarabel"),
    *("joblib", "llvmlite", "torch", "gymnasium"),
)

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Made(Record):
    """Where and when: date in UTC, ``git`` with ``+changes``, or None outside a checkout."""

    date: str
    machine: str
    python: str
    packages: dict[str, str]
    git: str | None


class Manifest(Record):
    """How files came about.

    ``inputs`` and ``outputs`` hold the SHA-256 of every file: inputs as they were named, outputs beside the
    manifest.
    """

    schema_: Literal["stepwatt.manifest/1"] = Field(alias="schema")
    command: list[str]
    settings: dict[str, Any]
    seeds: list[int]
    inputs: dict[str, Digest]
    outputs: dict[str, Digest]
    made: Made


def with_manifest(
    files: Mapping[Path, str | bytes],
    *,
    settings: Mapping[str, Any],
    seeds: Iterable[int],
    inputs: Iterable[str | Path] = (),
) -> dict[Path, str | bytes]:
    """The files, to be written together, and their manifest beside the first of them.

    Nothing lies beside what is no regular file (a pipe, a terminal): there the files are all.
    """
    regular = _regular(files)
    if not regular:
        return dict(files)
    program, *words = getattr(sys, "argv", None) or [""]
    here = Path(program)
    manifest = {
        "schema": SCHEMA,
        "command": [here.parent.name if here.stem == "__main__" else here.name, *words],
        "settings": dict(settings),
        "seeds": list(seeds),
        # what is no regular file could be read but once
        "inputs": {str(path): _digest(Path(path).read_bytes()) for path in inputs if Path(path).is_file()},
        "outputs": {path.name: _digest(files[path]) for path in regular},
        "made": made(),
    }
    return {**files, manifest_beside(regular[0]): json_text(manifest)}


def make_rooms(paths: Iterable[Path]) -> None:
    """Make sure, before long work, that these files and their manifest can be written.

    Raises:
        InputError: a place that cannot be written, the name of a manifest, or a file given twice.
    """
    files = list(paths)
    for path in files:
        if path.name.endswith(ENDING):
            raise InputError(field="file", value=str(path), expected=f"a name that does not end in {ENDING}")
    make_room(*files, *map(manifest_beside, _regular(files)[:1]))


def manifest_beside(path: str | Path) -> Path:
    """Where the manifest of a command lies whose first output this is."""
    name = Path(path).name
    while len(os.fsencode(name)) > _LONGEST - len(ENDING):
        name = name[:-1]
    return Path(path).with_name(name + ENDING)


def _regular(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.is_file() or not path.exists()]


def load_manifest(path: str | Path) -> Manifest:
    """Read a manifest.

    Raises:
        InputError: which names file, field, value and what was expected.
    """
    data = read_json(path)
    try:
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            found = data.get("schema", MISSING) if isinstance(data, dict) else data
            raise InputError(field="schema", value=found, expected=SCHEMA)
        try:
            return Manifest.model_validate(data)
        except ValidationError as error:
            raise as_input_error(error, data) from None
    except InputError as defect:
        raise defect.in_file(str(path)) from None


def made() -> dict[str, Any]:
    """Where and when something is made, and with what: the fields of :class:`Made`."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "packages": dict(_versions()),
        "git": revision(),
    }


def _versions() -> Iterable[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def revision() -> str | None:
    """The commit of this code, with "+changes" if the checkout has any; None outside a checkout."""
    git, here = shutil.which("git"), Path(__file__).resolve()
    if git is None or not (here.parents[1] / ".git").exists():
        return None

    def ask(*words: str) -> str | None:
        told = [git, "-C", str(here.parent), *words]
        done = subprocess.run(told, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    if ask("ls-files", "--error-unmatch", here.name) is None:
        return None
    commit = ask("rev-parse", "HEAD")
    return f"{commit}+changes" if ask("status", "--porcelain", "--untracked-files=no") else commit


def _digest(content: str | bytes) -> str:
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()
