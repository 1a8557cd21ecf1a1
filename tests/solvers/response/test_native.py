"""Functions over numbers made machine code: they do what Python does, and are kept on disk."""

from __future__ import annotations

import importlib
import linecache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import random_instance

from stepwatt.solvers.planners.foresight import compiling
from stepwatt.solvers.planners.foresight.planner import ForesightPolicy
from stepwatt.solvers.response.native import (
    REGISTER,
    Integers,
    Lanes,
    Native,
    Numbers,
    Room,
    add,
    compiled,
    epsilon,
    finite,
    get,
    least,
    load,
    machine,
    most,
    put,
    root,
    save,
    side,
    sound,
    spread,
    store,
    take,
    warm_up,
    where_more,
)

REALS = (np.float32, np.float64)
LIMIT = 3.5


class Pair(NamedTuple):
    number: int
    share: float
    values: Numbers
    places: Integers


class Nested(NamedTuple):
    first: float
    pair: Pair


@compiled
def halves(a: float, n: int) -> tuple[float, bool]:
    """Two values, one of them early."""
    if n < 0:
        return -a / 2, True
    return a / 2, n > 2 or a > LIMIT


@compiled
def numbers(z: Nested, out: Numbers, whole: Integers) -> None:
    """One of every statement and expression."""
    values, places, n = z.pair.values, z.pair.places, z.pair.number
    count = 0
    total = largest = 0.0
    for m in range(len(values)):
        if m % 3 == 2:
            continue
        if count > 4 or not finite(values[m]):
            break
        total += values[m] * z.pair.share
        largest = max(largest, abs(values[m]))
        count += 1
    for m in range(len(places) - 1, -1, -1):
        # what comes first guards what follows
        if 0 <= places[m] < len(values) and values[places[m]] > 0:
            total -= values[places[m]]
    while count > 0 and total > z.first:
        total, count = total - 1, count - 1
    half, flag = halves(total, n)
    out[0], out[1], out[2] = total, largest if flag else -largest, half
    out[3] = min(n, count) / 2 if n != 0 else epsilon(out)
    whole[0], whole[1] = n // 4, n % 4
    whole[2], whole[3] = n // -3, n % -3
    whole[4] = places[0] = count


