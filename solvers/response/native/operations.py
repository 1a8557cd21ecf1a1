"""What compiled functions may call without translation, as code of LLVM."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from . import language
from .expressions import FLOAT, FREE, INT, Expressions, Value

Operation = Callable[..., Value]


def _place(here: Expressions, array: Value, number: Value, each: int) -> Any:
    first = here.builder.mul(number.code, INT(each), flags=["nsw"])
    return here.builder.gep(array.code[0], [first], source_etype=here.whole.real)


def _reading(in_lanes: bool) -> Operation:
    def code(here: Expressions, node: ast.AST, array: Value, number: Value) -> Value:
        place = _place(here, array, number, here.whole.side if in_lanes else 1)
        return Value("lanes", here.builder.load(place, align=here.whole.bytes, typ=here.whole.lanes))

    return code


def _writing(in_lanes: bool, change: str = "") -> Operation:
    def code(here: Expressions, node: ast.AST, array: Value, number: Value, lanes: Value) -> Value:
        whole, builder = here.whole, here.builder
        place, value = _place(here, array, number, whole.side if in_lanes else 1), _lanes(here, node, lanes)
        if change:
            before = builder.load(place, align=whole.bytes, typ=whole.lanes)
            value = getattr(builder, change)(before, value, flags=FREE)
        builder.store(value, place, align=whole.bytes)
        return Value(type(None), None)

    return code


def _lanes(here: Expressions, node: ast.AST, value: Value) -> Any:
    return here.turned(value, "lanes", node).code


def _choosing(sign: str, then: int, otherwise: int) -> Operation:
    def code(here: Expressions, node: ast.AST, *given: Value) -> Value:
        values = [_lanes(here, node, value) for value in given]
        holds = here.builder.fcmp_ordered(sign, values[0], values[1])
        return Value("lanes", here.builder.select(holds, values[then], values[otherwise]))

    return code


def _ordering(sign: str) -> Operation:
    def code(here: Expressions, node: ast.AST, a: Value, b: Value) -> Value:
        kind = here.common(a, b, node)
        x, y = (here.turned(value, kind, node).code for value in (a, b))
        compare = here.builder.icmp_signed if kind is int else here.builder.fcmp_ordered
        return Value(kind, here.builder.select(compare(sign, y, x), y, x))

    return code


def _finite(here: Expressions, node: ast.AST, a: Value) -> Value:
    nothing = ir.Constant(a.code.type, [0.0] * here.whole.side if a.kind == "lanes" else 0.0)
    return Value(bool, here.builder.fcmp_ordered("==", here.builder.fsub(a.code, a.code), nothing))


def _sound(here: Expressions, node: ast.AST, a: Value) -> Value:
    nothing = ir.Constant(here.whole.lanes, [0.0] * here.whole.side)
    return Value("lanes", here.builder.select(_finite(here, node, a).code, a.code, nothing))


def _intrinsic(name: str) -> Operation:
    def code(here: Expressions, node: ast.AST, a: Value) -> Value:
        module, type_ = here.whole.module, a.code.type
        shape = f"v{here.whole.side}f{8 * here.whole.bytes}" if a.kind == "lanes" else "f64"
        known = module.globals.get(f"{name}.{shape}")
        called = known or ir.Function(module, ir.FunctionType(type_, [type_]), f"{name}.{shape}")
        return Value(a.kind, here.builder.call(called, [a.code]))

    return code


def _spread(here: Expressions, node: ast.AST, _: Value, scalar: Value) -> Value:
    return here.spread(here.turned(scalar, float, node))


def _side(here: Expressions, node: ast.AST, _: Value) -> Value:
    return Value(int, INT(here.whole.side))


def _epsilon(here: Expressions, node: ast.AST, _: Value) -> Value:
    return Value(float, FLOAT(float(np.finfo(f"f{here.whole.bytes}").eps)))


def _length(_: Expressions, node: ast.AST, array: Value) -> Value:
    return Value(int, array.code[1])


OPERATIONS: dict[Any, Operation] = {
    language.get: _reading(True),
    language.load: _reading(False),
    language.put: _writing(True),
    language.save: _writing(False),
    language.add: _writing(True, "fadd"),
    language.take: _writing(True, "fsub"),
    language.spread: _spread,
    language.least: _choosing("<", 0, 1),
    language.most: _choosing(">", 0, 1),
    language.where_more: _choosing(">", 2, 3),
    language.sound: _sound,
    language.root: _intrinsic("llvm.sqrt"),
    language.finite: _finite,
    language.side: _side,
    language.epsilon: _epsilon,
    len: _length,
    abs: _intrinsic("llvm.fabs"),
    min: _ordering("<"),
    max: _ordering(">"),
}
