"""Instances built from parts: sites, models and classes as people say them, series as they have them."""

from .build import build
from .parts import Battery, Clock, Cooling, Generator, Gpus, Grid, JobClass, Model, Site
from .sizing import Sizing, sizing

__all__ = [
    "Battery",
    "Clock",
    "Cooling",
    "Generator",
    "Gpus",
    "Grid",
    "JobClass",
    "Model",
    "Site",
    "Sizing",
    "build",
    "sizing",
]
