"""``plot`` and ``to_xarray`` where people look for them: on instances, schedules and results.

Who draws stands above this floor and announces itself by entry points of the group ``stepwatt.showing``, as
plotting backends of pandas do.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, Literal

from .errors import InputError

GROUP = "stepwatt.showing"


def shown_by(name: Literal["plot", "to_xarray"]) -> Callable[..., Any]:
    """What was announced by that name.

    Raises:
        InputError: nothing was: the package lies there, but was not installed.
    """
    for point in entry_points(group=GROUP, name=name):
        found: Callable[..., Any] = point.load()
        return found
    raise InputError(field=name, value="(missing)", expected="stepwatt installed by pip; install it again")