@compiled
def operations(a: Numbers, b: Numbers, out: Numbers) -> None:
    """Every operation on lanes."""
    for m in range(len(a) // side(a)):
        x, y = get(a, m), load(b, m * side(b) // 2)
        put(out, 6 * m, least(x, y) + 2 * most(x, y))
        put(out, 6 * m + 1, where_more(x, y, x * y, x / y))
        save(out, (6 * m + 2) * side(out), root(x * x + 1.5))
        put(out, 6 * m + 3, sound(x / spread(b, 0.0)) - y)
        put(out, 6 * m + 4, x)
        add(out, 6 * m + 4, y)
        put(out, 6 * m + 5, x)
        take(out, 6 * m + 5, twice(y))


@compiled
def twice(x: Lanes) -> Lanes:
    return x + x


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where machine code is kept instead."""
    monkeypatch.setattr(store, "places", lambda: [tmp_path])
    return tmp_path


NUMBERS = {real: Native(numbers, real) for real in REALS}


@pytest.mark.parametrize("real", REALS)
@given(
    first=st.floats(-5, 5),
    n=st.integers(-20, 20),
    values=st.lists(st.floats(-10, 10, width=16), max_size=12),
    places=st.lists(st.integers(-2, 12), min_size=1, max_size=5),
    spoiled=st.booleans(),
)
def test_a_function_does_what_it_does_in_python(
    real: Any, first: float, n: int, values: list[float], places: list[int], spoiled: bool
) -> None:
    given_values = np.array([*values, np.inf] if spoiled else values, real)
    results = []
    for run in (numbers, NUMBERS[real]):
        out, whole, at = np.zeros(4, real), np.zeros(5, np.int64), np.array(places)
        with np.errstate(all="ignore"):
            run(Nested(first, Pair(n, 0.5, given_values, at)), out, whole)
        results.append((out, whole, at))
    np.testing.assert_allclose(results[1][0], results[0][0], rtol=1e-6)
    np.testing.assert_array_equal(results[1][1], results[0][1])
    np.testing.assert_array_equal(results[1][2], results[0][2])


@pytest.mark.parametrize("real", REALS)
def test_lanes_are_numbers_side_by_side(real: Any) -> None:
    lanes = REGISTER // np.dtype(real).itemsize
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 3 * lanes)).astype(real)
    expected, out = np.empty(18 * lanes, real), np.empty(18 * lanes, real)
    with np.errstate(divide="ignore"):
        operations(a, b, expected)
    Native(operations, real)(a, b, out)
    np.testing.assert_allclose(out, expected, rtol=4 * np.finfo(real).eps)


@compiled
def formats(out: Numbers) -> None:
    text = f"{len(out)}"
    out[0] = len(text)


@compiled
def two_kinds(out: Numbers) -> None:
    total = get(out, 0)
    total = 1.0
    out[0] = total


@pytest.mark.parametrize("source", [formats, two_kinds])
def test_what_cannot_be_translated_is_named(source: Any, shelf: Path) -> None:
    line = source.__code__.co_firstlineno + (2 if source is formats else 3)
    with pytest.raises(NotImplementedError, match=rf"test_native, line {line}"):
        Native(source, np.float64).prepare()


@pytest.mark.parametrize(
    "wrong", [np.zeros(16, np.float32), np.zeros((16, 2))[:, 0], np.zeros(16, np.int64)], ids=str
)
def test_arrays_of_another_type_are_refused(wrong: Any) -> None:
    right = np.zeros(96)
    with pytest.raises(TypeError, match="expected contiguous float64"):
        Native(operations, np.float64)(wrong, right, right)


class Rows(NamedTuple):
    first: Numbers
    second: Numbers


@compiled
def lengths(rows: Rows, out: Numbers) -> None:
    first, second = rows.first, rows.second
    out[0] = len(first) + second[1]
    second[2] = 5.0


@pytest.mark.parametrize("real", REALS)
def test_a_room_stands_for_a_tuple_of_arrays(real: Any) -> None:
    room, out = Room(Rows, [2, 3], np.dtype(real)), np.zeros(1, real)
    first, second = room.arrays()
    second[1] = 4.0
    Native(lengths, real)(room, out)
    assert out[0] == 6.0
    np.testing.assert_array_equal(first, [0.0, 0.0])
    np.testing.assert_array_equal(second, [0.0, 4.0, 5.0])
    with pytest.raises(TypeError, match=r"expected .*Pair"):
        Native(numbers, real)(Nested(1.0, room), out, out)


def works(function: Native) -> bool:
    a, out = np.arange(8.0), np.empty(48)
    function(a, np.ones(8), out)
    return bool((out[32:40] == a + 1).all())


def test_code_is_made_once_and_kept(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, told = Native(operations, np.float64), list[str]()
    assert not first.ready()
    warm_up([first], told.append)
    assert told == ["compiling (first use on this machine)"]
    assert first.ready()
    assert works(first)
    monkeypatch.setattr(machine, "machine_code", None)
    second = Native(operations, np.float64)
    assert second.ready()
    warm_up([second], told.append)
    assert len(told) == 1
    assert works(second)
    assert len(list(shelf.iterdir())) == 1


@pytest.mark.parametrize("spoil", [lambda code: code[:100], lambda code: code[:-1] + b"x", lambda _: b""])
def test_spoiled_code_is_made_anew(spoil: Any, shelf: Path) -> None:
    assert works(Native(operations, np.float64))
    (file,) = shelf.iterdir()
    whole = file.read_bytes()
    file.write_bytes(spoil(whole))
    again = Native(operations, np.float64)
    assert not again.ready()
    assert works(again)
    assert file.read_bytes() == whole


def test_where_nothing_can_be_written_code_stays_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.touch()
    # below a file there is no folder
    monkeypatch.setattr(store, "places", lambda: [file, file / "folder"])
    function = Native(operations, np.float64)
    assert works(function)
    assert function.ready()
    assert not Native(operations, np.float64).ready()
    assert list(tmp_path.iterdir()) == [file]


def test_code_of_other_sources_or_machines_is_not_used(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Native(operations, np.float64).prepare()
    assert not Native(operations, np.float32).ready()
    assert not Native(numbers, np.float64).ready()
    monkeypatch.setattr(machine, "description", lambda: "another processor")
    assert not Native(operations, np.float64).ready()


def test_code_lies_beside_bytecode_or_in_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    beside, user = store.places()
    assert beside.name == "__pycache__"
    assert user == tmp_path / "stepwatt"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("LOCALAPPDATA", "")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert len(list(store.places())) == 1


def test_foresight_says_what_it_has_to_compile(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = [Native(each.source, each.real.type, each.register) for each in compiling.functions()]
    monkeypatch.setattr(compiling, "functions", lambda general, batch: fresh)
    instance = random_instance(np.random.default_rng(0), n_slots=2, n_sites=2, features=["battery"])
    told = list[str]()
    assert not compiling.ready()
    for _ in range(2):
        ForesightPolicy("perfect").schedule(instance, progress=lambda done, what: told.append(what))
    assert compiling.ready()
    slots = ["slot 1 of 2", "slot 2 of 2"]
    assert told == ["compiling (first use on this machine)", *slots, *slots]


def test_a_file_that_has_changed_since_is_not_translated(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "from stepwatt.solvers.response.native import Numbers, compiled\n\n@compiled\n"
    text += "def one(out: Numbers) -> None:\n    out[0] = "
    file = tmp_path / "changing.py"
    file.write_text(text + "1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    source = importlib.import_module("changing").one
    file.write_text(text + "2.0\n")
    linecache.checkcache()
    with pytest.raises(RuntimeError, match="changing has changed since it was imported"):
        Native(source, np.float64).prepare()
