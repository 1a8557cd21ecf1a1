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
from .importers.own_csv import read_series
from .importers.registry import IMPORTERS, Gives, Importer, imported
from .local_time import TIME_ZONES, local_day
from .scenarios.registry import SCENARIOS, scenario, takes
from .series import as_series, covered, window, zone_list

__all__ = [
    "IMPORTERS",
    "SCENARIOS",
    "TIME_ZONES",
    "Battery",
    "Catalogue",
    "Clock",
    "Cooling",
    "Generator",
    "Gives",
    "Gpus",
    "Grid",
    "Importer",
    "JobClass",
    "Model",
    "Quantity",
    "Site",
    "Sizing",
    "as_series",
    "build",
    "catalogue_table",
    "covered",
    "imported",
    "load_catalogue",
    "load_europe_2018",
    "local_day",
    "read_series",
    "scenario",
    "sizing",
    "takes",
    "window",
    "zone_list",
]
