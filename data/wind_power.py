"""Wind power from wind speed: a turbine's power curve, and the speed at its hub."""

from __future__ import annotations

import numpy as np
import pandas as pd

from stepwatt.formulation import InputError

#: Exponent of the power law of wind shear over open land (IEC 61400-1, normal wind profile: 0.2; 1/7 is the
#: usual value of neutral air over grass).
SHEAR = 1 / 7


def wind_capacity_factor(
    wind_speed: pd.Series | pd.DataFrame,
    *,
    measured_at: float | None = None,
    hub_height: float = 100.0,
    cut_in: float = 3.0,
    rated: float = 12.0,
    cut_out: float = 25.0,
    shear: float = SHEAR,
) -> pd.Series:
    """Share of its rated power that a wind turbine gives (0 to 1), by a cubic power curve.

    Between cut-in and rated speed, power grows with the energy of the wind, ``(v³ - cut_in³) / (rated³ -
    cut_in³)``; from rated to cut-out speed it is 1, elsewhere 0. With air of standard density, no wake and
    no losses. The default speeds are those of a turbine for medium wind (IEC class II).

    Args:
        wind_speed: m/s; or the frame of :func:`read_weather`, of which the column nearest to the hub is used.
        measured_at: height of that speed (m); a frame's columns say it.
        hub_height: m.
        cut_in: speed at which the turbine starts (m/s).
        rated: speed from which on it gives its rated power.
        cut_out: speed at which it stops.
        shear: exponent α of the wind's profile, ``v(hub) = v · (hub / measured_at)^α``.

    Source: power law and cubic curve as in Manwell, McGowan, Rogers, Wind Energy Explained (2009), chapters
    2 and 3; see also Carrillo et al., Review of power curve modelling for wind turbines, Renewable and
    Sustainable Energy Reviews 21 (2013) 572.

    Raises:
        InputError: speeds that are none, or speeds of the turbine that are not in order.
    """
    speed, height = _speed(wind_speed, measured_at, hub_height)
    if not 0 <= cut_in < rated < cut_out < np.inf:
        curve = (cut_in, rated, cut_out)
        raise InputError(field="cut_in, rated, cut_out", value=curve, expected="rising speeds from 0 on")
    for field, value in (("measured_at", height), ("hub_height", hub_height)):
        if not 0 < value < np.inf:
            raise InputError(field=field, value=value, expected="a height above 0")
    if not 0 <= shear <= 1:
        raise InputError(field="shear", value=shear, expected="an exponent from 0 to 1")
    values = speed.to_numpy(dtype=float)
    bad = np.flatnonzero(~((values >= 0) & (values < 150)))
    if bad.size:
        at = int(bad[0])
        expected = "a speed in m/s, from 0 to 150"
        raise InputError(field=f"wind_speed at {speed.index[at]}", value=float(values[at]), expected=expected)
    at_hub = values * (hub_height / height) ** shear
    share = (at_hub**3 - cut_in**3) / (rated**3 - cut_in**3)
    share = np.where(at_hub < cut_out, np.clip(share, 0.0, 1.0), 0.0)
    found = pd.Series(share, index=speed.index, name="wind_cf")
    found.attrs |= {"unit": "1", "source": f"cubic power curve of {speed.name} at {height:g} m"}
    return found


def _speed(
    wind_speed: pd.Series | pd.DataFrame, measured_at: float | None, hub_height: float
) -> tuple[pd.Series, float]:
    if isinstance(wind_speed, pd.DataFrame):
        heights = {
            float(column[len("wind_speed_") : -1]): column
            for column in map(str, wind_speed.columns)
            if column.startswith("wind_speed_") and column.endswith("m") and column[11:-1].isdigit()
        }
        if not heights:
            columns = ", ".join(map(str, wind_speed.columns))
            raise InputError(field="wind_speed", value=columns, expected="a column such as wind_speed_100m")
        height = min(heights, key=lambda height: abs(height - hub_height))
        return wind_speed[heights[height]], height
    if not isinstance(wind_speed, pd.Series):
        raise InputError(field="wind_speed", value=wind_speed, expected="a Series or a DataFrame")
    if measured_at is None:
        raise InputError(field="measured_at", value=None, expected="the height of the speed, in m")
    return wind_speed, measured_at
