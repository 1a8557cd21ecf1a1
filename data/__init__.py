"""Data: hourly series, the catalogue of models and tariffs, and the scenarios made of them."""

from .catalogue import Catalogue, Quantity, catalogue_table, load_catalogue
from .embedded import load_europe_2018
from .importers.own_csv import read_series
from .importers.registry import IMPORTERS, Gives, Importer, imported
from .local_time import TIME_ZONES, local_day
from .scenarios.registry import SCENARIOS, scenario, takes
from .series import as_series, covered, window, zone_list

__all__ = [
    "IMPORTERS",
    "SCENARIOS",
    "TIME_ZONES",
    "Catalogue",
    "Gives",
    "Importer",
    "Quantity",
    "as_series",
    "catalogue_table",
    "covered",
    "imported",
    "load_catalogue",
    "load_europe_2018",
    "local_day",
    "read_series",
    "scenario",
    "takes",
    "window",
    "zone_list",
]
