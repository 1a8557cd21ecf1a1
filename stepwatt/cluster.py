"""The workers of a cluster that exists, as the backend of whatever is done item by item."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from stepwatt.formulation import InputError
from stepwatt.formulation.errors import extra, one_of

BACKENDS = ("processes", "dask", "ray")
#: What Dask workers of this machine begin with. Dask's own setting has them give memory back at once, which
#: costs solves a third of their time.
_ENVIRONMENT = {"OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1}


@contextmanager
def cluster(backend: str | None = None, scheduler: str | None = None) -> Iterator[None]:
    """Work in the block goes to ``processes`` of this machine, or to a Dask or Ray cluster.

    Args:
        backend: one of :data:`BACKENDS`; ``dask`` where only a scheduler is given.
        scheduler: address of the cluster (``tcp://host:8786``, ``ray://host:10001``); without one, Dask and
            Ray begin a cluster of this machine.

    Raises:
        InputError: an unknown backend, a scheduler for processes, or one that does not answer.
        ExtraMissing: the package of the backend is not installed.
    """
    chosen = backend or ("dask" if scheduler else "processes")
    if chosen not in BACKENDS:
        raise InputError(field="--backend", value=chosen, expected=one_of(BACKENDS, chosen))
    if chosen == "processes" and scheduler is not None:
        raise InputError(field="--scheduler", value=scheduler, expected="--backend dask or ray with it")
    places: dict[str, AbstractContextManager[None]] = {
        "processes": nullcontext(),
        "dask": _dask(scheduler),
        "ray": _ray(scheduler),
    }
    with places[chosen]:
        yield


@contextmanager
def _dask(scheduler: str | None) -> Iterator[None]:
    import joblib

    with extra("dask"):
        import dask
        from dask import distributed
    client_of: Any = distributed.Client
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": _ENVIRONMENT}),
        _connected(
            scheduler, lambda: client_of(scheduler) if scheduler else client_of(dashboard_address=None)
        ) as client,
        client,
        joblib.parallel_config(backend="dask"),
    ):
        yield


@contextmanager
def _ray(scheduler: str | None) -> Iterator[None]:
    import joblib

    with extra("ray"):
        import ray
        import ray.util.joblib
    register_ray: Any = ray.util.joblib.register_ray
    options: dict[str, Any] = {"address": scheduler} if scheduler else {"include_dashboard": False}
    with _connected(scheduler, lambda: ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)):
        register_ray()
        try:
            with joblib.parallel_config(backend="ray"):
                yield
        finally:
            ray.shutdown()


@contextmanager
def _connected(scheduler: str | None, connect: Any) -> Iterator[Any]:
    try:
        found = connect()
    except (OSError, ConnectionError, ValueError, TimeoutError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            field="--scheduler", value=scheduler, expected=f"the address of a cluster that answers ({reason})"
        ) from None
    yield found
