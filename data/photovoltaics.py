"""Power of photovoltaics from irradiance and temperature, by pvlib (extra ``weather``)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from stepwatt.formulation import InputError
from stepwatt.formulation.arguments import number, reals
from stepwatt.formulation.errors import extra

#: Power lost per degree above 25 °C (1/°C), of crystalline silicon; losses of cables, dirt and mismatch.
TEMPERATURE_COEFFICIENT = -0.004
LOSSES = 0.14


def pv_capacity_factor(
    weather: pd.DataFrame,
    *,
    latitude: float | None = None,
    longitude: float | None = None,
    tilt: float | None = None,
    azimuth: float | None = None,
    temperature_coefficient: float = TEMPERATURE_COEFFICIENT,
    losses: float = LOSSES,
    inverter_efficiency: float = 0.96,
) -> pd.Series:
    """Share of its rated direct-current power that a photovoltaic plant gives (0 to 1), after the inverter.

    The chain of PVWatts: the sun in the middle of each step, beam and diffuse light on the tilted plane, the
    module's temperature, power with a coefficient of temperature, losses, inverter.

    Args:
        weather: ``ghi`` and ``temp_air`` by the start of a step (tz-aware), as :func:`read_weather` gives
            it; with ``dni`` and ``dhi`` where they are known, else they are estimated from ``ghi`` (Erbs).
            Wind of a column ``wind_speed_10m`` cools the modules, else 1 m/s.
        latitude: degrees north; the weather's ``attrs`` where not said, and so is ``longitude``, degrees
            east.
        longitude: as above.
        tilt: degrees from flat; the latitude, at most 40, where not said.
        azimuth: degrees from north, clockwise; towards the equator where not said.
        temperature_coefficient: 1/°C.
        losses: share lost before the inverter (PVWatts: 14 %).
        inverter_efficiency: nominal.

    Source: pvlib (Anderson et al., Journal of Open Source Software 8(92), 2023); Dobos, PVWatts Version 5
    Manual, NREL/TP-6A20-62641 (2014); Erbs et al., Solar Energy 28 (1982) 293; Hay and Davies (1980).

    Raises:
        InputError: the extra is missing, a column or the place is not there, or a number is impossible.
    """
    with extra("weather"):
        import pvlib

    index = _checked(weather)
    lat = _place("latitude", latitude, weather, 90.0)
    lon = _place("longitude", longitude, weather, 180.0)
    plane = {
        "surface_tilt": min(abs(lat), 40.0) if tilt is None else tilt,
        "surface_azimuth": (180.0 if lat >= 0 else 0.0) if azimuth is None else azimuth,
    }
    for name, value, low, high in (
        ("tilt", plane["surface_tilt"], 0.0, 90.0),
        ("azimuth", plane["surface_azimuth"], 0.0, 360.0),
        ("losses", losses, 0.0, 1.0),
        ("inverter_efficiency", inverter_efficiency, 0.0, 1.0),
        ("temperature_coefficient", temperature_coefficient, -0.02, 0.0),
    ):
        expected = f"a number from {low:g} to {high:g}"
        if not low <= number(value, name, expected) <= high:
            raise InputError(field=name, value=value, expected=expected)
    step = index[1] - index[0]
    middle = index + step / 2
    light = pd.DataFrame({c: weather[c].to_numpy(dtype=float) for c in ("ghi", "temp_air")}, index=middle)
    of_year = pd.Series(middle.tz_convert("UTC").day_of_year, index=middle)
    sun = pvlib.solarposition.get_solarposition(middle, lat, lon)
    if {"dni", "dhi"} <= set(weather.columns):
        beam, diffuse = (pd.Series(weather[c].to_numpy(dtype=float), index=middle) for c in ("dni", "dhi"))
    else:
        parts = pvlib.irradiance.erbs(light["ghi"], sun["zenith"], of_year)
        beam, diffuse = parts["dni"], parts["dhi"]
    on_plane = pvlib.irradiance.get_total_irradiance(
        **plane,
        solar_zenith=sun["apparent_zenith"],
        solar_azimuth=sun["azimuth"],
        dni=beam,
        ghi=light["ghi"],
        dhi=diffuse,
        dni_extra=pvlib.irradiance.get_extra_radiation(of_year),
        model="haydavies",
    )["poa_global"].fillna(0.0)
    wind = weather["wind_speed_10m"].to_numpy(dtype=float) if "wind_speed_10m" in weather else 1.0
    thermal = pvlib.temperature.TEMPERATURE_MODEL_PARAMETERS["sapm"]["open_rack_glass_polymer"]
    cell = pvlib.temperature.sapm_cell(on_plane, light["temp_air"], wind, **thermal)
    direct = pvlib.pvsystem.pvwatts_dc(on_plane, cell, 1.0, temperature_coefficient) * (1.0 - losses)
    power = pvlib.inverter.pvwatts(direct, 1.0, eta_inv_nom=inverter_efficiency)
    share = np.clip(np.nan_to_num(np.asarray(power, dtype=float)), 0.0, 1.0)
    found = pd.Series(share, index=index, name="pv_cf")
    found.attrs |= {"unit": "1", "source": f"pvlib {pvlib.__version__}, PVWatts", **plane}
    return found


def _place(name: str, given: float | None, weather: pd.DataFrame, limit: float) -> float:
    value = weather.attrs.get(name) if given is None else given
    if not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > limit:
        expected = f"degrees from -{limit:g} to {limit:g}"
        raise InputError(field=name, value=value, expected=expected)
    return float(value)


def _checked(weather: pd.DataFrame) -> pd.DatetimeIndex:
    """The starts of a frame's steps; its columns are there and hold numbers."""
    if not isinstance(weather, pd.DataFrame):
        raise InputError(field="weather", value=weather, expected="a frame with columns ghi and temp_air")
    for column in ("ghi", "temp_air"):
        if column not in weather:
            raise InputError(
                field="weather", value=list(map(str, weather.columns)), expected=f"a column {column}"
            )
    index = weather.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None or len(index) < 2:
        raise InputError(
            field="weather", value=f"{len(index)} rows", expected="starts with a time zone, two at least"
        )
    for column in weather.columns.intersection(["ghi", "dni", "dhi", "temp_air", "wind_speed_10m"]):
        low, high = (-90.0, 70.0) if column == "temp_air" else (0.0, 1600.0)
        values = reals(weather[column], f"weather.{column}")
        bad = np.flatnonzero(~((values >= low) & (values <= high)))
        if bad.size:
            at = int(bad[0])
            expected = f"a number from {low:g} to {high:g}"
            raise InputError(field=f"{column} at {index[at]}", value=float(values[at]), expected=expected)
    return index
