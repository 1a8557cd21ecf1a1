"""The default scenario "jemas": three providers, one data centre and one model each, after arXiv 2605.02965.

The constants and their evidence are in the catalogue (``stepwatt.data.catalogue_table()``).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stepwatt.formulation import InputError, Instance

from ..catalogue import Catalogue, Model, load_catalogue
from ..embedded import load_europe_2018
from ..importers.own_csv import read_series
from ..local_time import local_day, local_hour, utc
from ..series import as_series, check_grid, window
from .arrivals import counts
from .patterns import Arrivals, Pattern, pattern


def jemas(
    *,
    start: str | dt.date = "2018-06-12",
    zones: Sequence[str] = ("DE", "FR", "DK"),
    n_slots: int | Literal["local-day"] = 288,
    slot_minutes: int = 5,
    seed: int = 0,
    volatility: float = 1.0,
    integral_jobs: bool = True,
    series: pd.DataFrame | str | Path | None = None,
    arrivals: Arrivals = "daily",
    timezone: str | None = None,
    **constants: float,
) -> Instance:
    """Providers with a data centre and a model each, after arXiv 2605.02965: the default scenario.

    Args:
        start: start of slot 0, ISO 8601; UTC unless it carries an offset. A date for ``n_slots="local-day"``.
        zones: one site per zone, named after it. Models (SD1.5, SDXL, SD3.5), shares of the arrivals and the
            shift of the daily wave go to the sites in turn and repeat from the fourth zone on.
        n_slots: slots of the horizon; ``"local-day"`` is the calendar day ``start`` in the first zone's time
            zone, 23, 24 or 25 hours.
        slot_minutes: slot length in minutes, a divisor of 60. Deadlines are rounded down to whole slots.
        seed: of the arrivals (see ``arrivals.counts``), at least 0. Nothing else is random.
        volatility: factor (at least 0) on the deviations of a zone's price from its mean over the horizon.
        integral_jobs: False for the fluid model (real numbers of jobs and GPUs).
        series: a series, a flat table or a CSV as in ``stepwatt.data.series``; default Europe 2018.
        arrivals: how jobs come: ``daily`` (a wave), ``gentd26`` or ``bursty`` (``data.scenarios.patterns``).
        timezone: IANA name of the clock of local days, of the climate of zones without temperature, and of
            labels; by default each zone's own, and UTC for labels.
        constants: any constant of the catalogue by name, in its unit, to change it: ``revenue_scale`` (margin
            over the price table), ``load`` (mean arrivals as a share of fleet capacity), ``gpus`` (per site),
            ``price_adder`` (USD/MWh), ``carbon_price`` (USD/t), ``transfer_cost`` (USD/GB), ...

    Fleet capacity, against which ``load`` is measured, is the number of jobs a slot that all sites together
    finish with every GPU on, at the base clock, at ``capacity_steps`` steps and ``max_utilisation``.
    """
    book = load_catalogue()
    c = _constants(book, constants)
    names = _zone_names(zones)
    if not (_is_number(volatility) and volatility >= 0):
        raise InputError(field="volatility", value=volatility, expected="a finite number of at least 0")
    if type(seed) is not int or seed < 0:
        raise InputError(field="seed", value=seed, expected="a whole number of at least 0")
    first, length = _horizon(start, n_slots, slot_minutes, timezone or names[0])
    comes = pattern(arrivals, c)
    table = series_of(series)
    rows = {zone: window(table, zone, first, length, slot_minutes) for zone in names}
    models = list(book.jemas_models.values())
    model_of = {zone: models[i % len(models)] for i, zone in enumerate(names)}
    clock = {zone: timezone or zone for zone in names}
    return Instance.from_dict(
        {
            "schema": "stepwatt.instance/1",
            "name": f"jemas {first:%Y-%m-%dT%H:%MZ} {'-'.join(names)} seed {seed}",
            "start": f"{first:%Y-%m-%dT%H:%M:%SZ}",
            "n_slots": length,
            "slot_hours": slot_minutes / 60,
            "integral_jobs": integral_jobs,
            "carbon_price": c["carbon_price"],
            **({} if timezone is None else {"timezone": timezone}),
            "models": {model.name: model.to_dict() for model in model_of.values()},
            "classes": _classes(book, c, slot_minutes),
            "sites": {
                zone: _site(book, c, clock[zone], rows[zone], model_of[zone], volatility) for zone in names
            },
            "arrivals": _arrivals(book, c, comes, model_of, first, length, slot_minutes, seed),
            "transfer_cost": {i: {j: c["transfer_cost"] if i != j else 0.0 for j in names} for i in names},
        }
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _constants(book: Catalogue, changed: Mapping[str, float]) -> dict[str, float]:
    known = {name: number.value for name, number in book.constants.items()}
    for name, value in changed.items():
        if name not in known:
            raise InputError(
                field=name, value=value, expected="a parameter of jemas: " + ", ".join(sorted(known))
            )
        if not _is_number(value) or (value < 0 and not name.startswith(("temperature", "room", "cop"))):
            raise InputError(
                field=name, value=value, expected=f"a finite number, 0 or more ({book.constants[name].unit})"
            )
    known |= changed
    if known["gpus"] != int(known["gpus"]) or known["gpus"] < 1:
        raise InputError(field="gpus", value=known["gpus"], expected="a whole number of at least 1")
    if known["gamma_shape"] == 0:
        raise InputError(field="gamma_shape", value=known["gamma_shape"], expected="a number above 0")
    return known


def _zone_names(zones: Sequence[str]) -> list[str]:
    names = [zones] if isinstance(zones, str) else list(zones)
    if not names or len(set(names)) < len(names):
        raise InputError(field="zones", value=zones, expected="at least one zone, each once")
    return names


def _horizon(
    start: str | dt.date, n_slots: int | str, slot_minutes: int, zone: str
) -> tuple[pd.Timestamp, int]:
    if n_slots != "local-day":
        if isinstance(n_slots, str):
            raise InputError(field="n_slots", value=n_slots, expected='a whole number or "local-day"')
        return utc(start), n_slots
    check_grid(utc("1970-01-01"), 1, slot_minutes)
    return local_day(zone, start, slot_minutes)


def series_of(series: pd.DataFrame | str | Path | None) -> pd.DataFrame:
    """The series that a scenario was given, by itself or by name of its file; Europe 2018 if none.

    Raises:
        InputError: something else, or what is wrong with it.
    """
    if series is None:
        return load_europe_2018()
    if isinstance(series, pd.DataFrame):
        return as_series(series)
    if isinstance(series, str | Path):
        return read_series(series)
    raise InputError(field="series", value=series, expected="a DataFrame, or the name of a CSV file")


def _classes(book: Catalogue, c: Mapping[str, float], slot_minutes: int) -> dict[str, Any]:
    return {
        name: {
            "base_price": 0.0,
            "quality_price": job.quality_price.value * c["revenue_scale"],
            "quality_floor": job.quality_floor.value,
            "deadline_slots": int(job.deadline_minutes.value // slot_minutes),
            "miss_penalty": job.miss_penalty.value * c["revenue_scale"],
            "payload_gb": job.payload_gb.value,
        }
        for name, job in book.classes.items()
    }


def _site(
    book: Catalogue, c: Mapping[str, float], zone: str, rows: pd.DataFrame, model: Model, volatility: float
) -> dict[str, Any]:
    cap = c["gpus"] * c["cap_kw_per_gpu"] / 1e3
    market = rows["price_usd_per_mwh"].to_numpy()
    market = market.mean() + volatility * (market - market.mean())
    pv, wind = rows["pv_cf"].to_numpy(), rows["wind_cf"].to_numpy()
    return {
        "gpus": int(c["gpus"]),
        "gpu_idle_watts": c["gpu_idle_watts"],
        "max_utilisation": c["max_utilisation"],
        "models": [model.name],
        "clocks": [
            {"name": name, "speed": clock.speed.value, "energy": clock.energy.value}
            for name, clock in book.clocks.items()
        ],
        "grid": {
            "import_price": (market + c["price_adder"]).tolist(),
            "export_price": (market - c["price_adder"]).tolist(),
            "import_limit_mw": c["import_limit"] * cap,
            "export_limit_mw": c["export_limit"] * cap,
            "carbon_kg_per_mwh": rows["carbon_lca_g_per_kwh"].tolist(),
        },
        "renewable_mw": ((pv * c["pv_share"] + wind * c["wind_share"]) * cap).tolist(),
        "cooling": _cooling(c, cap, _temperature(c, zone, rows)),
        "battery": {
            "energy_mwh": c["battery_power"] * c["battery_hours"] * cap,
            "power_mw": c["battery_power"] * cap,
            "charge_efficiency": c["battery_efficiency"],
            "discharge_efficiency": c["battery_efficiency"],
            "soc_min": c["battery_soc_min"],
            "soc_max": c["battery_soc_max"],
            "soc_initial": c["battery_soc_initial"],
            "wear_cost": c["battery_wear_cost"],
        },
    }


def _temperature(c: Mapping[str, float], zone: str, rows: pd.DataFrame) -> NDArray[np.float64]:
    if "temp_c" in rows:
        return rows["temp_c"].to_numpy()
    hour = local_hour(zone, pd.DatetimeIndex(rows.index))
    wave = np.sin(2 * np.pi * (hour - c["temperature_phase"]) / 24)
    return c["temperature_mean"] + c["temperature_swing"] * wave


def _cooling(c: Mapping[str, float], cap: float, outside: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "kind": "thermal",
        "cop": (c["cop_reference"] - c["cop_slope"] * (outside - c["temperature_mean"])).tolist(),
        "max_power_mw": c["cooling_limit"] * cap,
        "heat_capacity_mwh_per_c": c["heat_capacity"] * cap,
        "leak_mw_per_c": c["heat_leak"] * cap,
        "outside_c": outside.tolist(),
        "min_c": c["room_min"],
        "max_c": c["room_max"],
        "initial_c": c["room_initial"],
    }


def _arrivals(
    book: Catalogue,
    c: Mapping[str, float],
    comes: Pattern,
    model_of: Mapping[str, Model],
    first: pd.Timestamp,
    length: int,
    slot_minutes: int,
    seed: int,
) -> dict[str, dict[str, list[int]]]:
    slots = pd.date_range(first, periods=length, freq=pd.Timedelta(minutes=slot_minutes))
    gpu_seconds = 60 * slot_minutes * c["max_utilisation"] * c["gpus"]
    capacity = sum(
        gpu_seconds / (model.seconds_fixed.value + model.seconds_per_step.value * c["capacity_steps"])
        for model in model_of.values()
    )
    pattern, shifts = book.origin_shares, book.origin_shifts
    shares = np.array([pattern[i % len(pattern)].value for i in range(len(model_of))])
    means = c["load"] * capacity * shares / shares.sum() / len(book.classes)
    arrivals: dict[str, dict[str, list[int]]] = {}
    for i, origin in enumerate(model_of):
        peak = c["daily_peak"] + shifts[i % len(shifts)].value
        mean = means[i] * comes.wave(slots, slot_minutes, peak, c["daily_swing"])
        noise_slots = max(1, comes.noise_minutes // slot_minutes)
        arrivals[origin] = {
            name: counts(mean, comes.gamma_shape, seed, first, i, k, noise_slots).tolist()
            for k, name in enumerate(book.classes)
        }
    return arrivals
