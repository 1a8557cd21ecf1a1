"""What commands share: one-line errors, tables, JSON, progress on stderr, and work that Ctrl-C can stop."""

from __future__ import annotations

import atexit
import json
import math
import os
import re
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, TypeVar

T = TypeVar("T")
Progress = Callable[[float, str], None]

#: What a function takes that tells its progress where a person waits, if nothing else is said.
Waited = Progress | Literal[False] | None

#: Whether the command line asked for no progress and no hints.
QUIET: ContextVar[bool] = ContextVar("QUIET", default=False)

INTERRUPTED = 130

#: Whoever read the output reads no more; what shells give for it.
BROKEN_PIPE = 141

#: "slot 5 of 288": a part that is counted.
_COUNTED = re.compile(r" \d+ of \d+$")

#: Seconds that work has to end after its workers were ended.
_PATIENCE = 5.0


def complain(message: str) -> None:
    """One line on stderr."""
    _say("stepwatt: " + " ".join(message.split()) + "\n")


def tell(message: str) -> None:
    """A line on stderr that is no error: where a file went, what comes next; not under ``--quiet``."""
    if not QUIET.get():
        _say(message + "\n")


def _say(text: str) -> None:
    """Text on stderr. Where that is full, or nobody reads it, no work ends for it."""
    if sys.stderr is None:  # closed before Python began
        return
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        # what Python would still flush at its end has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _at_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def print_json(value: Any) -> None:
    """JSON on stdout; what is not a number is null."""
    print(json.dumps(_finite(value), allow_nan=False, indent=2))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    item = getattr(value, "item", None)
    return _finite(item()) if item is not None else value


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """A table on stdout; columns in ``right`` hold numbers."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number in right else "left")
    for row in rows:
        table.add_row(*(_plain(cell) for cell in row))
    # a pipe has no width, and 80 columns would fold the numbers
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Names and values on stdout, one a line."""
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        print(f"{name:<{width}}  {value}")


def working(title: str, work: Callable[[Progress], T]) -> T:
    """Do long work under a progress bar; Ctrl-C ends the process at once with :data:`INTERRUPTED`.

    The work runs in a thread of its own: native code would keep the main thread from hearing Ctrl-C.
    """
    done: list[T] = []
    failed: list[BaseException] = []
    pressed = threading.Event()

    with shown_progress(title) as progress:

        def run() -> None:
            def tell(share: float, what: str) -> None:
                if pressed.is_set():
                    raise KeyboardInterrupt
                progress(share, what)

            try:
                done.append(work(tell))
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(0.1)
        except KeyboardInterrupt:
            from stepwatt.solvers.many import end_workers

            pressed.set()
            if end_workers():
                thread.join(_PATIENCE)
                if not thread.is_alive():
                    warnings.simplefilter("ignore")
                    atexit._run_exitfuncs()  # gives back what the workers shared
            stop_now()
    if failed:
        raise failed[0]
    return done[0]


def stop_now() -> None:
    """End the process after Ctrl-C, whatever native code still runs."""
    # the progress bar hides the cursor
    _say("\r\033[K\033[?25h" if _at_terminal() else "")
    complain("interrupted; nothing was written")
    sys.stdout.flush()
    os._exit(INTERRUPTED)


@contextmanager
def told_progress(
    title: str,
    given: Progress | bool | None,
    *,
    after: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Progress]:
    """The progress that was given; else a line on stderr if a person waits: in a notebook, at a terminal.

    ``after``: seconds from now that nobody calls waiting; ``clock`` tells them.
    """
    if callable(given):
        yield given
    elif given is None and (in_notebook() or _at_terminal()):
        line = _Line(title, clock() + after, clock)
        try:
            yield line.tell
        finally:
            line.end()
    elif given is None or given is False:
        yield lambda done, what: None
    else:
        from stepwatt.formulation import InputError  # brings numpy

        raise InputError(field="progress", value=given, expected="a function (share done, what), or False")


def part_of(told: Progress, number: int, count: int, name: str) -> Progress:
    """Progress of one step of several, as progress of the whole."""

    def tell_part(done: float, what: str) -> None:
        told((number + min(max(done, 0.0), 1.0)) / count, ": ".join(part for part in (name, what) if part))

    return tell_part


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


class _Line:
    """One line that is written over: a bar would be in the way of one that the caller shows."""

    def __init__(self, title: str, begins: float, clock: Callable[[], float]) -> None:
        self._title, self._begins, self._clock = title, begins, clock
        self._written = False

    def tell(self, done: float, what: str) -> None:
        if self._clock() < self._begins:
            return
        self._written = True
        _say(f"\r{self._title}: {100 * done:3.0f} % {what:<60.60}")

    def end(self) -> None:
        if self._written:
            _say("\n" if in_notebook() else "\r\033[K")


@contextmanager
def shown_progress(title: str) -> Iterator[Progress]:
    """What shows progress on stderr while work is done: a bar on a terminal, else a line a part."""
    if QUIET.get():
        yield lambda done, what: None
        return
    if not _at_terminal():
        yield _lines(title)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.fields[title]}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[what]}"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0, title=title, what="")

        def tell_bar(done: float, what: str) -> None:
            bar.update(task, completed=done, what=what.replace("[", "("))

        yield tell_bar


def _lines(title: str) -> Progress:
    """Without a terminal: a line when the work moves on to another part, and every tenth of a counted one."""
    last: list[tuple[str, float]] = []

    def tell_line(done: float, what: str) -> None:
        part = what.partition(": ")[0]
        name = _COUNTED.sub("", part)
        goes_on = any(name == told and (name == part or done < share + 0.1) for told, share in last)
        if part and not goes_on:
            last[:] = [(name, done)]
            tell(f"{title}: {100 * done:3.0f} % {part}")

    return tell_line
