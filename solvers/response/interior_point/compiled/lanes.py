"""Numbers of several instances side by side in one vector register, for compiled loops over a batch.

Compilers vectorise loops over a batch poorly where every step does little: each must prove again that arrays
do not overlap. A number type that *is* a vector makes every operation one instruction for all its instances.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeVar, cast

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.datamodel.registry import register_default
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin

#: Instances side by side: sixteen single-precision numbers fill the widest registers.
LANES = 16
#: What the compiler may do: fuse products and sums, ignore the sign of zero.
_FREE = ("contract", "nsz")

Code = Callable[[Any, Any, Any, Any], Any]
Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """A function that is compiled for the numbers that it is first called with."""
    return cast(Function, njit(nogil=True, error_model="numpy")(function))


def operation(code: Callable[..., tuple[Any, Code]]) -> Any:
    """What compiled functions may call, given as the code that it becomes."""
    return intrinsic(code)


class Lanes(types.Type):  # type: ignore[misc]
    """One number for each of ``LANES`` instances."""

    def __init__(self, real: types.Float):
        self.real = real
        super().__init__(name=f"Lanes({real})")


@register_default(Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Lanes):
        element = ir.FloatType() if kind.real == types.float32 else ir.DoubleType()
        super().__init__(manager, kind, ir.VectorType(element, LANES))


_KINDS = {real: Lanes(real) for real in (types.float32, types.float64)}


def _define(sign: Any, instruction: str) -> None:
    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*args, flags=_FREE)

    cases = tuple(signature(kind, kind, kind) for kind in _KINDS.values())
    infer_global(sign)(type("Typing", (ConcreteTemplate,), {"cases": cases}))
    for kind in _KINDS.values():
        lower_builtin(sign, kind, kind)(code)


for _sign, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _define(_sign, _instruction)


def _place(context: Any, builder: Any, sig: Any, args: Any, vector: Any, each: int = LANES) -> Any:
    """Where lanes lie in a flat array: from number ``args[1]`` on, counted in so many entries each."""
    array = context.make_array(sig.args[0])(context, builder, args[0])
    first = builder.mul(args[1], ir.Constant(args[1].type, each))
    return builder.bitcast(builder.gep(array.data, [first]), vector.as_pointer())


def _bytes(vector: Any) -> int:
    return 4 if isinstance(vector.element, ir.FloatType) else 8


def _spread(builder: Any, scalar: Any, vector: Any) -> Any:
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), mask)


def _loaded(array: Any, each: int) -> tuple[Any, Code]:
    kind = _KINDS[array.dtype]

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vector = context.get_value_type(kind)
        loaded = builder.load(_place(context, builder, sig, args, vector, each))
        loaded.align = _bytes(vector)
        return loaded

    return kind(array, types.intp), code


def _stored(array: Any, lanes: Any, each: int) -> tuple[Any, Code]:
    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vector = args[2].type
        stored = builder.store(args[2], _place(context, builder, sig, args, vector, each))
        stored.align = _bytes(vector)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), code


@operation
def get(_: Any, array: Any, number: Any) -> tuple[Any, Code]:
    """Lanes number ``number`` of a flat array of lanes."""
    return _loaded(array, LANES)


@operation
def put(_: Any, array: Any, number: Any, lanes: Any) -> tuple[Any, Code]:
    """Write lanes to their place in a flat array of lanes."""
    return _stored(array, lanes, LANES)


@operation
def load(_: Any, array: Any, first: Any) -> tuple[Any, Code]:
    """The entries of any flat array from ``first`` on as lanes."""
    return _loaded(array, 1)


@operation
def save(_: Any, array: Any, first: Any, lanes: Any) -> tuple[Any, Code]:
    """Write lanes to the entries of any flat array from ``first`` on."""
    return _stored(array, lanes, 1)


def _changed(sign: str, array: Any, lanes: Any) -> tuple[Any, Code]:
    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vector = args[2].type
        place = _place(context, builder, sig, args, vector)
        loaded = builder.load(place)
        loaded.align = _bytes(vector)
        stored = builder.store(getattr(builder, sign)(loaded, args[2], flags=_FREE), place)
        stored.align = _bytes(vector)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), code


@operation
def add(_: Any, array: Any, number: Any, lanes: Any) -> tuple[Any, Code]:
    """Add lanes to their place in a flat array."""
    return _changed("fadd", array, lanes)


@operation
def take(_: Any, array: Any, number: Any, lanes: Any) -> tuple[Any, Code]:
    """Subtract lanes from their place in a flat array."""
    return _changed("fsub", array, lanes)


@operation
def spread(_: Any, array: Any, scalar: Any) -> tuple[Any, Code]:
    """Lanes of the array's precision that all have the same number."""
    kind = _KINDS[array.dtype]

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _spread(builder, args[1], context.get_value_type(kind))

    return kind(array, array.dtype), code


@operation
def least(_: Any, a: Any, b: Any) -> tuple[Any, Code]:
    """The smaller of both, lane by lane; ``b`` where they cannot be compared."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[0], args[1])

    return a(a, a), code


@operation
def most(_: Any, a: Any, b: Any) -> tuple[Any, Code]:
    """The larger of both, lane by lane; ``b`` where they cannot be compared."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", args[0], args[1]), args[0], args[1])

    return a(a, a), code


@operation
def where_more(_: Any, a: Any, b: Any, then: Any, otherwise: Any) -> tuple[Any, Code]:
    """``then`` in lanes where a > b, else ``otherwise``."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", args[0], args[1]), args[2], args[3])

    return a(a, a, a, a), code


@operation
def sound(_: Any, a: Any) -> tuple[Any, Code]:
    """The lanes, 0 where they are not finite."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vector = args[0].type
        nothing = ir.Constant(vector, [0.0] * LANES)
        finite = builder.fcmp_ordered("==", builder.fsub(args[0], args[0]), nothing)
        return builder.select(finite, args[0], nothing)

    return a(a), code


@operation
def root(_: Any, a: Any) -> tuple[Any, Code]:
    """Square roots."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vector = args[0].type
        name = f"llvm.sqrt.v{LANES}f{8 * _bytes(vector)}"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector]), name)
        return builder.call(function, args)

    return a(a), code
