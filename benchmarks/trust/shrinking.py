"""A small instance that still shows what a large one does: features, slots, sites and digits are dropped."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any

File = dict[str, Any]


def shrunk(file: File, fails: Callable[[File], bool], seconds: float = 60.0) -> File:
    """The smallest file found, in the time given, of which ``fails`` is still true."""
    ends = time.monotonic() + seconds
    smaller = True
    while smaller:
        smaller = False
        for candidate in _simpler(file):
            if time.monotonic() > ends:
                return file
            if candidate != file and _holds(fails, candidate):
                file, smaller = candidate, True
                break
    return file


def _holds(fails: Callable[[File], bool], file: File) -> bool:
    try:
        return fails(file)
    except ValueError:  # InputError: no instance any more
        return False


def _simpler(file: File) -> Iterator[File]:
    """Files with one thing less each, the largest things first."""
    for change in (_without_site, _without_slot, _without_class, _without_feature, _without_digits):
        yield from change(file)


def _without_site(file: File) -> Iterator[File]:
    for name in file["sites"] if len(file["sites"]) > 1 else ():
        less = copy.deepcopy(file)
        for table in ("sites", "arrivals", "backlog", "transfer_cost", "link_gb_per_hour"):
            less.get(table, {}).pop(name, None)
        for table in ("transfer_cost", "link_gb_per_hour"):
            for row in less.get(table, {}).values():
                row.pop(name, None)
        yield less


def _without_slot(file: File) -> Iterator[File]:
    slots = file["n_slots"]
    for cut in (slice(0, (slots + 1) // 2), slice(0, -1), slice(1, None)) if slots > 1 else ():
        less = copy.deepcopy(file)
        less["n_slots"] = len(range(slots)[cut])
        for site in less["sites"].values():
            for table in (site["grid"], site["cooling"], site):
                for name, values in table.items():
                    if isinstance(values, list) and len(values) == slots and name not in ("models", "clocks"):
                        table[name] = values[cut]
        for by_class in less["arrivals"].values():
            for name, jobs in by_class.items():
                by_class[name] = jobs[cut]
        yield less


def _without_class(file: File) -> Iterator[File]:
    for name in file["classes"] if len(file["classes"]) > 1 else ():
        less = copy.deepcopy(file)
        del less["classes"][name]
        for table in ("arrivals", "backlog"):
            for by_class in less.get(table, {}).values():
                by_class.pop(name, None)
        for model in less["models"].values():
            model["quality"].pop(name, None)
        yield less
    for name in file["models"] if len(file["models"]) > 1 else ():
        less = copy.deepcopy(file)
        del less["models"][name]
        for holder in (*less["sites"].values(), *less["classes"].values()):
            if holder.get("models"):
                holder["models"] = [m for m in holder["models"] if m != name]
        yield less
    for name, model in file["models"].items():
        if len(model["steps"]) > 1:
            less = copy.deepcopy(file)
            less["models"][name]["steps"] = model["steps"][:1]
            yield less


def _without_feature(file: File) -> Iterator[File]:
    for name in ("backlog", "link_gb_per_hour", "carbon_price", "closes", "timezone"):
        if name in file:
            yield {key: value for key, value in file.items() if key != name}
    for name, site in file["sites"].items():
        for part in ("battery", "generator", "clocks", "terminal_price", "max_utilisation"):
            if part in site:
                less = copy.deepcopy(file)
                del less["sites"][name][part]
                yield less
        if site["cooling"]["kind"] == "thermal":
            less = copy.deepcopy(file)
            less["sites"][name]["cooling"] = {"kind": "pue", "pue": 1.2}
            yield less
        for part in ("demand_charge", "demand_interval_slots", "peak_so_far_mw"):
            if part in site["grid"]:
                less = copy.deepcopy(file)
                del less["sites"][name]["grid"][part]
                yield less
    for name, rules in file["classes"].items():
        for part, plain in (("deadline_slots", 0), ("max_execution_s", None), ("step_price", 0.0)):
            if rules.get(part, plain) != plain:
                less = copy.deepcopy(file)
                less["classes"][name][part] = plain
                yield less
    for origin, by_class in file["arrivals"].items():
        for name, jobs in by_class.items():
            if any(jobs):
                less = copy.deepcopy(file)
                less["arrivals"][origin][name] = [0] * len(jobs)
                yield less


def _without_digits(file: File) -> Iterator[File]:
    rounded = _rounded(file, 3)
    yield rounded


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner, digits) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner, digits) for inner in value]
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value
