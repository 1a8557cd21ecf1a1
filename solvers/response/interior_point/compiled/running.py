"""The method run: the memory that it works in, and its code."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from stepwatt.solvers.response.native import NARROW, REGISTER, Fixed, Native, Room

from .layout import Found, Iterate, Limits, Sizes, Tables, Work, counts
from .method import follow, follow_general

#: The method by precision, whether instances have options of their own or limited links, and bytes of lanes.
METHODS = {
    (np.dtype(real), general, register): Native(source, real, register)
    for general, source in ((False, follow), (True, follow_general))
    for real in (np.float32, np.float64)
    for register in (NARROW, REGISTER)
}


def register_of(batch: int, kind: np.dtype[Any]) -> int:
    """Bytes of lanes that suit so many instances."""
    return NARROW if batch * kind.itemsize <= NARROW else REGISTER


def run(z: Sizes, pattern: Fixed, whole: Tables, limits: Limits) -> Found:
    """Steps until the limits are met; ``pattern`` is the :class:`.Pattern` of ``z``, coefficients are (rows,
    blocks·instances), and say the precision."""
    kind, wide = whole.cost.dtype, whole.cost.shape[-1]
    _, width, many, height, *_ = counts(z)
    register = register_of(wide // z.blocks, kind)
    found = Found(
        box=np.empty((width, wide), kind),
        options=np.empty((many, wide), kind),
        rows=np.empty((height, wide), kind),
        cost=np.empty(wide, kind),
        least=np.empty(wide, kind),
        residual=np.empty(wide // z.blocks, kind),
    )
    own, single = whole.single.ndim > 1, len(whole.single)
    general = own or z.links > 0
    if general:
        all_own = whole.single if own else np.broadcast_to(whole.single[:, None], (single, wide // z.blocks))
        whole = whole._replace(single=np.ascontiguousarray(all_own))
    between, heights = len(pattern.value.between) // 2, tuple(map(len, whole))
    rooms = [
        Room(part, lengths, kind)
        for part, lengths in memory(z, between, heights, general, register // kind.itemsize)
    ]
    coefficients, out = (
        Tables(*(part.reshape(-1) for part in whole)),
        Found(*(part.reshape(-1) for part in found)),
    )
    METHODS[kind, general, register](z, pattern, coefficients, *rooms, out, limits)
    return found


@lru_cache(maxsize=64)
def memory(
    z: Sizes, between: int, heights: tuple[int, ...], general: bool, lanes: int
) -> tuple[tuple[type, tuple[int, ...]], ...]:
    """What the method works in: kinds of named tuples, and how long their arrays are, of so many lanes;
    ``between`` as in the pattern, ``heights`` of the coefficients."""
    queues, width, many, height, inner, tying, _, _, _ = counts(z)
    size, capped, deep = inner + tying, z.capped * z.sites, z.blocks * lanes
    iterate = Iterate, tuple(deep * n for n in (width, width, width, width, many, many, height))
    work = {
        "missing": deep * height,
        "right": deep * height,
        "per_slack": deep * many,
        "weight": deep * width,
        "pull": deep * width,
        "part": lanes * (width + many),
        "supplied": deep * queues,
        "matrix": lanes * size * size,
        "factor": deep * size * inner,
        "inverse": deep * tying * tying,
        "between": deep * (z.waiting + between) * z.sites,
        "scale": deep * size,
        "half": deep * inner,
        "carried": deep * tying,
        "found": deep * height,
        "vector": lanes * size,
        "border": deep * capped * height,
        "corner": lanes * capped * z.sites,
        "again": deep * z.capped * height,
        "alive": lanes,
        "distance": lanes,
        "before": lanes,
        "cost": deep,
        "least": deep,
    }
    single = lanes * heights[-1] if general else heights[-1]
    some = Tables, (*(deep * n for n in heights[:-1]), single)
    return some, iterate, iterate, iterate, (Work, tuple(work[name] for name in Work._fields))
