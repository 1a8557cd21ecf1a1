"""A trace of image generation: a request a row, with the model and the steps of denoising."""

from __future__ import annotations

from ...tables.table import Table
from ...tables.told import Told
from ..layout import Recognised, by_columns
from .requests import Requests, requests_of


def recognises(table: Table) -> Recognised | None:
    """By the stamp, the model and the steps."""
    return by_columns(table, "gmt_create", "base_model", "num_inference_steps")


def read(table: Table, told: Told) -> Requests:
    """Requests by model, with their steps."""
    return requests_of(table, told, time=("gmt_create",), job_class="base_model", steps="num_inference_steps")
