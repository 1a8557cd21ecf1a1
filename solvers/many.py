"""Many items over workers: the one door to joblib, for whatever is done item by item.

One after the other here, over processes of this machine, or on the cluster of a surrounding
``joblib.parallel_config`` (Dask, Ray). The answers are the same wherever the work is done.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any, Generic, TypeVar

from stepwatt.formulation.arguments import whole

from .methods import METHODS, Method

T = TypeVar("T")
R = TypeVar("R")

#: Items that each worker of a backend without a stream of answers is given at a time.
_CHUNK = 4


class WorkerDied(RuntimeError):
    """An item whose worker died twice: killed, or out of memory."""


def at_once(workers: int | None, field: str = "workers") -> int:
    """How many items are in work at a time: as asked for, or one per core.

    Raises:
        InputError: no whole number of at least 1.
    """
    if workers is None:
        import joblib

        return int(joblib.cpu_count())
    return whole(workers, field, 1)


def on_cluster() -> bool:
    """Whether a surrounding ``joblib.parallel_config`` names another backend than joblib's own processes."""
    from joblib._parallel_backends import LokyBackend
    from joblib.parallel import get_active_backend

    return not isinstance(get_active_backend()[0], LokyBackend)


class Many(Generic[T, R]):
    """Items in work, and what comes back of them.

    Args:
        work: what is done with an item; it and the items travel by pickle.
        workers: items in work at a time on this machine; 1 works here. A cluster decides for itself.
        methods: names of the methods that the work needs, among them those registered by hand.
        beat: called before what a dead worker took along is tried again; may raise to stop.
    """

    def __init__(
        self,
        work: Callable[[T], R],
        workers: int,
        *,
        methods: Iterable[str] = (),
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._work, self._workers, self._beat = work, at_once(workers), beat
        self._own = METHODS.by_hand(methods)
        self._in_work: dict[int, T] = {}

    def run(self, items: Iterable[T]) -> Iterator[tuple[int, R | WorkerDied]]:
        """(number, answer) as they come, not in order; items are read a few ahead of the work.

        A worker that dies takes the items of others along: each is tried once more, alone.

        Raises:
            Exception: whatever ``work`` raises.
        """
        waiting = enumerate(items)
        if self._workers == 1 and not on_cluster():
            for number, item in waiting:
                yield number, self._work(item)
            return
        while True:
            try:
                yield from self._answers(waiting)
                return
            except Exception as death:
                if not _is_death(death):
                    raise
                for number, item in sorted(self._in_work.items()):
                    self._beat()
                    try:
                        yield from self._answers(iter([(number, item)]))
                    except Exception as again:
                        if not _is_death(again):
                            raise
                        self._in_work.pop(number, None)
                        yield number, WorkerDied(f"the worker process died: {_first_line(again)}")

    def _answers(self, waiting: Iterator[tuple[int, T]]) -> Iterator[tuple[int, R]]:
        import joblib
        from joblib.parallel import get_active_backend

        backend, _ = get_active_backend()
        answers: Generator[tuple[int, R]] | None = None
        try:
            if not on_cluster():
                # Ctrl-C that came in the block is raised at its end, when there are answers to close
                with (
                    joblib.parallel_config("loky", n_jobs=self._workers, inner_max_num_threads=1),
                    _deaf_to_ctrl_c(),
                ):
                    pool = joblib.Parallel(return_as="generator_unordered", batch_size=1, max_nbytes=None)
                    answers = pool(self._tasks(waiting))
            elif backend.supports_return_generator:
                pool = joblib.Parallel(return_as="generator_unordered", batch_size=1, n_jobs=-1)
                answers = pool(self._tasks(waiting))
            else:
                answers = self._in_chunks(waiting)
            for number, answer in answers:
                self._in_work.pop(number)
                yield number, answer
        finally:
            if answers is not None:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # who stops reading means to cancel what is in work
                    answers.close()

    def _in_chunks(self, waiting: Iterator[tuple[int, T]]) -> Generator[tuple[int, R]]:
        """For backends that only give back everything at once: a few items per worker at a time."""
        import joblib
        from joblib.parallel import get_active_backend

        size = _CHUNK * get_active_backend()[0].effective_n_jobs(-1)
        with joblib.Parallel(n_jobs=-1, batch_size=1) as pool:  # one pool: Ray begins workers anew with each
            while True:
                chunk = [task for _, task in zip(range(size), self._tasks(waiting), strict=False)]
                if not chunk:
                    return
                yield from pool(chunk)

    def _tasks(self, waiting: Iterator[tuple[int, T]]) -> Iterator[Any]:
        import joblib

        caller = 0 if on_cluster() else os.getpid()
        for number, item in waiting:
            self._in_work[number] = item
            yield joblib.delayed(_numbered)(number, item, self._work, caller, self._own)


def in_order(answers: Iterable[tuple[int, R]]) -> list[R]:
    """All answers, in the order of their items."""
    found = dict(answers)
    return [found[number] for number in range(len(found))]


def end_workers() -> bool:
    """End the processes of this machine that work for this one, as after Ctrl-C; whether there can be any."""
    if "joblib.externals.loky" not in sys.modules:
        return False
    from joblib.externals.loky import get_reusable_executor

    # asked for with other settings, the executor there is ends first
    get_reusable_executor(kill_workers=True).shutdown(wait=True, kill_workers=True)
    return True


def _numbered(
    number: int, item: Any, work: Callable[[Any], Any], caller: int, own: dict[str, Method]
) -> tuple[int, Any]:
    """In a worker."""
    if caller and caller != os.getpid():
        _at_home(caller)
    METHODS.adopt(own)
    return number, work(item)


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Processes that are started in the block never hear Ctrl-C; this one does, after it."""
    if sys.platform == "win32":
        yield
        return
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as loky_tracker

    # begun later, they would have this thread listen again
    resource_tracker.ensure_running()
    with _nobody_told():
        loky_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _nobody_told() -> Iterator[None]:
    """What is started in the block has no stderr: after Ctrl-C two threads may clean up the same folder, and
    loky's tracker would print a traceback about the second."""
    told, nobody = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nobody, 2)
    try:
        yield
    finally:
        os.dup2(told, 2)
        os.close(told)
        os.close(nobody)


@cache
def _at_home(caller: int) -> None:
    """Ctrl-C is the caller's business, who ends the workers; should the caller die, they end themselves."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == caller:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


#: What dead workers raise: Dask's and Ray's errors by name, since neither need be installed.
_DEATHS = ("KilledWorker", "ActorDiedError", "RayActorError", "ActorUnavailableError", "WorkerCrashedError")


def _is_death(error: BaseException) -> bool:
    names: Sequence[str] = [kind.__name__ for kind in type(error).__mro__]
    return isinstance(error, BrokenExecutor) or any(name in _DEATHS for name in names)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
