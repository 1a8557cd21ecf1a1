"""Writing files: under a temporary name, then renamed, so that an interrupted write leaves the old file."""

from __future__ import annotations

from pathlib import Path

from .errors import InputError


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text, making the folder where it is missing.

    Raises:
        InputError: the place cannot be written.
    """
    target = Path(path)
    partial = target.with_name(target.name + ".partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        raise unwritable(path, error) from error


def make_room(path: str | Path) -> None:
    """Make sure, before long work, that a file can be written at ``path``; an existing file stays as it is.

    Raises:
        InputError: the folder cannot be made or written, or the path is a folder.
    """
    target = Path(path)
    if target.is_dir():
        raise InputError(file=str(path), field="file", value="a folder", expected="the name of a file")
    probe = target.with_name(target.name + ".partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: str | Path, error: OSError) -> InputError:
    """The error for a place that cannot be written."""
    reason = error.strerror or str(error)
    return InputError(file=str(path), field="file", value=reason, expected="a writable place")
