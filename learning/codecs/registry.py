"""The codecs by name; each takes the shape of the instances."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from stepwatt.formulation.plant.stacked import Shape
from stepwatt.formulation.registry import Registry

from .direct import DirectCodec
from .priced import PricedCodec
from .raw import RawCodec

if TYPE_CHECKING:
    from . import Codec

CODECS: Registry[Callable[[Shape], Codec]] = Registry(
    "codec", {"direct": DirectCodec, "priced": PricedCodec, "raw": RawCodec}
)
