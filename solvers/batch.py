"""Many instances over processes: each solved as it would be alone, single-threaded."""

from __future__ import annotations

import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from types import FrameType
from typing import Any, Literal, TypedDict, Unpack, overload

from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.instance.given import instances_one_by_one, the_instances

from .interface.result import Result
from .interface.settings import Progress, Settings, silent
from .many import Many, WorkerDied, at_once
from .methods import METHODS, solve


class SolveSettings(TypedDict, total=False):
    """Settings of :func:`.methods.solve`, the same for all instances."""

    gap: float
    time_limit: float | None
    seed: int
    forecast: str | None
    look_ahead_hours: float
    history: Instance | None
    extra: Callable[[Any], Any] | None


class BatchError(RuntimeError):
    """An instance of a batch that could not be solved.

    ``index`` is its place in the batch, ``instance`` its name, ``cause`` the error in one line, ``details``
    the traceback, ``results`` (index → result) what the batch had finished when this was raised.
    """

    def __init__(self, index: int, instance: str, cause: str, details: str = "") -> None:
        self.index, self.instance, self.cause, self.details = index, instance, cause, details
        self.results: dict[int, Result] = {}
        super().__init__(f"instance {index} ({instance!r}): {cause}")

    def __reduce__(self) -> tuple[Any, ...]:
        return BatchError, (self.index, self.instance, self.cause, self.details)


@overload
def solve_many(
    instances: Iterable[Instance],
    method: str = ...,
    *,
    processes: int | None = ...,
    on_error: Literal["raise"] = ...,
    progress: Progress | Literal[False] | None = ...,
    **settings: Unpack[SolveSettings],
) -> list[Result]: ...
@overload
def solve_many(
    instances: Iterable[Instance],
    method: str = ...,
    *,
    processes: int | None = ...,
    on_error: Literal["keep"],
    progress: Progress | Literal[False] | None = ...,
    **settings: Unpack[SolveSettings],
) -> list[Result | BatchError]: ...
def solve_many(
    instances: Iterable[Instance],
    method: str = "oracle",
    *,
    processes: int | None = None,
    on_error: Literal["raise", "keep"] = "raise",
    progress: Progress | Literal[False] | None = None,
    **settings: Unpack[SolveSettings],
) -> list[Result] | list[Result | BatchError]:
    """Solve instances side by side; the results stand in the order of the instances.

    Where no time limit cuts in, each result is what :func:`.methods.solve` returns for the instance alone.
    Ctrl-C ends the workers.

    Args:
        instances: any number, all held in memory (:func:`solve_each` holds only those in work).
        method: a name in :data:`.methods.METHODS`.
        processes: how many solve at a time; None for one per core, 1 for none but this one.
        on_error: ``raise`` at the first instance that cannot be solved, or ``keep`` its error in its place.
        progress: called with the share done and the instance that was finished last; ``sw.solve_many`` shows
            a line if it is not given and a person waits (at a terminal, in a notebook), and not if False.
        settings: as for :func:`.methods.solve`; the time limit (300 s if not given) is that of each instance.

    Raises:
        InputError: no instances, unknown method, settings out of range, ``processes`` below 1, unknown
            ``on_error``.
        BatchError: an instance could not be solved; it names the instance and holds the results there are.
    """
    if on_error not in ("raise", "keep"):
        raise InputError(field="on_error", value=on_error, expected="raise or keep")
    batch = the_instances(instances, least=0)
    found: dict[int, Result | BatchError] = {}
    results: dict[int, Result] = {}
    used = min(at_once(processes, "processes"), max(1, len(batch)))
    told = progress or silent
    told(0.0, f"0 of {len(batch)}")
    for index, result in solve_each(batch, method, processes=used, **settings):
        found[index] = result
        if isinstance(result, Result):
            results[index] = result
        elif on_error == "raise":
            result.results = results
            raise result
        told(len(found) / len(batch), f"{len(found)} of {len(batch)}: {batch[index].name}")
    if on_error == "keep":
        return [found[index] for index in range(len(batch))]
    return [results[index] for index in range(len(batch))]


def solve_each(
    instances: Iterable[Instance],
    method: str = "oracle",
    *,
    processes: int | None = None,
    **settings: Unpack[SolveSettings],
) -> Iterator[tuple[int, Result | BatchError]]:
    """Solve a stream of instances; (index, result or error) as they come, not in order.

    Instances are read a few ahead of the work. Arguments as for :func:`solve_many`.

    Raises:
        InputError: unknown method, settings out of range, ``processes`` below 1.
    """
    METHODS.check(method)
    Settings(**settings)
    return _solved(instances_one_by_one(instances), method, at_once(processes, "processes"), settings)


def _solved(
    instances: Iterable[Instance], method: str, processes: int, settings: SolveSettings
) -> Iterator[tuple[int, Result | BatchError]]:
    in_work: dict[int, Instance] = {}

    def noted() -> Iterator[tuple[int, Instance]]:
        for index, inst in enumerate(instances):
            in_work[index] = inst
            yield index, inst

    work = partial(_attempt, method=method, settings=settings)
    for index, answer in Many(work, processes, methods=[method]).run(noted()):
        inst = in_work.pop(index)
        if isinstance(answer, WorkerDied):
            yield index, BatchError(index, inst.name, str(answer))
        else:
            yield index, answer if isinstance(answer, BatchError) else Result(inst, **answer)


@contextmanager
def _ending_at_ctrl_c() -> Iterator[None]:
    """A solve answers Ctrl-C with its incumbent; a batch is to end all the same."""
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield
        return
    pressed = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        usual(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
    if pressed:
        raise KeyboardInterrupt


def _attempt(
    numbered: tuple[int, Instance], method: str, settings: SolveSettings
) -> dict[str, Any] | BatchError:
    """The fields of a result but for the instance, which stays where it was."""
    index, inst = numbered
    try:
        with _ending_at_ctrl_c():
            result = solve(inst, method, **settings)
    except Exception as error:
        return BatchError(index, inst.name, f"{type(error).__name__}: {error}", traceback.format_exc())
    if result.interrupted:
        raise KeyboardInterrupt
    return {f.name: getattr(result, f.name) for f in fields(result) if f.name != "instance"}
