"""Where the series of a project folder come from: the embedded year, or files beside ``site.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from stepwatt.formulation import InputError
from stepwatt.formulation.errors import one_of

from ..building.slots import Slots
from ..embedded import EUROPE_2018_USD_PER_EUR, load_europe_2018
from ..importers.registry import imported
from ..reading import read_carbon, read_prices, read_weather
from ..series import zone_list
from ..tables.told import How
from ..units import Units

#: Field → column of a series, and the unit it is in.
_COLUMNS = {
    "import_price": ("price_usd_per_mwh", "USD/MWh"),
    "export_price": ("price_usd_per_mwh", "USD/MWh"),
    "carbon_kg_per_mwh": ("carbon_lca_g_per_kwh", "g/kWh"),
    "outside_c": ("temp_c", "°C"),
    "pv": ("pv_cf", "1"),
    "wind": ("wind_cf", "1"),
}

_KEYS = ("embedded", "series", "importer", "zone", "add", "times")

#: What a table with a ``file`` may say of it besides ``add`` and ``times``, as the readers take it.
_HOW = ("layout", "zone", "time", "value", "tz", "unit", "to", "rate", "gaps", *How.__annotations__)


class Sources:
    """Reads the series that tables of ``site.toml`` point to; ``slots`` is set once the horizon is known."""

    def __init__(self, folder: Path, units: Units) -> None:
        self.folder, self.units = folder, units
        self.slots: Slots | None = None
        self._read: dict[tuple[str, str], pd.DataFrame] = {}

    def series(self, table: Mapping[str, Any], name: str, unit: str, path: str) -> pd.Series:
        """The series of a field, in its unit: ``{ embedded = "DE", add = "25 EUR/MWh" }``.

        Raises:
            InputError: a table that does not say where from, a file that cannot be used, a unit of another
                kind.
        """
        keys = ("file", "add", "times", *_HOW) if "file" in table else ("file", *_KEYS)
        for key, value in table.items():
            if key not in keys:
                raise InputError(field=f"{path}.{key}", value=value, expected=one_of(keys, key))
        if name not in _COLUMNS:
            raise InputError(field=path, value=dict(table), expected="one number with its unit")
        values = self._values(table, name, path)
        said = str(values.attrs["unit"])
        found = self.units.converted(values.to_numpy(dtype=float), said, unit, path)
        times, add = table.get("times", 1.0), table.get("add")
        if isinstance(times, bool) or not isinstance(times, int | float):
            raise InputError(field=f"{path}.times", value=times, expected="a number")
        more = 0.0
        if add is not None:
            if not isinstance(add, str):
                expected = f'a quantity such as "25 {unit.replace("USD", self.units.currency)}"'
                raise InputError(field=f"{path}.add", value=add, expected=expected)
            more = self.units.read(add, unit, f"{path}.add")
        return pd.Series(found * times + more, index=values.index)

    def renewables(self, table: Mapping[str, Any], path: str) -> Any:
        """Power of sun and wind: ``pv = "100 kW"`` and ``wind`` at the capacity factors of ``profile``."""
        known = ("pv", "wind", "profile")
        for key, value in table.items():
            if key not in known:
                raise InputError(field=f"{path}.{key}", value=value, expected=one_of(known, key))
        profile = table.get("profile")
        if not isinstance(profile, Mapping):
            expected = 'where sun and wind come from, such as { embedded = "DE" }'
            raise InputError(field=f"{path}.profile", value=profile, expected=expected)
        total: Any = 0.0
        for kind in ("pv", "wind"):
            if kind in table:
                peak = table[kind]
                if not isinstance(peak, str):
                    expected = 'its peak power with a unit, such as "100 kW"'
                    raise InputError(field=f"{path}.{kind}", value=peak, expected=expected)
                megawatts = self.units.read(peak, "MW", f"{path}.{kind}")
                total = self.series(profile, kind, "1", f"{path}.profile") * megawatts + total
        return total

    def _values(self, table: Mapping[str, Any], name: str, path: str) -> pd.Series:
        ways = [key for key in ("embedded", "series", "file") if key in table]
        if len(ways) != 1:
            expected = 'file = "FILE" of any known layout, series = "FILE" or embedded = "ZONE" (2018)'
            raise InputError(field=path, value=dict(table), expected=expected)
        if "file" in table:
            return self._from_file(table, name, path)
        if "embedded" in table:
            frame, zone = load_europe_2018(), table["embedded"]
        else:
            frame = self._frame(str(table["series"]), str(table.get("importer", "series")))
            zone = table.get("zone", zone_list(frame)[0] if len(zone_list(frame)) == 1 else None)
        if zone not in zone_list(frame):
            field = f"{path}.embedded" if "embedded" in table else f"{path}.zone"
            raise InputError(field=field, value=zone, expected=one_of(zone_list(frame), zone))
        column, unit = _COLUMNS[name]
        if column not in frame:
            raise InputError(field=path, value=dict(table), expected=f"a series with a column {column}")
        values: pd.Series = frame.loc[zone][column]
        if "embedded" in table and unit == "USD/MWh" and self.units.currency == "EUR":
            # prices of the year were published in EUR
            values, unit = values / EUROPE_2018_USD_PER_EUR, "EUR/MWh"
        values.attrs["unit"] = unit
        return values

    def _from_file(self, table: Mapping[str, Any], name: str, path: str) -> pd.Series:
        """Prices, carbon intensity or temperature of a file as people have it."""
        how = {key: value for key, value in table.items() if key in _HOW}
        source = self.folder / _name_of(table["file"], path)
        if name in ("import_price", "export_price"):
            found = read_prices(source, **how)
        elif name == "carbon_kg_per_mwh":
            found = read_carbon(source, **how)
        elif name == "outside_c":
            weather = read_weather(source, **how)
            if "temp_air" not in weather:
                expected = "a file with the temperature of the air"
                raise InputError(field=f"{path}.file", value=table["file"], expected=expected)
            found = weather["temp_air"]
            found.attrs["unit"] = "°C"
        else:
            expected = 'embedded = "ZONE", or series = "FILE": capacity factors'
            raise InputError(field=f"{path}.file", value=table["file"], expected=expected)
        if not isinstance(found, pd.Series):
            raise InputError(field=f"{path}.zone", value=table.get("zone"), expected="one zone")
        return found

    def _frame(self, file: str, importer: str) -> pd.DataFrame:
        if (file, importer) not in self._read:
            self._read[file, importer] = imported(self.folder / file, importer, "series")
        return self._read[file, importer]


def _name_of(file: Any, path: str) -> str:
    if not isinstance(file, str) or not file:
        raise InputError(field=f"{path}.file", value=file, expected="the name of a file in the folder")
    return file
