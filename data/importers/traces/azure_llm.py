"""Azure LLM inference traces of 2023 and 2024: a request a row, with its tokens. Those of 2024 say UTC."""

from __future__ import annotations

from ...tables.table import Table
from ...tables.told import Told
from ..layout import Recognised, by_columns
from .requests import Requests, requests_of


def recognises(table: Table) -> Recognised | None:
    """By the stamp and both columns of tokens."""
    return by_columns(table, "TIMESTAMP", "ContextTokens", "GeneratedTokens")


def read(table: Table, told: Told) -> Requests:
    """Requests, their steps the tokens that were generated."""
    return requests_of(table, told, time=("TIMESTAMP",), steps="GeneratedTokens")
