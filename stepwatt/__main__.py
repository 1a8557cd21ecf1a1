"""The command ``stepwatt``, also as ``python -m stepwatt``; Ctrl-C is quiet from the first import on."""

import atexit
import os
import signal
import sys
from types import FrameType


def _quit(number: int, frame: FrameType | None) -> None:
    sys.stderr.write("stepwatt: interrupted; nothing was written\n")
    sys.stderr.flush()
    os._exit(130)


def main() -> None:
    """Entry point of the command."""
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:
        signal.signal(signal.SIGINT, _quit)
    # of workers that Ctrl-C ended, the tracker cleans up what they shared without a word
    sys.warnoptions.append("ignore:resource_tracker")
    from .cli import completed
    from .console import INTERRUPTED

    signal.signal(signal.SIGINT, usual)
    code = completed()
    if code == INTERRUPTED:
        atexit._run_exitfuncs()
        os._exit(code)  # the interpreter may tear down what the interrupt left half made
    sys.exit(code)


if __name__ == "__main__":
    main()
