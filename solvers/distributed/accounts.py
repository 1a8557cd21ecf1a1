"""Who earns what: every provider alone and in the exchange, and what they pay each other.

A customer pays the provider the job came to (its origin), for the quality delivered. The origin keeps the
market price of the job and pays the rest to the host that ran it; moving the job and missing it are the
origin's cost. So a host lives on what a job brings beyond its price, and the accounts add up to the utility.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stepwatt.formulation import InputError, evaluate

from ..interface.settings import Settings
from ..optimum.oracle import oracle_on
from .coordination import Distribution
from .provider import Asp

Floats = NDArray[np.float64]

#: Money terms of a site's own evaluation that its provider pays, whoever's jobs run there.
SITE_COSTS = ("import", "carbon", "wear", "fuel", "startup", "demand", "terminal")


@dataclass(frozen=True)
class Accounts:
    """The books, in USD.

    ``table``: one row per provider. ``customers`` pay for its own jobs wherever they ran; ``site`` is what
    power, carbon, wear, fuel and so on cost at its site, less what it exported; ``transfer`` and
    ``miss_penalty`` are its costs; ``fees_paid`` to hosts and ``fees_earned`` as a host; ``together`` is the
    profit from all that, ``alone`` the best it found without trade, ``gain`` the difference.
    ``fees`` (I,J): what origin i pays host j. ``slack``: the most that anyone can be worse off than alone,
    the distance of the schedule to its bound.
    """

    table: pd.DataFrame
    fees: pd.DataFrame
    slack: float

    @property
    def better_off(self) -> bool:
        """Whether every provider earns at least what it earns alone."""
        return bool((self.table["gain"] >= 0).all())


def accounts(distribution: Distribution, settings: Settings | None = None) -> Accounts:
    """The books of a distribution.

    Args:
        distribution: with a schedule and a bound.
        settings: gap and time limit for what each provider finds alone (default 1e-4, 60 s each).

    Raises:
        InputError: no distribution, or one without schedule or bound.
    """
    if not isinstance(distribution, Distribution):
        raise InputError(field="distribution", value=distribution, expected="what sw.distribute gives")
    result = distribution.result
    if result.schedule is None or result.evaluation is None or result.bound is None:
        told = "without a schedule or a bound"
        raise InputError(field="distribution", value=told, expected="one with both")
    a = result.instance.arrays()
    moved = result.schedule.transfers.copy()
    own = np.arange(len(a.sites))
    moved[own, own] = 0.0
    revenue = np.array([_share(plan.hosted_revenue, plan.hosted) for plan in distribution.plans])
    brings = np.einsum("ijkt,jkt->ij", moved, revenue)
    keeps = np.einsum("ijkt,jkt->ij", moved, distribution.prices)
    fees = brings - keeps
    home = np.array([plan.home_revenue for plan in distribution.plans])
    money = [plan.evaluation.breakdown for plan in distribution.plans]
    lost = result.evaluation.lost.sum(axis=2)
    table = pd.DataFrame(
        {
            "customers": home + brings.sum(axis=1),
            "site": [sum(term[name] for name in SITE_COSTS) - term["export"] for term in money],
            "transfer": np.einsum("ijkt,ij,k->i", moved, a.transfer_cost, a.payload_gb),
            "miss_penalty": lost @ a.miss_penalty,
            "fees_paid": fees.sum(axis=1),
            "fees_earned": fees.sum(axis=0),
        },
        index=pd.Index(a.sites, name="provider"),
    )
    costs = table[["site", "transfer", "miss_penalty", "fees_paid"]].sum(axis=1)
    table["together"] = table["customers"] + table["fees_earned"] - costs
    table["alone"] = [alone(asp, settings or Settings(time_limit=60.0)) for asp in distribution.asps]
    table["gain"] = table["together"] - table["alone"]
    origins, hosts = (pd.Index(a.sites, name=name) for name in ("origin", "host"))
    between = pd.DataFrame(fees, index=origins, columns=hosts)
    return Accounts(table, between, result.bound - result.evaluation.utility)


def alone(asp: Asp, settings: Settings) -> float:
    """USD: the best utility a provider finds for its own jobs on its own site."""
    result = oracle_on(asp.view.instance, asp.arrays, settings, "local")
    if result.schedule is None:
        raise ValueError(f"provider {asp.place} has no schedule alone: {result.status}")
    return evaluate(asp.arrays, result.schedule).utility


def _share(total: Floats, count: Floats) -> Floats:
    """The mean, zero where there is nothing to share."""
    return np.divide(total, count, out=np.zeros_like(total), where=count > 0)
