"""What GPU time will be worth, were every block of the coming day alone: a price of each site's GPU time.

Of a block the model is small: every job goes to one site and one option there, moved at its cost, or is lost
at its penalty, and no site has more time than its own; links have no limit. Prices are the dual solution of
that linear program, here of its smoothed form (a softmax weighs the choices of a job, narrower from step to
step), by projected Newton steps, many blocks at once.

With them what lies ahead is told as what a job would earn there. That means the same whatever the number of
sites and whatever runs on them; arrivals alone do not: as many jobs fill one fleet and leave another idle.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Widths of the softmax, in best revenue of a class: a Newton step with each.
WIDTHS = (*np.geomspace(0.2, 0.01, 10), 0.01, 0.01, 0.01)
#: Added to the diagonal of the second derivatives, for blocks whose prices hardly matter.
LEAST_BEND = 1e-3
#: More of a site's time than this is as much as there is no telling of.
MOST_TIME = 100.0
#: Longest step of a price, and highest price.
LONGEST, MOST = 1.0, 8.0
#: Choices of jobs that are weighed at once; more blocks fall out of the caches.
AT_ONCE = 300_000


class TimeAhead(NamedTuple):
    """Prices (B,J) of a site's GPU time, in mean best revenue of its share of the jobs, and what a job of
    each origin and class earns at them (B,I,K), in the class's best revenue; less than 0 where it is lost."""

    price: Floats
    earned: Floats


def gpu_time_ahead(
    net: Floats, time: Floats, jobs: Floats, weight: Floats, moving: Floats, lost: Floats
) -> TimeAhead:
    """The prices of blocks.

    Args:
        net: (B,J,K,O) what a job earns net of electricity, in the class's best revenue; −inf is no option.
        time: (J,K,O) GPU time of a unit of jobs, as a share of the site's.
        jobs: (B,I,K) units of jobs that come in a slot.
        weight: (K,) best revenue of a unit, as a multiple of the classes' mean.
        moving: (I,J,K) what it costs to move a job from its origin, in the class's best revenue.
        lost: (K,) what a lost job costs, in the class's best revenue.
    """
    _, sites, classes, options = net.shape
    together = max(1, AT_ONCE // (len(moving) * classes * (sites * options + 1)))
    parts = [
        _alone(net[first : first + together], time, jobs[first : first + together], weight, moving, lost)
        for first in range(0, len(net), together)
    ]
    return TimeAhead(*(np.concatenate(found) for found in zip(*parts, strict=True)))


def _alone(
    net: Floats, time: Floats, jobs: Floats, weight: Floats, moving: Floats, lost: Floats
) -> TimeAhead:
    blocks, sites, classes, options = net.shape
    origins = len(moving)
    # choices of a job: every option of every site, and none of them; jobs by origin and class
    gain = np.empty((blocks, origins, classes, sites * options + 1))
    offered = net.transpose(0, 2, 1, 3)[:, None] - moving.swapaxes(1, 2)[None, ..., None]
    gain[..., :-1] = offered.reshape(blocks, origins, classes, -1)
    gain[..., -1] = -lost
    gain = gain.reshape(blocks, origins * classes, -1)
    needed = np.minimum(time / np.maximum(weight, 1e-6)[:, None], MOST_TIME)
    taken = needed.transpose(1, 0, 2).reshape(classes, -1)
    taken = np.tile(np.append(taken, np.zeros((classes, 1)), axis=1), (origins, 1))
    at = np.append(np.repeat(np.eye(sites), options, axis=0), np.zeros((1, sites)), axis=0)
    times = taken[:, :, None] * at
    worth, price = (jobs * weight).reshape(blocks, -1), np.zeros((blocks, sites))
    for width in WIDTHS:
        left = (gain - (price @ at.T)[:, None] * taken) / width
        share = np.exp(left - left.max(-1, keepdims=True))
        share /= share.sum(-1, keepdims=True)
        # of each class: mean time at a site, and its mean square, within a choice only one site has any
        mean = np.stack([share[:, c] @ times[c] for c in range(origins * classes)], axis=1)
        square = np.stack([share[:, c] @ times[c] ** 2 for c in range(origins * classes)], axis=1)
        short = np.einsum("bk,bkj->bj", worth, mean) - 1
        bend = -np.einsum("bk,bki,bkj->bij", worth, mean, mean)
        own = np.arange(sites)
        bend[:, own, own] += np.einsum("bk,bkj->bj", worth, square)
        bend[:, own, own] += LEAST_BEND
        # a price of 0 stays there while there is time to spare
        still = (price <= 0) & (short < 0)
        bend[still[:, :, None] | still[:, None, :]] = 0.0
        bend[:, own, own] += still
        move = np.linalg.solve(bend, np.where(still, 0.0, width * short)[..., None])[..., 0]
        price = np.clip(price + np.clip(move, -LONGEST, LONGEST), 0.0, MOST)
    left = gain - (price @ at.T)[:, None] * taken
    return TimeAhead(price, left.max(-1).reshape(blocks, origins, classes))
