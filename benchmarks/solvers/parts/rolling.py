"""Part ``rolling``: a rolling horizon on one model kept hot, against building a model for every slot."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from ..cases import Case
from ..profiles import Profile
from ..reporting.section import Section, Verdict, number, table
from ..runner import Cell, Record


def cells(profile: Profile) -> list[Cell]:
    """One process does both, slot by slot, from the same states."""
    ahead = round(profile.rolling_hours * 60 / profile.rolling_minutes)
    name = f"{profile.rolling_slots} slots of {profile.rolling_minutes} min"
    case = Case(
        f"{name}, look-ahead {profile.rolling_hours:g} h",
        profile.rolling_slots + ahead,
        slot_minutes=profile.rolling_minutes,
    )
    options = {
        "slots": profile.rolling_slots,
        "look_ahead_hours": profile.rolling_hours,
        "rebuild_every": profile.rolling_every,
    }
    return [Cell("rolling", "rolling", case, options)]


def report(records: list[Record], profile: Profile, folder: Path) -> Section:
    """Milliseconds per slot and their ratio."""
    section = Section("Rolling horizon")
    ahead = f"a look-ahead of {profile.rolling_hours:g} h"
    target = f"rolling over {profile.rolling_slots} slots with {ahead}: at least 10 x faster than rebuilding"
    done = [r["values"] for r in records if r["status"] == "ok"]
    if not done:
        section.verdicts.append(Verdict(target, None if not records else "failed"))
        return section
    values = done[0]
    slots = [int(t) for t in values["rebuilt"]]
    hot, fresh = [values["hot"][t] for t in slots], list(values["rebuilt"].values())
    for t, (one, other, *_) in zip(slots, values["windows"], strict=True):
        if abs(one - other) > 1e-6 * max(1.0, abs(other)):
            section.void.append(f"slot {t}: the hot window is worth {one}, the fresh one {other}")
    ratio = sum(fresh) / sum(hot)
    inside = sum(w[3] for w in values["windows"]) / max(1e-9, sum(w[2] for w in values["windows"]))
    section.say(
        f"{records[0]['case']['name']}, perfect forecast, windows that move. Every slot on the model kept "
        f"hot; at {len(slots)} of them (every {profile.rolling_every}th) also by a planner with a fresh "
        "`linear_problem` and a fresh HiGHS, from the same state; both windows reach the same optimum. The "
        "ratio is of sums over those slots.",
        table(
            ("", "ms per slot, mean", "median", "largest"),
            [
                [name, *(number(1e3 * value) for value in (sum(s) / len(s), median(s), max(s)))]
                for name, s in (
                    ("hot, these slots", hot),
                    ("hot, all slots", values["hot"]),
                    ("rebuilt", fresh),
                )
            ],
        ),
        f"Ratio {ratio:.1f}; of the time inside HiGHS on the window alone {inside:.1f}.",
    )
    section.verdicts.append(Verdict(target, f"{ratio:.1f} x on {len(slots)} slots", ratio >= 10))
    return section
