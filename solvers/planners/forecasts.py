"""What a rolling planner believes about the coming slots: one named forecast per information set.

The current slot is always known. Every forecast maps the moment (a slot) to beliefs about the slots after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InputError, Instance, InstanceArrays
from stepwatt.formulation.schedule.windows import SERIES

Floats = NDArray[np.float64]

#: Beliefs at slot t about slots first..stop−1: name of the series → array (..., stop − first).
Forecast = Callable[[int, int, int], dict[str, Floats]]

#: Makes a forecast of an instance, its history and a seed.
Maker = Callable[[InstanceArrays, InstanceArrays | None, int], Forecast]

#: What is said of a forecast that is corrected by the errors seen so far.
SEEN = "+seen"

#: Forecast errors. Renewables: RTS-GMLC wind, day-ahead against real time, RMSE 0.225-0.258 of capacity and
#: AR(1) 0.78-0.87 for single plants [verified]; a site mixes sun and wind, so the low end is taken [assumed].
#: Spot prices against those of the day before, of AU-NSW, CA-ON, SG and ERCOT on training days, cut at
#: 100 USD/MWh: autocorrelation 0.75, 0.77, 0.81 an hour over 1, 2 and 4 hours [fitted].
RENEWABLE_RMSE, ERROR_AR1 = 0.15, 0.8
#: Least factor on arrivals that a seen error may lead to expect.
LEAST = 0.3
#: Arrivals: relative error of an hour; gamma(20) scatter of the scenario is 0.22 [assumed].
ARRIVAL_RMSE = 0.15


def make_forecast(name: str, a: InstanceArrays, history: InstanceArrays | None, seed: int) -> Forecast:
    """The forecast of that name.

    ``history`` holds the slots just before the horizon, for ``persistence``; without it, what was not seen a
    day ago is taken to stay as it is now. ``seed`` draws the errors of ``day-ahead``.

    Raises:
        InputError: unknown name, or a history that does not fit.
    """
    if name not in FORECASTS:
        raise InputError(field="forecast", value=name, expected=f"one of {', '.join(FORECASTS)}")
    if history is not None and (history.sites, history.classes, history.slot_hours) != (
        a.sites,
        a.classes,
        a.slot_hours,
    ):
        raise InputError(
            field="history", value=list(history.sites), expected="sites, classes and slots of the instance"
        )
    return FORECASTS[name](a, history, seed)


def history_of(inst: Instance, history: Instance | None) -> InstanceArrays | None:
    """The slots just before an instance, where there are any.

    Raises:
        InputError: a history that does not end where the instance starts.
    """
    if history is None:
        return None
    ends = history.start_time + timedelta(hours=history.slot_hours * history.n_slots)
    if abs((ends - inst.start_time).total_seconds()) > 1:
        raise InputError(
            field="history",
            value=ends.isoformat(),
            expected=f"slots that end at {inst.start_time.isoformat()}",
        )
    return history.arrays()


def perfect(a: InstanceArrays, history: InstanceArrays | None, seed: int) -> Forecast:
    """What will happen."""
    return lambda now, first, stop: {name: getattr(a, name)[..., first:stop] for name in SERIES}


def persistence(a: InstanceArrays, history: InstanceArrays | None, seed: int) -> Forecast:
    """The same time yesterday; where yesterday is not known, as it is now."""
    day = max(1, round(24 / a.slot_hours))
    before = 0 if history is None else history.n_slots
    past = {
        name: getattr(a, name)
        if history is None
        else np.concatenate([getattr(history, name), getattr(a, name)], axis=-1)
        for name in SERIES
    }

    def believe(now: int, first: int, stop: int) -> dict[str, Floats]:
        yesterday = np.arange(first, stop) - day
        # a look-ahead of more than a day repeats the last day that is known
        late = yesterday > now
        yesterday[late] -= day * np.ceil((yesterday[late] - now) / day).astype(int)
        source = np.where(yesterday + before >= 0, yesterday, now) + before
        return {name: values[..., source] for name, values in past.items()}

    return believe


def day_ahead(a: InstanceArrays, history: InstanceArrays | None, seed: int) -> Forecast:
    """Published prices, carbon and weather; renewables and arrivals forecast with realistic errors."""
    rng = np.random.default_rng(seed)
    known = {name: getattr(a, name) for name in SERIES}
    capacity = a.renewable_mw.max(axis=1, initial=0.0)[:, None]
    error = RENEWABLE_RMSE * capacity * _hourly_errors(rng, a.renewable_mw.shape, a.slot_hours)
    known["renewable_mw"] = np.clip(a.renewable_mw + error, 0.0, capacity)
    factor = 1 + ARRIVAL_RMSE * _hourly_errors(rng, a.arrivals.shape, a.slot_hours)
    known["arrivals"] = np.maximum(a.arrivals * factor, 0.0)
    if a.integral_jobs:
        known["arrivals"] = np.round(known["arrivals"])
    return lambda now, first, stop: {name: values[..., first:stop] for name, values in known.items()}


def errors_seen(base: Maker) -> Maker:
    """That forecast less the error it makes now, which is expected to fade (:data:`ERROR_AR1` an hour)."""

    def make(a: InstanceArrays, history: InstanceArrays | None, seed: int) -> Forecast:
        believe = base(a, history, seed)

        def corrected(now: int, first: int, stop: int) -> dict[str, Floats]:
            # of slot ``now``, the forecast says what it said before it
            thought, told = believe(now, now, now + 1), believe(now, first, stop)
            hour = np.floor(np.arange(first, stop) * a.slot_hours + 1e-9)
            lasting = ERROR_AR1 ** (hour - np.floor(now * a.slot_hours + 1e-9))
            came = {name: getattr(a, name)[..., now : now + 1] for name in SERIES}
            found = {
                name: less_error(name, values, came[name], thought[name], lasting)
                for name, values in told.items()
            }
            found["export_price"] = no_new_feed_in(found, told)
            if a.integral_jobs:
                found["arrivals"] = np.round(found["arrivals"])
            return found

        return corrected

    return make


def less_error(name: str, told: Floats, came: Floats, thought: Floats, lasting: Floats) -> Floats:
    """What is expected of a series of which ``thought`` was told and ``came`` has come: errors of arrivals
    are factors, those of PUE and COP are left."""
    if name in ("pue", "cop"):
        return told
    if name == "arrivals":
        error = np.where(came > 0, thought / np.where(came > 0, came, 1.0) - 1, 0.0)
        return np.asarray(told / np.maximum(1 + error * lasting, LEAST))
    found = told - (thought - came) * lasting
    if name == "renewable_mw":
        return np.clip(found, 0.0, np.maximum(told.max(axis=-1, keepdims=True, initial=0.0), came))
    return np.maximum(found, 0.0) if name == "carbon_kg_per_mwh" else found


def no_new_feed_in(found: Mapping[str, Floats], told: Mapping[str, Floats]) -> Floats:
    """Export prices that pay more than import costs only where that was told."""
    fed_in = told["export_price"] > told["import_price"]
    price = found["export_price"]
    return np.where(fed_in, price, np.minimum(price, found["import_price"]))


def terminal_price_at(a: InstanceArrays, believe: Forecast | None, t: int) -> Floats:
    """(J,) USD/MWh that energy missing at the end is believed in slot t to cost (model.md, "End of the
    horizon"): where the instance leaves that to the highest import price, the highest of those seen and
    forecast; without a forecast those seen.
    """
    if a.terminal_price_given.all():
        return a.terminal_price
    highest = a.import_price[:, : t + 1].max(axis=1)
    if believe is not None and t + 1 < a.n_slots:
        highest = np.maximum(highest, believe(t, t + 1, a.n_slots)["import_price"].max(axis=1))
    return np.where(a.terminal_price_given, a.terminal_price, np.maximum(highest, 0.0))


def terminal_prices(
    instances: Sequence[Instance],
    information: str,
    histories: Sequence[Instance | None] | None = None,
    seed: int = 0,
) -> Floats | None:
    """(T,N,J) :func:`terminal_price_at` of every slot, ``seed`` + number of the instance drawing forecasts;
    None where it is known from the beginning."""
    arrays = [inst.arrays() for inst in instances]
    if information in PRICES_KNOWN or all(a.terminal_price_given.all() for a in arrays):
        return None
    past = [None] * len(arrays) if histories is None else histories
    by_instance = []
    for number, (a, before) in enumerate(zip(arrays, past, strict=True)):
        believe = None
        if information != "none":
            history = None if before is None else before.arrays()
            believe = make_forecast(information, a, history, seed + number)
        by_instance.append([terminal_price_at(a, believe, t) for t in range(a.n_slots)])
    return np.stack([np.array(prices) for prices in by_instance], axis=1)


def _hourly_errors(rng: np.random.Generator, shape: tuple[int, ...], slot_hours: float) -> Floats:
    """Unit-variance AR(1) over hours, held within the hour."""
    n_slots = shape[-1]
    hour = np.floor(np.arange(n_slots) * slot_hours + 1e-9).astype(int)
    noise = rng.standard_normal((*shape[:-1], int(hour[-1]) + 1))
    errors = np.empty_like(noise)
    errors[..., 0] = noise[..., 0]
    for h in range(1, noise.shape[-1]):
        errors[..., h] = ERROR_AR1 * errors[..., h - 1] + np.sqrt(1 - ERROR_AR1**2) * noise[..., h]
    return errors[..., hour]


#: Forecasts that know all prices of the horizon.
PRICES_KNOWN = ("perfect", "day-ahead", f"day-ahead{SEEN}")

FORECASTS: dict[str, Maker] = {
    "perfect": perfect,
    "persistence": persistence,
    f"persistence{SEEN}": errors_seen(persistence),
    "day-ahead": day_ahead,
    f"day-ahead{SEEN}": errors_seen(day_ahead),
}
