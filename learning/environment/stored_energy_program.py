"""What stored energy is worth to somebody who knows how prices usually go: stochastic dynamic programming.

Prices of a site are a Markov chain whose states, in every slot, are quantiles of the training days' prices
then; batteries trade with the grid alone. It is the control of models that learn values (Bellman 1957).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Instance
from stepwatt.formulation.plant.engine import Array, Engine, Tables
from stepwatt.formulation.plant.state import PlantState

Floats = NDArray[np.float64]

#: States that the price of a slot may be in.
PRICE_STATES = 5
#: Levels of energy per largest move of a slot, and at most.
_LEVELS_PER_MOVE, _MOST_LEVELS = 4, 161


@dataclass(frozen=True)
class StoredEnergyProgram:
    """Values of levels that are evenly apart, given the price of the moment, as arrays over moments.

    At the end (moment T) they are what is charged for energy that is missing then.
    """

    values: Array  # (T+1,N,J,L) USD
    slopes: Array  # (T+1,N,J,L) USD to the next level, 0 at the last
    lowest: Array  # (1,N,J) MWh
    per_mwh: Array  # (1,N,J) levels per MWh, 0 without battery

    def value(self, e: Engine, t: int, state: PlantState) -> Array:
        """(B,) USD."""
        place = (state.energy - self.lowest[0]) * self.per_mwh[0]
        place = place.clip(0, self.values.shape[-1] - 1)
        below = e.floor(place)
        (found,) = e.interpolate(Tables([self.values[t], self.slopes[t]]), e.whole(below), place - below)
        return e.sum(found)

    def take(self, index: Array, engine: Engine) -> StoredEnergyProgram:
        """The chosen instances."""
        return StoredEnergyProgram(*(field[:, index] for field in self._fields()))

    def on(self, engine: Engine) -> StoredEnergyProgram:
        """The same numbers as the engine's arrays."""
        return StoredEnergyProgram(*(engine.asarray(field) for field in self._fields()))

    def _fields(self) -> tuple[Array, ...]:
        return self.values, self.slopes, self.lowest, self.per_mwh


def stored_energy_program(instances: Sequence[Instance]) -> StoredEnergyProgram:
    """The program of days of one shape, as numpy arrays: prices from all of them, the end from each."""
    days = [inst.arrays() for inst in instances]
    price, state, following = _chain(np.stack([a.import_cost for a in days]))
    battery = np.stack([a.battery for a in days])
    low, high, power, charging, discharging, wear, charged, reference = (
        np.where(battery, np.stack([getattr(a, name) for a in days]), 0.0)
        for name in (
            "energy_min_mwh", "energy_max_mwh", "battery_power_mw", "charge_efficiency",
            "discharge_efficiency", "wear_cost", "terminal_price", "energy_reference_mwh",
        )
    )  # fmt: skip
    most = days[0].slot_hours * power
    energy = np.linspace(low, high, _count(high - low, most), axis=-1)
    more = energy[:, :, None, :] - energy[:, :, :, None]
    bought = np.maximum(more, 0.0) / np.where(battery, charging, 1.0)[..., None, None]
    sold = np.maximum(-more, 0.0) * discharging[..., None, None]
    impossible = (np.maximum(bought, sold) > most[..., None, None] * (1 + 1e-9)) & (more != 0.0)
    worn = np.where(impossible, np.inf, wear[..., None, None] * sold)
    n_slots = price.shape[-1]
    end = -charged[..., None] * np.maximum(reference[..., None] - energy, 0.0)
    after = np.broadcast_to(end[:, :, None], (*battery.shape, len(price), energy.shape[-1]))
    values = [end]
    for t in reversed(range(n_slots)):
        if t < n_slots - 1:
            after = np.einsum("jsu,njul->njsl", following[t], after)
        paid = price[:, :, t].T[None, :, :, None, None] * (bought - sold)[:, :, None] + worn[:, :, None]
        after = (after[:, :, :, None, :] - paid).max(axis=-1)
        values.append(np.take_along_axis(after, state[:, :, t, None, None], axis=2)[:, :, 0])
    found = np.stack(values[::-1])
    width = high - low
    per_mwh = np.divide(energy.shape[-1] - 1, width, out=np.zeros_like(width), where=width > 0)
    return StoredEnergyProgram(found, np.diff(found, append=found[..., -1:]), low[None], per_mwh[None])


def _count(width: Floats, most: Floats) -> int:
    moves = np.divide(width, most, out=np.zeros_like(width), where=most > 0)
    return int(np.clip(np.ceil(_LEVELS_PER_MOVE * moves.max(initial=1.0)), 4, _MOST_LEVELS - 1)) + 1


def _chain(price: Floats) -> tuple[Floats, NDArray[np.int64], list[Floats]]:
    """Prices (S,J,T) of states, states (N,J,T) of days, and T−1 chances (J,S,S) from state to state."""
    days = len(price)
    count = min(PRICE_STATES, days)
    ranks = price.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    state = ranks * count // days
    member = state == np.arange(count)[:, None, None, None]  # (S,N,J,T)
    mean = (member * price).sum(axis=1) / member.sum(axis=1)
    both = np.einsum("snjt,unjt->tjsu", member[..., :-1].astype(float), member[..., 1:].astype(float))
    return mean, state, list(both / both.sum(axis=-1, keepdims=True))
