"""Statements of compiled functions as code of LLVM.

The kind of a variable is that of what is first assigned to it. Arrays and named tuples are named once.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from .expressions import INT, Expressions, Value, Whole
from .identity import tree_of
from .kinds import ORDER, signature_of


class Body(Expressions):
    """The code of one function."""

    def __init__(self, whole: Whole, source: Callable[..., Any], made: ir.Function):
        super().__init__(whole, source, made)
        self.kinds, self.result = signature_of(source)
        self.tree = tree_of(source)
        #: Where loops go on, and where they end.
        self.loops: list[tuple[Any, Any]] = []

    def translate(self) -> None:
        """Write it."""
        begin, arguments = self.builder.block, iter(self.made.args)
        for name, kind in self.kinds.items():
            code = [next(arguments) for _ in self.whole.types(kind)]
            self.assign(ast.Name(name), Value(kind, code[0] if len(code) == 1 else tuple(code)))
        self.run(self.tree.body)
        if not self.builder.block.is_terminated:
            _ = self.builder.ret_void() if self.result is type(None) else self.builder.unreachable()
        ir.IRBuilder(self.first).branch(begin)

    def run(self, statements: Sequence[ast.stmt]) -> None:
        """Write statements, one after the other."""
        for statement in statements:
            method = getattr(self, f"run_{type(statement).__name__.lower()}", None)
            if method is None or self.builder.block.is_terminated:
                raise self.refused(statement)
            method(statement)

    def go(self, block: ir.Block) -> None:
        """Go on elsewhere, unless what runs here has left already."""
        if not self.builder.block.is_terminated:
            self.builder.branch(block)

    def run_expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.value(node.value)

    def run_assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            self.assign(target, value)

    def run_augassign(self, node: ast.AugAssign) -> None:
        self.assign(node.target, self.value(ast.BinOp(node.target, node.op, node.value)))

    def assign(self, target: ast.expr, value: Value) -> None:
        """Write to a variable, an entry of an array, or several of them."""
        if isinstance(target, ast.Tuple):
            for part, each in zip(target.elts, value.code, strict=True):
                self.assign(part, each)
        elif isinstance(target, ast.Subscript):
            array, place = self.element(target)
            if array.kind == "integers":
                self.builder.store(self.turned(value, int, target).code, place)
            else:
                self.builder.store(self.narrow(self.turned(value, float, target).code), place)
        elif isinstance(target, ast.Name):
            self.bind(target, value)
        else:
            raise self.refused(target)

    def bind(self, target: ast.Name, value: Value) -> None:
        known = self.variables.get(target.id)
        if value.kind not in ORDER:
            if known is not None:
                raise self.refused(target)
            self.variables[target.id] = value
            return
        if known is None:
            known = self.variables[target.id] = Value(value.kind, self.place(value.code.type))
        if (known.kind == "lanes") != (value.kind == "lanes"):
            raise self.refused(target)
        self.builder.store(self.turned(value, known.kind, target).code, known.code)

    def run_return(self, node: ast.Return) -> None:
        if node.value is None:
            self.builder.ret_void()
            return
        found = self.value(node.value)
        if not isinstance(self.result, tuple):
            self.builder.ret(self.turned(found, self.result, node).code)
            return
        pack = ir.Constant(self.made.function_type.return_type, ir.Undefined)
        for n, (part, kind) in enumerate(zip(found.code, self.result, strict=True)):
            pack = self.builder.insert_value(pack, self.turned(part, kind, node).code, n)
        self.builder.ret(pack)

    def run_if(self, node: ast.If) -> None:
        then, other, after = (self.block(name) for name in ("then", "else", "after"))
        self.builder.cbranch(self.condition(node.test), then, other)
        for block, statements in ((then, node.body), (other, node.orelse)):
            self.builder.position_at_end(block)
            self.run(statements)
            self.go(after)
        self.builder.position_at_end(after)

    def run_while(self, node: ast.While) -> None:
        test, body, after = (self.block(name) for name in ("test", "while", "after"))
        self.builder.branch(test)
        self.builder.position_at_end(test)
        self.builder.cbranch(self.condition(node.test), body, after)
        self.loop(node, body, test, after)

    def run_for(self, node: ast.For) -> None:
        call = node.iter
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range"):
            raise self.refused(node)
        bounds = [self.turned(self.value(bound), int, node).code for bound in call.args]
        start, stop, step = {1: [INT(0), *bounds, INT(1)], 2: [*bounds, INT(1)], 3: bounds}[len(bounds)]
        # steps that are not known are forward
        down = isinstance(step, ir.Constant) and step.constant < 0
        test, body, more, after = (self.block(name) for name in ("test", "for", "more", "after"))
        count = self.place(INT)
        self.builder.store(start, count)
        self.builder.branch(test)
        self.builder.position_at_end(test)
        number = self.builder.load(count, typ=INT)
        self.builder.cbranch(self.builder.icmp_signed(">" if down else "<", number, stop), body, after)
        self.builder.position_at_end(more)
        self.builder.store(self.builder.add(self.builder.load(count, typ=INT), step, flags=["nsw"]), count)
        self.builder.branch(test)
        self.builder.position_at_end(body)
        self.assign(node.target, Value(int, number))
        self.loop(node, body, more, after)

    def loop(self, node: ast.For | ast.While, body: ir.Block, again: ir.Block, after: ir.Block) -> None:
        """What is repeated."""
        if node.orelse:
            raise self.refused(node)
        self.builder.position_at_end(body)
        self.loops.append((again, after))
        self.run(node.body)
        self.loops.pop()
        self.go(again)
        self.builder.position_at_end(after)

    def run_continue(self, _: ast.Continue) -> None:
        self.builder.branch(self.loops[-1][0])

    def run_break(self, _: ast.Break) -> None:
        self.builder.branch(self.loops[-1][1])
