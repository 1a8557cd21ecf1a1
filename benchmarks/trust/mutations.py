"""What goes wrong in files: a value, a name, a row, a byte. Each change is told, to explain a finding."""

from __future__ import annotations

import bz2
import copy
import gzip
import json
import lzma
from typing import Any

import numpy as np

Rng = np.random.Generator
#: No float holds an integer of many digits times a factor.
_HUGE = 1e290
Place = tuple[Any, Any, str]

NUMBERS: tuple[Any, ...] = (
    0, -1, 1, 2, 0.5, -0.0, 1e-9, 1e-13, 5e-324, 1e12, 1e13, -1e12, 1e308, 10**30, 10**400, 2**63,
    float("nan"), float("inf"), float("-inf"), 1e6, 1e9, 0.1 + 0.2, 0.9000000000000001, 7, 24, 1_000_000,
)  # fmt: skip
TEXTS = ("", "x", "s0", "k0", "m0", "default", "kind", "pue", "thermal", "a\nb", "\ud800", "=1+1", "é", "0",
         "1e3", "../x", "nan", "null", "s" * 300, "2018-06-12", "\0", "schema", "battery", "<b>",
         "9" * 5000)  # fmt: skip
CELLS = ("", "nan", "n/e", "inf", "-", "1e400", "1_000", "abc", "-1", "1,5", "24:00", "31/02/2018", "NaT",
         '"', "2018-13-01", "99999999999999999999", "2018-03-25T02:30", "2018-03-25 02:30 (CEST)", "\u0663",
         "0x10")  # fmt: skip
ROWS = ("cell", "cell", "cell", "number", "lose row", "double row", "swap rows", "lose column", "rename",
        "cut", "comma", "quote", "blank", "wide")  # fmt: skip
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], [0], {"a": 1}, [None], {"kind": "pue"})
MEANT = (0, 0.0, 1, 1.0, 2, 0.5, 0.1, 1e-6, 100, 3)
MILD_FACTORS = (0, 0, 0.001, 0.1, 0.5, 0.9, 0.999999999, 1.000000001, 1.1, 2, 3, 10, 100, 1e4, -1)
FACTORS = (-1, 0, 1e-12, 1e-6, 0.5, 0.999999999, 1.000000001, 2, 10, 1e3, 1e6, 1e12)


def value(rng: Rng) -> Any:
    """Anything that JSON can hold, and that somebody wrote."""
    kind = rng.random()
    if kind < 0.6:
        return NUMBERS[rng.integers(len(NUMBERS))]
    if kind < 0.8:
        return TEXTS[rng.integers(len(TEXTS))]
    return copy.deepcopy(OTHERS[rng.integers(len(OTHERS))])


def places(node: Any, path: str = "") -> list[Place]:
    """Every (container, key, path) of a JSON value."""
    if isinstance(node, dict):
        keys: list[Any] = list(node)
    elif isinstance(node, list):
        keys = list(range(len(node)))
    else:
        return []
    found: list[Place] = []
    for key in keys:
        found.append((node, key, f"{path}.{key}"))
        found += places(node[key], f"{path}.{key}")
    return found


def mutated(rng: Rng, data: Any) -> tuple[Any, str]:
    """The value with one change, and what it was."""
    data = copy.deepcopy(data)
    found = places(data)
    if not found:
        return value(rng), "replaced"
    # few fields are lists, most places lie in them: a field as often as a place
    fields = [place for place in found if isinstance(place[0], dict)]
    chosen = fields if fields and rng.random() < 0.6 else found
    holder, key, path = chosen[rng.integers(len(chosen))]
    action = rng.choice(["replace", "scale", "delete", "insert", "swap", "double", "every"])
    if action == "scale" and type(holder[key]) in (int, float) and not abs(holder[key]) > _HUGE:
        factor = FACTORS[rng.integers(len(FACTORS))]
        holder[key] = type(holder[key])(holder[key] * factor) if rng.random() < 0.5 else holder[key] * factor
        return data, f"{path} times {factor}"
    if action == "every" and isinstance(holder[key], list) and holder[key]:
        other = NUMBERS[rng.integers(len(NUMBERS))]
        holder[key] = [other] * len(holder[key])
        return data, f"{path} all {other!r:.20}"
    if action == "delete":
        del holder[key]
        return data, f"{path} deleted"
    if action == "swap":
        other_holder, other_key, other_path = found[rng.integers(len(found))]
        other_holder[other_key] = copy.deepcopy(holder[key])
        return data, f"{other_path} is a copy of {path}"
    if action == "double" and isinstance(holder, list):
        holder.insert(int(key), copy.deepcopy(holder[key]))
        return data, f"{path} twice"
    if action == "insert":
        new = value(rng)
        if isinstance(holder, list):
            holder.insert(int(key), new)
        else:
            holder[str(TEXTS[rng.integers(len(TEXTS))])] = (
                copy.deepcopy(holder[key]) if rng.random() < 0.5 else new
            )
        return data, f"inserted at {path}"
    holder[key] = value(rng)
    return data, f"{path} = {holder[key]!r:.40}"


