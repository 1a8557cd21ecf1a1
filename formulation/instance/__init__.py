"""What is given: sites, classes, models and series, as pydantic records and as arrays."""

from .components import (
    Battery,
    Clock,
    GenerationModel,
    Generator,
    Grid,
    JobClass,
    PueCooling,
    Site,
    ThermalCooling,
)
from .conversion import instance_arrays
from .instance import Instance, load

__all__ = [
    "Battery",
    "Clock",
    "GenerationModel",
    "Generator",
    "Grid",
    "Instance",
    "JobClass",
    "PueCooling",
    "Site",
    "ThermalCooling",
    "instance_arrays",
    "load",
]
