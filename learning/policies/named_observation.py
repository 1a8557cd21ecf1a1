"""What a policy sees, by name and in natural units: ``obs.price["oslo"]``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.errors import one_of
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.state import PlantState
from stepwatt.formulation.plant.step import must_run
from stepwatt.solvers.planners.forecasts import Forecast

Floats = NDArray[np.float64]


class Observation(Mapping[str, Any]):
    """One slot as a policy sees it; ``obs["price"]`` and ``obs.price`` are the same.

    The names are those of :data:`SEEN`: numbers of sites are ``{site: number}``, jobs ``{origin: {class:
    jobs}}``, and what lies ahead has an array over the later slots instead of a number. ``vector`` (O,) is
    the scaled observation of docs/environment.md; ``numpy.asarray(obs)`` is that, too.
    """

    def __init__(
        self,
        inst: Instance,
        problem: Problem,
        t: int,
        state: PlantState,
        vector: Floats,
        believe: Forecast | None = None,
    ) -> None:
        self._a, self._problem, self._t, self._state = inst.arrays(), problem, t, state
        self.vector, self._inst, self._believe = vector, inst, believe

    def begins(self) -> datetime:
        """The start of the slot on the instance's clock."""
        start = self._inst.start_time
        passed = timedelta(hours=self._a.slot_hours) * self._t
        return datetime.fromtimestamp(start.timestamp() + passed.total_seconds(), start.tzinfo)

    def ahead(self, name: str) -> Floats:
        """(…,T') the forecast of a series for the slots after this one.

        Raises:
            InputError: the policy was declared without a forecast.
        """
        if self._believe is None:
            expected = 'a forecast: sw.policy(…, information="day-ahead"), for example'
            raise InputError(field="information", value="none", expected=expected)
        first, stop = self._t + 1, self._a.n_slots
        if first == stop:
            return np.empty((*getattr(self._a, name).shape[:-1], 0))
        return self._believe(self._t, first, stop)[name]

    def __getitem__(self, name: str) -> Any:
        if name not in SEEN:
            raise InputError(field="observation", value=name, expected=one_of(SEEN, name))
        return SEEN[name][1](self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except InputError as unknown:
            raise AttributeError(str(unknown)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(SEEN)

    def __len__(self) -> int:
        return len(SEEN)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.vector, dtype=dtype)

    def __repr__(self) -> str:
        return f"<Observation of slot {self._t}: {', '.join(SEEN)}>"


def _of_sites(obs: Observation, values: Any, where: Any = None) -> dict[str, Any]:
    """{site: number}, or {site: array} of values (J,·), of the sites ``where`` there is such a thing."""
    found = np.asarray(values)
    kept = np.arange(len(obs._a.sites)) if where is None else np.flatnonzero(where)
    return {obs._a.sites[j]: found[j] if found.ndim > 1 else float(found[j]) for j in kept}


def _of_queues(obs: Observation, values: Any) -> dict[str, dict[str, Any]]:
    """{origin: {class: number}}, or arrays, of values (I,K,·)."""
    found = np.asarray(values)
    return {
        origin: {
            name: found[i, k] if found.ndim > 2 else float(found[i, k])
            for k, name in enumerate(obs._a.classes)
        }
        for i, origin in enumerate(obs._a.sites)
    }


def _charge(obs: Observation) -> dict[str, Any]:
    a, room = obs._a, obs._a.energy_max_mwh - obs._a.energy_min_mwh
    share = (np.asarray(obs._state.energy)[0] - a.energy_min_mwh) / np.maximum(room, 1e-12)
    return _of_sites(obs, share, a.battery)


def _jobs(obs: Observation, which: int) -> dict[str, dict[str, Any]]:
    return _of_queues(obs, np.asarray(must_run(numpy_engine(), obs._problem, obs._t, obs._state)[which])[0])


_See = Callable[[Observation], Any]

#: What is seen: name → what it is, and how to tell.
SEEN: dict[str, tuple[str, _See]] = {
    "slot": ("number of the slot, from 0", lambda obs: obs._t),
    "time": ("start of the slot on the instance's clock", lambda obs: obs.begins()),
    "slots_left": ("slots after this one", lambda obs: obs._a.n_slots - 1 - obs._t),
    "slot_hours": ("length of a slot, h", lambda obs: obs._a.slot_hours),
    "price": ("import price by site, USD/MWh", lambda obs: _of_sites(obs, obs._a.import_price[:, obs._t])),
    "export_price": (
        "export price by site, USD/MWh",
        lambda obs: _of_sites(obs, obs._a.export_price[:, obs._t]),
    ),
    "carbon_kg_per_mwh": (
        "carbon of import by site, kg/MWh",
        lambda obs: _of_sites(obs, obs._a.carbon_kg_per_mwh[:, obs._t]),
    ),
    "renewable_mw": (
        "sun and wind there are by site, MW",
        lambda obs: _of_sites(obs, obs._a.renewable_mw[:, obs._t]),
    ),
    "outside_c": (
        "temperature outside, by site with a thermal room, °C",
        lambda obs: _of_sites(obs, obs._a.outside_c[:, obs._t], obs._a.thermal),
    ),
    "room_c": (
        "temperature of the room, by site with one, °C",
        lambda obs: _of_sites(obs, np.asarray(obs._state.temperature)[0], obs._a.thermal),
    ),
    "energy_mwh": (
        "energy in the battery, by site with one, MWh",
        lambda obs: _of_sites(obs, np.asarray(obs._state.energy)[0], obs._a.battery),
    ),
    "state_of_charge": ("its share of the usable energy, 0 to 1", _charge),
    "peak_mw": (
        "highest metered import so far, MW",
        lambda obs: _of_sites(obs, np.asarray(obs._state.peak)[0]),
    ),
    "generator_on": (
        "1 where the generator of a site with one runs",
        lambda obs: _of_sites(obs, np.asarray(obs._state.restart)[0] <= 0, obs._a.generator),
    ),
    "arrivals": (
        "jobs that arrive, by origin and class",
        lambda obs: _of_queues(obs, obs._a.arrivals[:, :, obs._t]),
    ),
    "jobs_waiting": (
        "jobs that waited into the slot",
        lambda obs: _of_queues(obs, np.asarray(obs._state.waiting)[0]),
    ),
    "jobs_at_hand": ("jobs that arrive, and those that waited", lambda obs: _jobs(obs, 0)),
    "jobs_due": ("those among them that are lost if they do not run now", lambda obs: _jobs(obs, 1)),
    "price_ahead": (
        "forecast of the import price, by site, for each later slot",
        lambda obs: _of_sites(obs, obs.ahead("import_price")),
    ),
    "renewable_ahead_mw": (
        "forecast of sun and wind likewise",
        lambda obs: _of_sites(obs, obs.ahead("renewable_mw")),
    ),
    "arrivals_ahead": (
        "forecast of arrivals, by origin and class",
        lambda obs: _of_queues(obs, obs.ahead("arrivals")),
    ),
}
