"""Actions as they come from outside: so many finite numbers, which the environment cuts to its box."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InputError


def finite_action(given: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The numbers given as an array of that shape.

    Raises:
        InputError: other than finite numbers, or than so many of them.
    """
    expected = f"{' × '.join(str(size) for size in shape)} finite numbers"
    try:
        action = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(field="action", value=given, expected=expected) from None
    if action.shape != shape:
        raise InputError(field="action", value=f"an array of shape {action.shape}", expected=expected)
    if not np.isfinite(action).all():
        where = tuple(int(place) for place in np.argwhere(~np.isfinite(action))[0])
        number = ", ".join(str(place) for place in where)
        raise InputError(field=f"action[{number}]", value=float(action[where]), expected=expected)
    return action
