"""Expressions of compiled functions as code of LLVM."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from llvmlite import ir

from .kinds import ARRAYS, ORDER, fields_of, signature_of, words

INT, BOOL, FLOAT, POINTER = ir.IntType(64), ir.IntType(1), ir.DoubleType(), ir.PointerType()
#: What the compiler may do: fuse products and sums, ignore the sign of zero.
FREE = ("contract", "nsz")
_SIGNS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_FLOATING = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
_WHOLE = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul"}


@dataclass(frozen=True)
class Value:
    """What an expression is. ``code``: (address, length) of arrays, the address of named tuples, values of
    tuples, and of variables the place in memory."""

    kind: Any
    code: Any


class Whole(Protocol):
    """The module that functions are part of: types of its numbers, and what they may call."""

    real: Any
    lanes: Any
    side: int
    bytes: int
    module: ir.Module
    operations: dict[Any, Callable[..., Value]]

    def function(self, source: Callable[..., Any]) -> ir.Function:
        """What a function becomes."""

    def read(self, builder: ir.IRBuilder, pointer: Any, at: int, kind: Any) -> Value:
        """A value among the words of arguments."""

    def flat(self, value: Value) -> list[Any]:
        """A value as arguments of a function."""

    def types(self, kind: Any) -> list[Any]:
        """Types of a value as arguments of a function."""


class Expressions:
    """Code of expressions, at the end of what ``builder`` has."""

    def __init__(self, whole: Whole, source: Callable[..., Any], made: ir.Function):
        self.whole, self.source, self.made = whole, source, made
        self.first = made.append_basic_block("variables")
        self.builder = ir.IRBuilder(made.append_basic_block("body"))
        self.variables: dict[str, Value] = {}

    def refused(self, node: ast.AST) -> NotImplementedError:
        """The error that says what cannot be translated."""
        line = self.source.__code__.co_firstlineno + getattr(node, "lineno", 1) - 1
        return NotImplementedError(f"{self.source.__module__}, line {line}: {ast.unparse(node)}")

    def block(self, name: str) -> ir.Block:
        """A new block."""
        return self.made.append_basic_block(name)

    def place(self, type_: Any) -> Any:
        """A new place in memory, which LLVM turns into a register."""
        return ir.IRBuilder(self.first).alloca(type_)

    def value(self, node: ast.expr) -> Value:
        """The code of an expression."""
        method = getattr(self, f"value_{type(node).__name__.lower()}", None)
        if method is None:
            raise self.refused(node)
        found: Value = method(node)
        return found

    def condition(self, node: ast.expr) -> Any:
        """Whether it holds."""
        return self.turned(self.value(node), bool, node).code

    def common(self, a: Value, b: Value, node: ast.AST) -> Any:
        """The kind of what two values are together."""
        if a.kind not in ORDER or b.kind not in ORDER:
            raise self.refused(node)
        return ORDER[max(ORDER.index(a.kind), ORDER.index(b.kind))]

    def turned(self, value: Value, kind: Any, node: ast.AST) -> Value:
        """A value as one of a wider kind, or as a condition."""
        if value.kind == kind:
            return value
        if kind is int and value.kind is bool:
            return Value(int, self.builder.zext(value.code, INT))
        if kind is bool and value.kind is int:
            return Value(bool, self.builder.icmp_signed("!=", value.code, INT(0)))
        if kind is float and value.kind in (int, bool):
            return Value(float, self.builder.sitofp(self.turned(value, int, node).code, FLOAT))
        if kind == "lanes" and value.kind in ORDER:
            return self.spread(self.turned(value, float, node))
        raise self.refused(node)

    def spread(self, scalar: Value) -> Value:
        """Lanes that all have the same number."""
        number = self.narrow(scalar.code)
        undefined = ir.Constant(self.whole.lanes, ir.Undefined)
        one = self.builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.whole.side), [0] * self.whole.side)
        return Value("lanes", self.builder.shuffle_vector(one, undefined, mask))

    def narrow(self, number: Any) -> Any:
        """A float in the precision of arrays."""
        return number if self.whole.real == FLOAT else self.builder.fptrunc(number, self.whole.real)

    def constant(self, number: Any, node: ast.AST) -> Value:
        """A number that is known."""
        types = {int: INT, bool: BOOL, float: FLOAT}
        if type(number) not in types:
            raise self.refused(node)
        return Value(type(number), types[type(number)](number))

    def element(self, node: ast.Subscript) -> tuple[Value, Any]:
        """An array, and where an entry of it lies."""
        array, number = self.value(node.value), self.turned(self.value(node.slice), int, node)
        if array.kind not in ARRAYS:
            raise self.refused(node)
        entry = INT if array.kind == "integers" else self.whole.real
        return array, self.builder.gep(array.code[0], [number.code], source_etype=entry)

    def value_constant(self, node: ast.Constant) -> Value:
        return self.constant(node.value, node)

    def value_name(self, node: ast.Name) -> Value:
        if node.id not in self.variables:
            return self.constant(self.source.__globals__.get(node.id), node)
        known = self.variables[node.id]
        if known.kind not in ORDER:
            return known
        return Value(known.kind, self.builder.load(known.code, typ=known.code.allocated_type))

    def value_attribute(self, node: ast.Attribute) -> Value:
        owner, at = self.value(node.value), 0
        for name, kind in fields_of(owner.kind).items():
            if name == node.attr:
                return self.whole.read(self.builder, owner.code, at, kind)
            at += len(words(kind))
        raise self.refused(node)

    def value_tuple(self, node: ast.Tuple) -> Value:
        return Value(tuple, [self.value(part) for part in node.elts])

    def value_subscript(self, node: ast.Subscript) -> Value:
        array, place = self.element(node)
        if array.kind == "integers":
            return Value(int, self.builder.load(place, typ=INT))
        number = self.builder.load(place, typ=self.whole.real)
        return Value(float, number if self.whole.real == FLOAT else self.builder.fpext(number, FLOAT))

    def value_binop(self, node: ast.BinOp) -> Value:
        left, right, sign = self.value(node.left), self.value(node.right), type(node.op)
        kind = self.common(left, right, node)
        kind = float if sign is ast.Div and kind in (bool, int) else int if kind is bool else kind
        a, b = (self.turned(x, kind, node).code for x in (left, right))
        if kind is not int and sign in _FLOATING:
            return Value(kind, getattr(self.builder, _FLOATING[sign])(a, b, flags=FREE))
        if kind is int and sign in _WHOLE:
            return Value(int, getattr(self.builder, _WHOLE[sign])(a, b, flags=["nsw"]))
        if kind is int and sign in (ast.FloorDiv, ast.Mod):
            return Value(int, self.floored(a, b, sign is ast.Mod))
        raise self.refused(node)

    def floored(self, a: Any, b: Any, rest: bool) -> Any:
        """The quotient or the rest of whole numbers, rounded down as in Python."""
        left = self.builder.srem(a, b)
        across = self.builder.icmp_signed("<", self.builder.xor(left, b), INT(0))
        down = self.builder.and_(self.builder.icmp_signed("!=", left, INT(0)), across)
        if rest:
            return self.builder.select(down, self.builder.add(left, b), left)
        return self.builder.sub(self.builder.sdiv(a, b), self.builder.zext(down, INT))

    def value_unaryop(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.op, ast.Not):
            return Value(bool, self.builder.not_(self.condition(node.operand)))
        value = self.value(node.operand)
        if not isinstance(node.op, ast.USub) or value.kind not in ORDER[1:]:
            raise self.refused(node)
        if isinstance(value.code, ir.Constant):
            return self.constant(-value.code.constant, node)
        negative = self.builder.neg if value.kind is int else self.builder.fneg
        return Value(value.kind, negative(value.code))

    def value_compare(self, node: ast.Compare) -> Value:
        left, found = self.value(node.left), None
        for sign, other in zip(node.ops, node.comparators, strict=True):
            right = self.value(other)
            kind = self.common(left, right, node)
            if kind == "lanes" or type(sign) not in _SIGNS:
                raise self.refused(node)
            a, b = (self.turned(x, int if kind is bool else kind, node).code for x in (left, right))
            if kind is not float:
                compare = self.builder.icmp_signed
            else:
                # of a number that is undefined only that it is not equal holds
                different = isinstance(sign, ast.NotEq)
                compare = self.builder.fcmp_unordered if different else self.builder.fcmp_ordered
            holds = compare(_SIGNS[type(sign)], a, b)
            found = holds if found is None else self.builder.and_(found, holds)
            left = right
        return Value(bool, found)

    def value_boolop(self, node: ast.BoolOp) -> Value:
        # parts only as far as they are needed: they may guard what follows
        place, after = self.place(BOOL), self.block("after")
        for part in node.values[:-1]:
            further, holds = self.block("further"), self.condition(part)
            self.builder.store(holds, place)
            ends = (further, after) if isinstance(node.op, ast.And) else (after, further)
            self.builder.cbranch(holds, *ends)
            self.builder.position_at_end(further)
        self.builder.store(self.condition(node.values[-1]), place)
        self.builder.branch(after)
        self.builder.position_at_end(after)
        return Value(bool, self.builder.load(place, typ=BOOL))

    def value_ifexp(self, node: ast.IfExp) -> Value:
        then, other, after = (self.block(name) for name in ("then", "else", "after"))
        self.builder.cbranch(self.condition(node.test), then, other)
        found = []
        for block, part in ((then, node.body), (other, node.orelse)):
            self.builder.position_at_end(block)
            found.append((self.value(part), self.builder.block))
        kind = self.common(found[0][0], found[1][0], node)
        place = self.place(self.whole.types(kind)[0])
        for value, end in found:
            self.builder.position_at_end(end)
            self.builder.store(self.turned(value, kind, node).code, place)
            self.builder.branch(after)
        self.builder.position_at_end(after)
        return Value(kind, self.builder.load(place, typ=place.allocated_type))

    def value_call(self, node: ast.Call) -> Value:
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise self.refused(node)
        called: Any = self.source.__globals__.get(node.func.id, getattr(builtins, node.func.id, None))
        given = [self.value(part) for part in node.args]
        if called in self.whole.operations:
            return self.whole.operations[called](self, node, *given)
        if not hasattr(called, "compiled"):
            raise self.refused(node)
        kinds, result = signature_of(called)
        turned = (self.turned(value, k, node) for value, k in zip(given, kinds.values(), strict=True))
        flat = [part for value in turned for part in self.whole.flat(value)]
        back = self.builder.call(self.whole.function(called), flat)
        if not isinstance(result, tuple):
            return Value(result, back)
        return Value(tuple, [Value(k, self.builder.extract_value(back, n)) for n, k in enumerate(result)])
