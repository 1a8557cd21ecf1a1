"""Settings shared by all tests: a short, reproducible hypothesis profile, and one for ``make test-long``.

``STEPWATT_HYPOTHESIS=long`` searches more examples with fresh random seeds. A process computes with one
thread, unless ``OMP_NUM_THREADS`` says otherwise.
"""

from __future__ import annotations

import gc
import os
import signal

# read when numpy and torch are imported: threads that wait for each other burn what other workers need
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings
from places import EXAMPLES

from stepwatt.formulation import Instance, load

settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    max_examples=12,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile(
    "long",
    deadline=None,
    max_examples=400,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile(os.environ.get("STEPWATT_HYPOTHESIS", "ci"))

# shells have what they run in the background ignore Ctrl-C, which tests send to themselves and to others
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Garbage is looked for seldom, and not among what was imported: 6 % of the tests' time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(params=range(8), ids="example-{}".format)
def example(request: pytest.FixtureRequest) -> Instance:
    """Each of the example instances."""
    return load(EXAMPLES / f"example-{request.param}.json")
