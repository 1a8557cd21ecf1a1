"""What is learned: how actions are coded, what is seen, how it is paid."""

from __future__ import annotations

from dataclasses import dataclass

from stepwatt.formulation import InputError

from ..codecs import CODECS
from ..options import Options, option
from .observation import INFORMATION
from .rewards import REWARDS, SPARSE_THRESHOLD


@dataclass(frozen=True)
class TaskSettings(Options):
    """The decision process that a policy is for.

    Raises:
        InputError: a name that is not known, a value of another type or out of its range, or settings that do
            not go together.
    """

    codec: str = "direct"
    """``direct``: say what to do; ``priced``: say what things are worth."""
    information: str = "day-ahead"
    """What the policy sees of the future: none, persistence, day-ahead, perfect."""
    reward: str = "sparse"
    """dense, sparse (a slot is paid only if its service goal is met) or episode (all at the end)."""
    threshold: float = option(SPARSE_THRESHOLD, low=0, high=1)
    """Share of a site's jobs that may be missed or cut back in a slot for it to count as a success."""
    reward_scale: float = option(1.0, above=0, high=1e9)
    """Factor on the reward, whose unit is a slot's typical revenue."""
    foresight: bool = False
    """Priced only: actions are corrections of the prices that the forecast suggests, which are seen too."""
    renewal: int = option(0, low=0)
    """With foresight: slots after which the rest of the day is planned again; 0 plans once."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for field, known in (("codec", CODECS), ("information", INFORMATION), ("reward", REWARDS)):
            if getattr(self, field) not in known:
                raise InputError(
                    field=field, value=getattr(self, field), expected=f"one of {', '.join(known)}"
                )
        if self.foresight and (self.codec != "priced" or self.information == "none"):
            raise InputError(field="foresight", value=True, expected="codec priced and a forecast")
        if self.renewal and not self.foresight:
            raise InputError(
                field="renewal", value=self.renewal, expected="0, or slots of a task with foresight"
            )
