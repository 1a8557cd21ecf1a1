"""What a bench cannot do is told in one line, as the command line of the package does."""

from __future__ import annotations

import sys
from collections.abc import Callable

from stepwatt.formulation import InputError


def told(main: Callable[[], int | None]) -> int:
    """Run a command of a bench; bad input and places that cannot be written are one line and exit code 2."""
    try:
        return main() or 0
    except InputError as error:
        line = str(error)
    except OSError as error:
        line = f"{error.filename or 'output'}: {error.strerror or error}"
    print(line, file=sys.stderr)
    return 2
