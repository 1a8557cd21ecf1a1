"""Finished runs of a comparison in a folder, so that whatever ends it, the same command goes on."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stepwatt.formulation import InputError, Instance, Schedule
from stepwatt.formulation.files import make_folder, write_text

from ..scores.file import load, text
from ..scores.record import Case, Entry
from ..scores.scores import Scores

#: A run's judged entry, and the dual prices it came with.
Found = tuple[Entry, Any]


class KeptRuns:
    """One file a run, named after everything that its answer depends on.

    Runs of the user's own code are kept only where it has a method ``fingerprint() -> bytes``, as trained
    policies and what is declared with a ``version`` do: of other code nobody knows whether it is still the
    same.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def check(self) -> None:
        """Make sure, before long work, that runs can be stored; no new folder is left behind.

        Raises:
            InputError: the folder cannot be made or written, or is a file.
        """
        there = self._folder.is_dir()
        make_folder(self._folder)
        if not there:
            with suppress(OSError):  # another process keeps runs there by now
                self._folder.rmdir()

    def find(self, key: str) -> Found | None:
        """The run of that key, its schedule judged anew; None if there is none that can be read."""
        path = self._path(key)
        if not path.exists():
            return None
        try:
            case = load(path).cases[0]
        except InputError:  # of another version, or spoiled: it is run again
            return None
        return case.entries[0], case.prices

    def keep(self, key: str, inst: Instance, found: Found) -> None:
        """Store a run; a whole file or none."""
        entry, prices = found
        alone = Scores((Case(inst, (entry,), None, "", None, prices),), entry.policy)
        write_text(self._path(key), text(alone))

    def clear(self) -> None:
        """Delete what is kept, and the folder if nothing else is in it."""
        for path in self._folder.glob("*.run.json"):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or gone
            self._folder.rmdir()

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.run.json"


def key_of(inst: Instance, policy: Any, *settings: Any) -> str | None:
    """What a run's answer depends on, in short; None where that cannot be told."""
    identity = _identity(policy)
    if identity is None:
        return None
    digest = hashlib.sha256()
    for part in (version("stepwatt"), _text(inst), identity, *map(_text, settings)):
        digest.update(part if isinstance(part, bytes) else part.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:32]


def _identity(policy: Any) -> bytes | str | None:
    if isinstance(policy, str):
        return policy
    if isinstance(policy, Schedule):
        return b"".join(values.tobytes() for values in vars(policy).values())
    told = getattr(policy, "fingerprint", None)
    if not callable(told):
        return None
    mark = told()
    return mark if mark is None or isinstance(mark, bytes | str) else repr(mark)


def _text(value: Any) -> str:
    if isinstance(value, Instance):
        return json.dumps(value.to_dict(), sort_keys=True)
    return repr(value)
