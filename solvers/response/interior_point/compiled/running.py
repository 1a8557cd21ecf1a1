"""The method run: the memory that it works in, and its code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.solvers.response.native import NARROW, REGISTER, Native

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

    def lanes(count: int, blocks: int = z.blocks) -> NDArray[Any]:
        return np.zeros(blocks * count * register // kind.itemsize, kind)

    def iterate() -> Iterate:
        return Iterate(*(lanes(count) for count in (width, width, width, width, many, many, height)))

    found = Found(
        box=np.empty((width, wide), kind),
        options=np.empty((many, wide), kind),
        rows=np.empty((height, wide), kind),
        cost=np.empty(wide, kind),
        least=np.empty(wide, kind),
        residual=np.empty(wide // z.blocks, kind),
    )
    work = Work(
        missing=lanes(height),
        right=lanes(height),
        per_slack=lanes(many),
        weight=lanes(width),
        pull=lanes(width),
        part=lanes(width + many, 1),
        supplied=lanes(queues),
        matrix=lanes(size * size, 1),
        factor=lanes(size * inner),
        inverse=lanes(tying * tying),
        between=lanes((z.waiting + len(p.between) // 2) * z.sites),
        scale=lanes(size),
        half=lanes(inner),
        carried=lanes(tying),
        found=lanes(height),
        vector=lanes(size, 1),
        border=lanes(capped * height),
        corner=lanes(capped * z.sites, 1),
        again=lanes(z.capped * height),
        alive=lanes(1, 1),
        distance=lanes(1, 1),
        before=lanes(1, 1),
        cost=lanes(1),
        least=lanes(1),
    )
    own = whole.single.ndim > 1
    general, single = own or z.links > 0, whole.single
    if general:
        all_own = single if own else np.broadcast_to(single[:, None], (len(single), wide // z.blocks))
        whole, single = whole._replace(single=np.ascontiguousarray(all_own)), lanes(len(single), 1)
    some = Tables(*[*(lanes(len(part)) for part in whole[:-1]), single])
    iterates = iterate(), iterate(), iterate()
    coefficients, out = Tables(*map(np.ravel, whole)), Found(*(part.reshape(-1) for part in found))
    METHODS[kind, general, register](z, p, coefficients, some, *iterates, work, out, limits)
    return found
