"""BurstGPT: seconds since the start of the collection, the model, tokens; newer files have more columns."""

from __future__ import annotations

from ...tables.table import Table
from ...tables.told import Told
from ..layout import Recognised, by_columns
from .requests import Requests, requests_of


def recognises(table: Table) -> Recognised | None:
    """By the stamp, the model and both columns of tokens."""
    return by_columns(table, "Timestamp", "Model", "Request tokens", "Response tokens")


def read(table: Table, told: Told) -> Requests:
    """Requests by model, their steps the tokens of the response."""
    return requests_of(
        table, told, time=("Timestamp",), job_class="Model", steps="Response tokens", time_format="seconds"
    )
