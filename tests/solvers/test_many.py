"""The one door to many workers gives the answers of one, wherever they work and whoever dies."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import pytest

from stepwatt.solvers.many import Many, WorkerDied, at_once, in_order

ITEMS = list(range(12))
#: For Ray, which starts workers anew for every few items and for each that is tried again.
FEW = ITEMS[:3]


def square(item: int) -> int:
    return item * item


class Marked:
    """Squares slowly; where a file names an item, its worker is killed, ``times`` times."""

    def __init__(self, folder: Path, item: int, times: int) -> None:
        self.folder, self.item, self.times = folder, item, times

    def __call__(self, item: int) -> int:
        if item == self.item:
            marks = len(list(self.folder.iterdir()))
            if marks < self.times:
                (self.folder / str(marks)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return square(item)


@pytest.fixture(scope="module")
def dask_cluster() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
    ):
        yield cluster


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[Any]:
    ray = pytest.importorskip("ray")
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    register_ray()
    yield ray
    ray.shutdown()


@pytest.mark.parametrize("workers", [1, 2])
def test_answers_come_with_the_number_of_their_item(workers: int) -> None:
    assert in_order(Many(square, workers).run(ITEMS)) == [n * n for n in ITEMS]


def test_what_a_dead_worker_took_along_is_done_again(tmp_path: Path) -> None:
    assert in_order(Many(Marked(tmp_path, 5, 1), 2).run(ITEMS)) == [n * n for n in ITEMS]


def test_an_item_that_kills_its_worker_twice_is_told_and_the_others_are_done(tmp_path: Path) -> None:
    found = in_order(Many(Marked(tmp_path, 5, 99), 2).run(ITEMS))
    assert isinstance(found[5], WorkerDied)
    assert [n for n in found if not isinstance(n, WorkerDied)] == [n * n for n in ITEMS if n != 5]


def test_before_another_try_the_caller_may_stop(tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        in_order(Many(Marked(tmp_path, 5, 1), 2, beat=stop).run(ITEMS))


def test_an_error_of_the_work_is_the_callers() -> None:
    with pytest.raises(TypeError):
        in_order(Many(square, 2).run(["a", "b"]))  # type: ignore[arg-type, list-item]


def test_none_is_a_worker_per_core() -> None:
    assert at_once(None) == joblib.cpu_count()


def test_dask_gives_the_same(dask_cluster: Any) -> None:
    with joblib.parallel_config(backend="dask"):
        assert in_order(Many(square, 1).run(ITEMS)) == [n * n for n in ITEMS]


def test_dask_loses_a_worker_and_no_answer(dask_cluster: Any, tmp_path: Path) -> None:
    with joblib.parallel_config(backend="dask"):
        assert in_order(Many(Marked(tmp_path, 5, 1), 1).run(ITEMS)) == [n * n for n in ITEMS]


def test_ray_gives_the_same_and_loses_a_worker_and_no_answer(ray_cluster: Any, tmp_path: Path) -> None:
    with joblib.parallel_config(backend="ray"):
        assert in_order(Many(Marked(tmp_path, 1, 1), 1).run(FEW)) == [n * n for n in FEW]


def test_a_stream_that_is_left_leaves_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    stream = Many(square, 2).run(iter(ITEMS))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    most = before + 4  # the executor's own stay for the next call
    for _ in range(1000):
        if threading.active_count() <= most:
            break
        time.sleep(0.05)
    assert threading.active_count() <= most
