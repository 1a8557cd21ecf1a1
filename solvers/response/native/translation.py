"""Functions of :mod:`.language` as a module of LLVM; its one entry takes the address of its arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from .body import Body
from .expressions import BOOL, FLOAT, INT, POINTER, Value
from .kinds import ARRAYS, signature_of, words
from .language import REGISTER
from .operations import OPERATIONS

#: The name of the entry.
ENTRY = "entry"


class Translation:
    """Code of functions, each translated once, for numbers of one precision and lanes of so many bytes."""

    def __init__(self, real: np.dtype[Any], register: int = REGISTER):
        self.bytes, self.side = real.itemsize, register // real.itemsize
        self.real = ir.FloatType() if self.bytes == 4 else FLOAT
        self.lanes = ir.VectorType(self.real, self.side)
        self.module = ir.Module(name="compiled")
        self.operations = OPERATIONS
        self.unchanged = self.module.add_metadata([])
        self.functions: dict[Callable[..., Any], ir.Function] = {}

    def text(self, source: Callable[..., Any]) -> str:
        """The module of a function and of all that it calls."""
        function = self.function(source)
        entry = ir.Function(self.module, ir.FunctionType(ir.VoidType(), [POINTER]), ENTRY)
        builder, at, given = ir.IRBuilder(entry.append_basic_block()), 0, []
        for kind in signature_of(source)[0].values():
            given += self.flat(self.read(builder, entry.args[0], at, kind))
            at += len(words(kind))
        builder.call(function, given)
        builder.ret_void()
        return str(self.module)

    def function(self, source: Callable[..., Any]) -> ir.Function:
        """What a function becomes."""
        if source not in self.functions:
            kinds, result = signature_of(source)
            given = [part for kind in kinds.values() for part in self.types(kind)]
            back = ir.VoidType() if result is type(None) else self.types(result)[0]
            name = f"{source.__name__}.{len(self.functions)}"
            made = ir.Function(self.module, ir.FunctionType(back, given), name)
            made.linkage = "internal"
            made.attributes.add("nounwind")
            self.functions[source] = made
            Body(self, source, made).translate()
        return self.functions[source]

    def read(self, builder: ir.IRBuilder, pointer: Any, at: int, kind: Any) -> Value:
        """A value among the words of arguments, which do not change."""

        def word(number: int, type_: Any) -> Any:
            loaded = builder.load(builder.gep(pointer, [INT(number)], source_etype=INT), typ=type_)
            loaded.set_metadata("invariant.load", self.unchanged)
            return loaded

        if kind in ARRAYS:
            return Value(kind, (word(at, POINTER), word(at + 1, INT)))
        if kind in (int, float):
            return Value(kind, word(at, INT if kind is int else FLOAT))
        return Value(kind, builder.gep(pointer, [INT(at)], source_etype=INT))

    def flat(self, value: Value) -> list[Any]:
        """A value as arguments of a function."""
        return list(value.code) if value.kind in ARRAYS else [value.code]

    def types(self, kind: Any) -> list[Any]:
        """Types of a value as arguments of a function; several values are one structure."""
        if isinstance(kind, tuple):
            return [ir.LiteralStructType([part for each in kind for part in self.types(each)])]
        if kind in ARRAYS:
            return [POINTER, INT]
        return [{int: INT, bool: BOOL, float: FLOAT, "lanes": self.lanes}.get(kind, POINTER)]
