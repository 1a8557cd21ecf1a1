"""The command ``stepwatt``, also as ``python -m stepwatt``; Ctrl-C is quiet from the first import on."""

import atexit
import io
import os
import signal
import sys
from types import FrameType


def _quit(number: int, frame: FrameType | None) -> None:
    sys.stderr.write("stepwatt: interrupted; nothing was written\n")
    sys.stderr.flush()
    os._exit(130)


def _prepare_standard_streams() -> None:
    """What a locale has no letter for is written as an escape.

    Whatever of the three the caller closed leads nowhere: a file opened next would get its number, and all
    that native code prints.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:  # a lower number was free only if another thread closed it
                os.dup2(nowhere, number)
            if number:
                setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def main() -> None:
    """Entry point of the command."""
    _prepare_standard_streams()
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
