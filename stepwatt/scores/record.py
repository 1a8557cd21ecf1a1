"""What is kept of a comparison: entries and cases."""

from __future__ import annotations

from dataclasses import dataclass

from stepwatt.formulation import Evaluation, Instance, Schedule
from stepwatt.solvers.interface.dual_prices import Prices
from stepwatt.solvers.methods import Kind, method_note, proves_bound

#: Money terms that are the energy side of the utility (model.md); export is income.
ENERGY_COSTS = ("import", "carbon", "wear", "fuel", "startup", "demand", "terminal")


@dataclass(frozen=True)
class Entry:
    """One policy on one instance: what it decided and what the judge says of it.

    ``method`` is a method name, or ``schedule`` or ``callable`` for the user's own; ``bound`` (USD) is set
    only where the method proves one for this instance; ``seconds`` is wall-clock time to the schedule;
    ``seed`` numbers the runs of a policy made several times; ``failure`` says why there is no schedule;
    ``declared`` is the kind that its owner says it is, where the method does not say it;
    ``restricted_bound`` (USD) is what nothing under the method's restriction is worth more than.
    """

    policy: str
    method: str
    status: str
    seconds: float
    schedule: Schedule | None
    evaluation: Evaluation | None
    bound: float | None = None
    seed: int = 0
    failure: str = ""
    declared: Kind | None = None
    restricted_bound: float | None = None

    @property
    def kind(self) -> Kind:
        """What the row may be compared with."""
        return self.declared or method_note(self.method).kind

    @property
    def scored(self) -> bool:
        """Whether there is a schedule that breaks no constraint: only then does its utility count."""
        return self.evaluation is not None and self.evaluation.feasible

    @property
    def flag(self) -> str:
        """Why the schedule is not scored, empty when it is: the constraint family and by how much."""
        if self.failure:
            return f"failed: {self.failure}"
        if self.evaluation is None:
            return "no schedule"
        if self.evaluation.feasible:
            return ""
        family, amount = self.evaluation.worst
        return f"breaks {family} by {amount:.3g}"


@dataclass(frozen=True)
class Case:
    """One instance with all policies on it; ``bound`` (USD) is the best proven one, by ``bound_by``.

    ``all_off`` (USD) is the utility of the operator without this toolkit, the zero of the captured share.
    """

    instance: Instance
    entries: tuple[Entry, ...]
    bound: float | None
    bound_by: str
    all_off: float | None
    prices: Prices | None = None

    def entry(self, policy: str) -> Entry:
        """The entry of a policy; its first run where there are several."""
        return next(entry for entry in self.entries if entry.policy == policy)

    def gap(self, entry: Entry) -> float:
        """(bound − utility)/max(|bound|, 1e-9); NaN where it may not be scored."""
        if self.bound is None or entry.evaluation is None or not entry.scored:
            return float("nan")
        return (self.bound - entry.evaluation.utility) / max(abs(self.bound), 1e-9)

    def captured_share(self, entry: Entry) -> float:
        """(utility − all-off)/(bound − all-off); NaN where not scored or nothing can be gained."""
        if self.bound is None or self.all_off is None or entry.evaluation is None or not entry.scored:
            return float("nan")
        room = self.bound - self.all_off
        return (entry.evaluation.utility - self.all_off) / room if room > 1e-9 else float("nan")


def energy_cost(evaluation: Evaluation) -> float:
    """USD for energy: import, carbon, wear, fuel, start-ups, demand and terminal charges, less export."""
    money = evaluation.breakdown
    return sum(money[name] for name in ENERGY_COSTS) - money["export"]


def case_of(instance: Instance, entries: tuple[Entry, ...], bounding: tuple[Entry, ...] = ()) -> Case:
    """A case from entries; ``bounding`` are further ones that only serve for the bound and the zero.

    The bound is the lowest one proven by a method that :func:`.methods.proves_bound` knows.
    """
    known = entries + bounding
    proven = [e for e in known if e.bound is not None and proves_bound(e.method)]
    best = min(proven, key=lambda e: e.bound or 0.0) if proven else None
    zero = next((e for e in known if e.method == "all-off" and e.scored), None)
    return Case(
        instance=instance,
        entries=entries,
        bound=best.bound if best else None,
        bound_by=best.method if best else "",
        all_off=zero.evaluation.utility if zero and zero.evaluation else None,
    )
