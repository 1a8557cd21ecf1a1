"""The method run: the memory that it works in, and its code."""

from __future__ import annotations

from typing import Any

import numpy as np

from stepwatt.solvers.response.native import NARROW, REGISTER, Native, Room

from .layout import Found, Iterate, Limits, Pattern, Sizes, Tables, Work, counts
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


def run(z: Sizes, p: Pattern, whole: Tables, limits: Limits) -> Found:
    """Steps until the limits are met; coefficients are (rows, blocks·instances), and say the precision."""
    kind, wide = whole.cost.dtype, whole.cost.shape[-1]
    queues, width, many, height, inner, tying, _, _, _ = counts(z)
    size, capped = inner + tying, z.capped * z.sites
    register = register_of(wide // z.blocks, kind)

    def lanes(count: int, blocks: int = z.blocks) -> int:
        return blocks * count * register // kind.itemsize

    def iterate() -> Room:
        counts = (width, width, width, width, many, many, height)
        return Room(Iterate, [lanes(count) for count in counts], kind)

    found = Found(
        box=np.empty((width, wide), kind),
        options=np.empty((many, wide), kind),
        rows=np.empty((height, wide), kind),
        cost=np.empty(wide, kind),
        least=np.empty(wide, kind),
        residual=np.empty(wide // z.blocks, kind),
    )
    work = {
        "missing": lanes(height),
        "right": lanes(height),
        "per_slack": lanes(many),
        "weight": lanes(width),
        "pull": lanes(width),
        "part": lanes(width + many, 1),
        "supplied": lanes(queues),
        "matrix": lanes(size * size, 1),
        "factor": lanes(size * inner),
        "inverse": lanes(tying * tying),
        "between": lanes((z.waiting + len(p.between) // 2) * z.sites),
        "scale": lanes(size),
        "half": lanes(inner),
        "carried": lanes(tying),
        "found": lanes(height),
        "vector": lanes(size, 1),
        "border": lanes(capped * height),
        "corner": lanes(capped * z.sites, 1),
        "again": lanes(z.capped * height),
        "alive": lanes(1, 1),
        "distance": lanes(1, 1),
        "before": lanes(1, 1),
        "cost": lanes(1),
        "least": lanes(1),
    }
    own, single = whole.single.ndim > 1, len(whole.single)
    general = own or z.links > 0
    if general:
        all_own = whole.single if own else np.broadcast_to(whole.single[:, None], (single, wide // z.blocks))
        whole, single = whole._replace(single=np.ascontiguousarray(all_own)), lanes(single, 1)
    some = Room(Tables, [*(lanes(len(part)) for part in whole[:-1]), single], kind)
    rooms = some, iterate(), iterate(), iterate(), Room(Work, [work[name] for name in Work._fields], kind)
    coefficients, out = Tables(*map(np.ravel, whole)), Found(*(part.reshape(-1) for part in found))
    METHODS[kind, general, register](z, p, coefficients, *rooms, out, limits)
    return found
