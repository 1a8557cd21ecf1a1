"""What is learned: how actions are coded, what is seen, how it is paid."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from stepwatt.formulation.records import SettingsRecord, Share, defect, member

from ..codecs import CODECS
from ..options import CountOrNone, Hours, Scale
from .observation import INFORMATION
from .rewards import REWARDS, SPARSE_THRESHOLD


class TaskSettings(SettingsRecord):
    """What is learned: how actions are coded, what is seen, how it is paid."""

    codec: Annotated[str, member(CODECS)] = "direct"
    """``direct``: say what to do; ``raw``: the same without repair; ``priced``: say what things are worth."""
    information: Annotated[str, member(INFORMATION)] = "day-ahead"
    """What the policy sees of the future: none, persistence, day-ahead, perfect; the middle two also with
    +seen, less the errors seen so far."""
    reward: Annotated[str, member(REWARDS)] = "sparse"
    """dense, sparse (a slot is paid only if its service goal is met), episode (all at the end) or joint (all
    at the end, if every slot met its goal)."""
    threshold: Share = SPARSE_THRESHOLD
    """Share of a site's jobs that may be missed or cut back in a slot for it to count as a success."""
    reward_scale: Scale = 1.0
    """Factor on the reward, whose unit is a slot's typical revenue."""
    view: Literal["flat", "sites"] = "flat"
    """``sites``: a row of numbers for each site, told by one network that all share, so that the policy plays
    any number of sites (priced only)."""
    past_hours: Hours = ()
    """Of the recent past, prices, renewables and arrivals of blocks that begin so many hours ago, e.g.
    [1, 4, 24]; as the forecast's, against now."""
    foresight: bool = False
    """Priced only: actions are corrections of the prices that the forecast suggests, which are seen too."""
    renewal: CountOrNone = 0
    """With foresight: slots after which the rest of the day is planned again; 0 plans once."""

    def plain(self) -> dict[str, Any]:
        """Plain values; those that came later where they are not the usual ones, so that older files stay as
        they are."""
        values = super().plain()
        for name, usual in (("view", "flat"), ("past_hours", ())):
            if getattr(self, name) == usual:
                del values[name]
        return values

    @property
    def looks_back(self) -> bool:
        """Whether the day before is of use."""
        return self.information.startswith("persistence") or bool(self.past_hours)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.foresight and (self.codec != "priced" or self.information == "none"):
            raise defect(("foresight",), True, "codec priced and a forecast")
        if self.view == "sites" and (self.codec != "priced" or self.foresight):
            raise defect(("view",), self.view, "flat, but for codec priced without foresight")
        if list(self.past_hours) != sorted(set(self.past_hours)):
            raise defect(("past_hours",), list(self.past_hours), "hours that rise")
        if self.renewal and not self.foresight:
            raise defect(("renewal",), self.renewal, "0, or slots of a task with foresight")
        return self
