"""Power of wind and sun from weather."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stepwatt.data import pv_capacity_factor, wind_capacity_factor
from stepwatt.formulation import InputError


def speeds(*values: float) -> pd.Series:
    return pd.Series(values, index=pd.date_range("2025-06-12", periods=len(values), freq="h", tz="UTC"))


def test_wind_power_grows_with_the_cube_between_cut_in_and_rated_speed() -> None:
    found = wind_capacity_factor(speeds(0, 2.9, 3, 6, 12, 24.9, 25, 40), measured_at=100)
    # (6³ - 3³) / (12³ - 3³) = 189/1701
    assert found.tolist() == pytest.approx([0, 0, 0, 1 / 9, 1, 1, 0, 0])


def test_wind_at_the_hub_follows_the_power_law() -> None:
    found = wind_capacity_factor(speeds(6), measured_at=10, hub_height=80, shear=1 / 3)
    assert found.tolist() == pytest.approx([1.0])  # 6 · 8^(1/3) = 12 m/s
    frame = pd.DataFrame({"wind_speed_10m": speeds(3, 6), "wind_speed_100m": speeds(6, 12)})
    assert wind_capacity_factor(frame, hub_height=100).tolist() == pytest.approx([1 / 9, 1])


def test_wind_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match=r"wind_speed at 2025-06-12 01:00.* = -1.0"):
        wind_capacity_factor(speeds(3, -1), measured_at=10)
    with pytest.raises(InputError, match=r"measured_at = None: expected the height"):
        wind_capacity_factor(speeds(3))
    with pytest.raises(InputError, match=r"expected a column such as wind_speed_100m"):
        wind_capacity_factor(pd.DataFrame({"v": speeds(3)}))
    with pytest.raises(InputError, match=r"cut_in, rated, cut_out = .*expected rising speeds"):
        wind_capacity_factor(speeds(3), measured_at=10, rated=2)


def day(ghi: float = 900.0, temp: float = 15.0) -> pd.DataFrame:
    """A clear day of June in Berlin, roughly: light as a half sine from 5 to 19 h UTC."""
    times = pd.date_range("2025-06-12", periods=24, freq="h", tz="UTC")
    light = ghi * np.clip(np.sin(np.pi * (np.arange(24) + 0.5 - 4.5) / 14.5), 0, None)
    frame = pd.DataFrame({"ghi": light, "temp_air": temp}, index=times)
    frame.attrs |= {"latitude": 52.5, "longitude": 13.4}
    return frame


def test_sun_gives_power_by_day_and_less_when_it_is_hot() -> None:
    found = pv_capacity_factor(day())
    assert found.index.equals(day().index)
    assert found.iloc[[0, 1, 22, 23]].tolist() == [0, 0, 0, 0]
    # a plant of 1 kW gives 5 to 7 kWh on a clear day of June there (PVWatts)
    assert 5 < found.sum() < 7
    assert 0.6 < found.max() < 0.85
    hot = pv_capacity_factor(day(temp=35.0))
    noon = int(found.to_numpy().argmax())
    # 0.4 % a degree
    assert hot.iloc[noon] / found.iloc[noon] == pytest.approx(1 - 20 * 0.004, abs=0.01)


def test_less_light_and_the_back_of_the_roof_give_less() -> None:
    south = pv_capacity_factor(day(), tilt=30).sum()
    assert pv_capacity_factor(day(ghi=300.0), tilt=30).sum() < south / 2
    assert pv_capacity_factor(day(), tilt=30, azimuth=0).sum() < 0.85 * south
    assert pv_capacity_factor(day(ghi=0.0)).sum() == 0


def test_weather_that_lacks_something_is_refused() -> None:
    frame = day()
    with pytest.raises(InputError, match=r"expected a column temp_air"):
        pv_capacity_factor(frame[["ghi"]])
    with pytest.raises(InputError, match=r"latitude = None: expected degrees"):
        pv_capacity_factor(pd.DataFrame(frame.to_dict("series")).set_axis(frame.index), longitude=13.4)
    with pytest.raises(InputError, match=r"ghi at 2025-06-12 00:00.* = -5.0"):
        pv_capacity_factor(frame.assign(ghi=-5.0), latitude=52.5, longitude=13.4)
    with pytest.raises(InputError, match=r"tilt = 120"):
        pv_capacity_factor(frame, tilt=120)
    with pytest.raises(InputError, match=r"starts with a time zone"):
        pv_capacity_factor(frame.tz_localize(None), latitude=52.5, longitude=13.4)
