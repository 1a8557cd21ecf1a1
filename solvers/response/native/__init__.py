"""Python functions over numbers made machine code (LLVM), in a few seconds, and kept on disk.

:mod:`.language` says what such functions are written in. It is small: whole numbers, floats, flat arrays,
loops. A compiler for all of Python spends most of its time on finding out what annotations already say.
"""

from stepwatt.formulation.errors import extra

from .language import (
    NARROW,
    REGISTER,
    Integers,
    Lanes,
    Numbers,
    add,
    compiled,
    epsilon,
    finite,
    get,
    least,
    load,
    most,
    put,
    root,
    save,
    side,
    sound,
    spread,
    take,
    where_more,
)
from .room import Fixed, Room

with extra("planners"):
    from .native import Native, warm_up

__all__ = [
    "NARROW",
    "REGISTER",
    "Fixed",
    "Integers",
    "Lanes",
    "Native",
    "Numbers",
    "Room",
    "add",
    "compiled",
    "epsilon",
    "finite",
    "get",
    "least",
    "load",
    "most",
    "put",
    "root",
    "save",
    "side",
    "sound",
    "spread",
    "take",
    "warm_up",
    "where_more",
]
