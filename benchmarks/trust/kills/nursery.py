"""Commands in processes of their own: forked from this one, which has imported what they need, or begun anew.

Clocks that only tell how long something took stand still in them, so that whole files can be compared.
"""

from __future__ import annotations

import atexit
import importlib
import io
import json
import os
import runpy
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from .moments import Moment, arm, kill_at

ROOT = Path(__file__).resolve().parents[3]
_cpu_seconds = time.process_time
#: In the environment of whatever a victim starts: the folder of its trial.
MARK = "STEPWATT_VICTIM"


@dataclass(frozen=True)
class Command:
    """What is run: ``program`` is ``stepwatt`` or a module with a command, ``out`` takes its output.

    ``beside`` is the folder of the trial, for what it says on stderr and what is known of its life.
    """

    program: str
    words: tuple[str, ...]
    folder: str
    out: str
    beside: str


@dataclass(frozen=True)
class End:
    """How a process ended: killed by ``signal``, or with ``code``."""

    pid: int
    code: int
    signal: int
    cpu_seconds: float
    said: str

    @property
    def killed(self) -> bool:
        """Whether it did not end by itself."""
        return self.signal != 0


def run(
    command: Command,
    *,
    moment: Moment | None = None,
    fresh: bool = False,
    watch: Callable[[int], None] | None = None,
) -> End:
    """Run it until it ends, or its moment comes; ``watch`` is called with its process id meanwhile."""
    fresh = fresh or (moment is not None and moment.kind == "process")
    said = Path(command.beside) / "said"
    said.unlink(missing_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 on forks of processes with threads
        pid = os.fork()
    if pid == 0:
        try:
            if fresh:
                _begin_anew(command, moment)
            os._exit(_live(command, moment))
        finally:
            os._exit(70)
    if moment is not None and moment.kind in ("time", "process"):
        kill_at(pid, moment.at)
    if watch is not None:
        watch(pid)
    _, status, used = os.wait4(pid, 0)
    by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    code = os.waitstatus_to_exitcode(status) if not by else -by
    text = said.read_text(encoding="utf-8", errors="replace") if said.exists() else ""
    return End(pid, code, by, used.ru_utime + used.ru_stime, text)


def lived(command: Command) -> tuple[float, int]:
    """CPU seconds of the last undisturbed run itself, and how often it touched the files of its folder."""
    told = json.loads((Path(command.beside) / "life").read_text())
    return float(told["cpu_seconds"]), int(told["touches"])


def import_what_it_needs(command: Command) -> None:
    """Import here what the command imported, so that forks of this process begin at once."""
    for name in json.loads((Path(command.beside) / "modules").read_text()):
        with warnings.catch_warnings(), suppress(Exception):
            warnings.simplefilter("ignore")
            importlib.import_module(name)


def _begin_anew(command: Command, moment: Moment | None) -> None:
    os.chdir(ROOT)
    asked = json.dumps({"command": asdict(command), "moment": moment and asdict(moment)})
    os.execv(sys.executable, [sys.executable, "-m", __name__, asked])


def _live(command: Command, moment: Moment | None, *, natural: bool = False) -> int:
    """Be the victim; ``natural`` leaves the end to the interpreter."""
    if not natural:
        atexit._clear()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _connect(command)
    _stop_clocks()
    os.chdir(command.folder)
    os.environ[MARK] = command.beside
    os.environ["PYTHONPATH"] = str(ROOT)
    touches = arm(moment, Path(command.folder))
    code = _done(command.program, command.words)
    if moment is None:
        beside = Path(command.beside)
        told = {"cpu_seconds": _cpu_seconds(), "touches": touches()}
        (beside / "life").write_text(json.dumps(told))
        (beside / "modules").write_text(json.dumps([*sys.modules]))
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    return code


def _connect(command: Command) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    out = os.open(command.out, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    said = os.open(os.path.join(command.beside, "said"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    for number, descriptor in enumerate((nothing, out, said)):
        os.dup2(descriptor, number)
    sys.stdin = io.TextIOWrapper(io.FileIO(0), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding="utf-8")
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), encoding="utf-8", line_buffering=True)


def _stop_clocks() -> None:
    time.perf_counter = lambda: 0.0
    time.process_time = lambda: 0.0


def _done(program: str, words: Sequence[str]) -> int:
    sys.argv = [program, *words]
    try:
        if program == "stepwatt":
            from stepwatt.cli import completed

            return completed()
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _main() -> None:
    asked = json.loads(sys.argv[1])
    given = asked["command"]
    command = Command(**{**given, "words": tuple(given["words"])})
    moment = None if asked["moment"] is None else Moment(**asked["moment"])
    sys.exit(_live(command, moment, natural=True))


if __name__ == "__main__":
    _main()