def mild(rng: Rng, data: Any) -> tuple[Any, str]:
    """The value with one number (or all of a list) changed to one that somebody could mean."""
    data = copy.deepcopy(data)
    found = [place for place in places(data) if _counts(place[0][place[1]])]
    if not found:
        return mutated(rng, data)
    fields = [place for place in found if isinstance(place[0], dict)]
    chosen = fields if fields and rng.random() < 0.7 else found
    holder, key, path = chosen[rng.integers(len(chosen))]
    number, factor = MEANT[rng.integers(len(MEANT))], MILD_FACTORS[rng.integers(len(MILD_FACTORS))]
    old = holder[key]
    if rng.random() < 0.3:
        holder[key] = [number] * len(old) if isinstance(old, list) else number
        return data, f"{path} = {number}"
    scaled = [one * factor for one in old] if isinstance(old, list) else old * factor
    whole = _whole(old) and rng.random() < 0.8
    holder[key] = _rounded(scaled) if whole else scaled
    return data, f"{path} times {factor}"


def _counts(node: Any) -> bool:
    return type(node) in (int, float) or (
        isinstance(node, list) and bool(node) and all(type(one) in (int, float) for one in node)
    )


def _whole(node: Any) -> bool:
    return all(type(one) is int for one in (node if isinstance(node, list) else [node]))


def _rounded(node: Any) -> Any:
    return [round(one) for one in node] if isinstance(node, list) else round(node)


def as_text(rng: Rng, data: Any) -> tuple[bytes, str]:
    """A JSON value as a file, now and then one that is damaged."""
    content = json.dumps(data).encode("utf-8", "surrogatepass")
    return damaged(rng, content) if rng.random() < 0.06 else (content, "")


def damaged(rng: Rng, content: bytes) -> tuple[bytes, str]:
    """Bytes lost, changed, doubled; another encoding; packed; far too deep."""
    size = max(1, len(content))
    at, length = int(rng.integers(size)), int(rng.integers(1, 40))
    ways = {
        "cut short": lambda: content[:at],
        "bytes lost": lambda: content[:at] + content[at + length :],
        "bytes changed": lambda: content[:at] + rng.bytes(min(length, 4)) + content[at + 4 :],
        "doubled": lambda: content[:at] + content[at : at + length] + content[at:],
        "empty": lambda: b"",
        "NUL": lambda: content[:at] + b"\0" + content[at:],
        "BOM": lambda: b"\xef\xbb\xbf" + content,
        "UTF-16": lambda: content.decode("utf-8", "replace").encode("utf-16"),
        "latin": lambda: content.decode("utf-8", "replace").encode("latin-1", "replace") + b"\xe9",
        "gzip": lambda: gzip.compress(content),
        "bz2": lambda: bz2.compress(content),
        "xz": lambda: lzma.compress(content),
        "deep": lambda: b"[" * 100_000,
        "deep objects": lambda: b'{"a":' * 50_000,
        "long number": lambda: content[:at] + b"9" * 5000 + content[at:],
        "HTML": lambda: b"<!DOCTYPE html><html><body>404</body></html>",
        "twice": lambda: content + content,
    }
    name = str(rng.choice(sorted(ways)))
    return ways[name](), name


def mutated_table(rng: Rng, text: str, cut: str = ",") -> tuple[str, str]:
    """A table of text with one change: a cell, a row, a column, what parts them."""
    rows = [line.split(cut) for line in text.splitlines()]
    if not rows:
        return "", "empty"
    row = int(rng.integers(len(rows)))
    column = int(rng.integers(max(1, len(rows[row]))))
    action = rng.choice(ROWS)
    if action == "cell" and rows[row]:
        rows[row][column] = CELLS[rng.integers(len(CELLS))]
    elif action == "number":
        rows[row][column] = str(NUMBERS[rng.integers(10)])
    elif action == "lose row":
        del rows[row]
    elif action == "double row":
        rows.insert(row, list(rows[row]))
    elif action == "swap rows":
        other = int(rng.integers(len(rows)))
        rows[row], rows[other] = rows[other], rows[row]
    elif action == "lose column":
        rows = [cells[:column] + cells[column + 1 :] for cells in rows]
    elif action == "rename":
        rows[0][min(column, len(rows[0]) - 1)] = str(
            rng.choice(["", "x", "region", "timestamp_utc", "steps"])
        )
    elif action == "cut":
        cut = str(rng.choice([";", "\t", "|", ", "]))
    elif action == "comma":
        rows = [[cell.replace(".", ",") for cell in cells] for cells in rows]
    elif action == "quote":
        rows[row][column] = '"' + rows[row][column]
    elif action == "blank":
        rows.insert(row, [])
    else:
        rows[row] += ["7"] * int(rng.integers(1, 500))
    return "\n".join(cut.join(cells) for cells in rows) + "\n", f"{action} at row {row}, column {column}"
