"""A compiled function as what is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from . import kinds, machine, store
from .identity import identity
from .language import REGISTER
from .translation import Translation

#: The text of what makes machine code.
_TRANSLATOR = "".join(file.read_text("utf-8") for file in sorted(Path(__file__).parent.glob("*.py")))


class Native:
    """A function of :mod:`.language` for one precision and lanes of so many bytes, made machine code when it
    is first called, unless the disk has it."""

    def __init__(self, source: Callable[..., None], real: type[np.floating[Any]], register: int = REGISTER):
        self.source, self.real, self.register = source, np.dtype(real), register
        self._kinds = tuple(kinds.signature_of(source)[0].values())
        self._loaded: machine.Loaded | None = None
        self._lock = Lock()

    def __call__(self, *arguments: Any) -> None:
        """Run it.

        Raises:
            TypeError: an array of another type than is said.
        """
        packed: list[bytes] = []
        for value, kind in zip(arguments, self._kinds, strict=True):
            kinds.pack(value, kind, self.real, packed)
        self.prepare().call(b"".join(packed))

    def ready(self) -> bool:
        """Whether the next call runs at once: nothing is left to compile."""
        with self._lock:
            if self._loaded is None and (code := store.kept(self._name)) is not None:
                self._loaded = machine.Loaded(code)
            return self._loaded is not None

    def prepare(self) -> machine.Loaded:
        """Compile it, if need be."""
        if self._loaded is None and not self.ready():
            with self._lock:
                # code that another thread runs must not be replaced
                if self._loaded is None:
                    code = machine.machine_code(Translation(self.real, self.register).text(self.source))
                    store.keep(self._name, code)
                    self._loaded = machine.Loaded(code)
        assert self._loaded is not None
        return self._loaded

    @cached_property
    def _name(self) -> str:
        """Where the disk has it: code of another function, or for another machine, has another name."""
        told = "".join((_TRANSLATOR, identity(self.source), machine.description()))
        return (
            f"{self.source.__name__}-{self.real}-{self.register}-{sha256(told.encode()).hexdigest()[:24]}.o"
        )


def warm_up(functions: Iterable[Native], progress: Callable[[str], object]) -> None:
    """Make functions ready; ``progress`` is told if that takes seconds."""
    missing = [function for function in functions if not function.ready()]
    if missing:
        progress("compiling (first use on this machine)")
    for function in missing:
        function.prepare()
