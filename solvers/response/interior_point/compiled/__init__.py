"""An interior-point method for batches of programs (Mehrotra 1992, "On the implementation of a primal-dual
interior point method", SIAM J. Optim. 2(4)), compiled for the processor: a few instances at a time, so that
their numbers stay in its caches.

A program is one block, a whole horizon many (:mod:`..ties`). Within a block, balance, GPU time and power and
the supply that cannot wait are eliminated; what ties blocks together is eliminated by a recursion over them.
Every array is flat and holds lanes (:mod:`...native`), one instance each.
"""

from stepwatt.solvers.response.native import Fixed

from .layout import Limits, Pattern, Sizes, Tables
from .running import METHODS, register_of, run

__all__ = ["METHODS", "Fixed", "Limits", "Pattern", "Sizes", "Tables", "register_of", "run"]
