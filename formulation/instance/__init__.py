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
from .instance import Instance, instance_arrays, load

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
