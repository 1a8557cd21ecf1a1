"""Data: hourly series, the catalogue of models and tariffs, and the scenarios made of them."""

from .building import (
    Battery,
    Clock,
    Cooling,
    Generator,
    Gpus,
    Grid,
    JobClass,
    Model,
    Site,
    Sizing,
    build,
    sizing,
)
from .catalogue import Catalogue, Quantity, catalogue_table, load_catalogue
from .embedded import load_europe_2018
from .importers.layout import Recognised
from .importers.own_csv import read_series
from .importers.registry import IMPORTERS, Gives, Importer, imported
from .importers.traces.requests import Requests
from .jobs import read_jobs
from .local_time import TIME_ZONES, local_day
from .looking import Look, look
from .photovoltaics import pv_capacity_factor
from .reading import read_carbon, read_prices, read_weather
from .scenarios.registry import SCENARIOS, needs, scenario, summary, takes
from .series import as_series, covered, window, zone_list
from .tables.notes import ReadingNote
from .tables.rows import Columns, Rows, rows_of
from .tables.table import Table, open_table
from .tables.told import How, Told
from .wind_power import wind_capacity_factor

__all__ = [
    "IMPORTERS",
    "SCENARIOS",
    "TIME_ZONES",
    "Battery",
    "Catalogue",
    "Clock",
    "Columns",
    "Cooling",
    "Generator",
    "Gives",
    "Gpus",
    "Grid",
    "How",
    "Importer",
    "JobClass",
    "Look",
    "Model",
    "Quantity",
    "ReadingNote",
    "Recognised",
    "Requests",
    "Rows",
    "Site",
    "Sizing",
    "Table",
    "Told",
    "as_series",
    "build",
    "catalogue_table",
    "covered",
    "imported",
    "load_catalogue",
    "load_europe_2018",
    "local_day",
    "look",
    "needs",
    "open_table",
    "pv_capacity_factor",
    "read_carbon",
    "read_jobs",
    "read_prices",
    "read_series",
    "read_weather",
    "rows_of",
    "scenario",
    "sizing",
    "summary",
    "takes",
    "wind_capacity_factor",
    "window",
    "zone_list",
]
