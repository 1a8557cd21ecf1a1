"""Writing files: under a temporary name beside the target, then renamed, several together or none of them.

Whoever reads finds the old file or the new one, whatever ends the writer. A temporary file is locked as long
as its writer lives, so that the next writer knows which ones nobody will finish, and clears them away.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import path_of
from .errors import InputError

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from filelock import BaseFileLock

_PARTIAL = ".partial"

#: How often a folder is made that others clear away.
_PATIENCE = 3

#: Letters of the target's name in that of a temporary file, which must not be too long for the file system.
_SHOWN = 40


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text, making the folder where it is missing.

    Raises:
        InputError: the place cannot be written, or not all of the text.
    """
    write_files({path_of(path): text})


def write_files(contents: Mapping[Path, str | bytes]) -> None:
    """Write files that belong together: all of them are new afterwards, or all are as they were.

    Text is written as UTF-8. Folders are made where they are missing.

    Raises:
        InputError: two paths of the same file, or a place that cannot be written.
    """
    with replacing(*contents) as partials:
        for path, partial, content in zip(contents, partials, contents.values(), strict=True):
            with told_as_unwritable(path):
                partial.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))


@contextmanager
def replacing(*paths: str | Path, ending: str = "") -> Iterator[list[Path]]:
    """Temporary files to be filled in the block, which take the places of ``paths`` at its end, together.

    Their names end in ``ending``. After an error in the block every path is as it was. What is no regular
    file (a pipe, a terminal) has no old content to keep, and is written directly.

    Raises:
        InputError: two paths of the same file, or a place that cannot be written.
    """
    targets = _targets(paths)
    with ExitStack() as opened:
        partials = []
        for path, target in zip(paths, targets, strict=True):
            with told_as_unwritable(path):
                special = _is_special(target)
                partials.append(target if special else opened.enter_context(_beside(target, ending)))
        yield partials
        moves = []
        for path, target, partial in zip(paths, targets, partials, strict=True):
            if partial != target:
                with told_as_unwritable(path):
                    _sync(partial)
                moves.append((path, target, partial))
        _move(moves)


def make_room(*paths: str | Path) -> None:
    """Make sure, before long work, that files can be written at ``paths``; existing files stay as they are.

    Raises:
        InputError: a folder that cannot be made or written, a path that is a folder, or two of the same file.
    """
    for path, target in zip(paths, _targets(paths), strict=True):
        with told_as_unwritable(path):
            if not _is_special(target):
                with _beside(target):
                    pass


def make_folder(path: str | Path) -> None:
    """Make sure, before long work, that files can be written in the folder ``path``.

    Raises:
        InputError: the folder cannot be made or written, or the path is a file.
    """
    with told_as_unwritable(path):
        if Path(path).exists() and not Path(path).is_dir():
            raise InputError(file=str(path), field="folder", value="a file", expected="the name of a folder")
        with _beside(Path(os.path.realpath(path)) / "probe"):
            pass


def locked(path: str | Path) -> BaseFileLock:
    """The lock of a file that one process at a time works on, taken; ``release`` it.

    By whatever links a file is reached, its lock is one.

    Raises:
        InputError: another process works on it, or nothing can be written there.
    """
    from filelock import FileLock, Timeout

    real = Path(os.path.realpath(path))
    with told_as_unwritable(path):
        lock = FileLock(real.with_name(f".{real.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            expected = "one on which nobody else works now"
            raise InputError(file=str(path), field="file", value="in use", expected=expected) from None
    return lock


@contextmanager
def told_as_unwritable(path: str | Path) -> Iterator[None]:
    """What the system says of a place in the block, told as an input error that names it."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a path that cannot be
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(file=str(path), field="file", value=reason, expected="a writable place") from error


def _targets(paths: Sequence[str | Path]) -> list[Path]:
    targets = [_target(path) for path in paths]
    for path, target in zip(paths, targets, strict=True):
        if targets.count(target) > 1:
            raise InputError(field="file", value=str(path), expected="every file once")
    return targets


def _target(path: str | Path) -> Path:
    """Where the file lies: what a link points to is replaced, not the link."""
    with told_as_unwritable(path):
        if Path(path).is_dir():
            raise InputError(file=str(path), field="file", value="a folder", expected="the name of a file")
        if _is_special(Path(path)):
            return Path(path)
        target = Path(os.path.realpath(path))
        if target.exists() and not os.access(target, os.W_OK):
            raise InputError(file=str(path), field="file", value="read-only", expected="a writable place")
        return target


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file()


@contextmanager
def _beside(target: Path, ending: str = "") -> Iterator[Path]:
    """An empty file beside the target, with the rights of what is there; gone in the end unless renamed."""
    partial = target.with_name(f"{_prefix(target)}{secrets.token_hex(4)}{_PARTIAL}{ending}")
    descriptor = _created(partial, target)
    try:
        if sys.platform == "win32":
            os.close(descriptor)  # or it could not be renamed
        else:
            _lock(descriptor)
        if target.exists():
            shutil.copymode(target, partial)
        yield partial
    finally:
        if sys.platform != "win32":
            os.close(descriptor)
        partial.unlink(missing_ok=True)


def _created(partial: Path, target: Path) -> int:
    """The descriptor of a new file, in a folder that another process may just be clearing away."""
    for left in reversed(range(_PATIENCE)):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _clear_leftovers(target)
            return os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileNotFoundError:
            if not left:
                raise
    raise AssertionError("the last try returns or raises")


def _prefix(target: Path) -> str:
    return f".{target.name[:_SHOWN]}."


def _lock(descriptor: int) -> bool:
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held by another, or a file system without locks
        return False
    return True


def _clear_leftovers(target: Path) -> None:
    """Remove temporary files of this target whose writers were killed: their locks are free."""
    for name in os.listdir(target.parent):
        if not (name.startswith(_prefix(target)) and _PARTIAL in name):
            continue
        left = target.with_name(name)
        try:
            descriptor = os.open(left, os.O_RDWR)
        except OSError:  # renamed or removed in between
            continue
        try:
            if _lock(descriptor):
                left.unlink(missing_ok=True)
        finally:
            os.close(descriptor)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _move(moves: list[tuple[str | Path, Path, Path]]) -> None:
    """Rename one right after the other; where one fails, those before it are put back."""
    with ExitStack() as opened:
        kept = [opened.enter_context(_kept(target)) for _, target, _ in moves[:-1]]
        for number, (path, target, partial) in enumerate(moves):
            try:
                with told_as_unwritable(path):
                    partial.replace(target)
            except InputError:
                for (_, changed, _), old in zip(moves[:number], kept[:number], strict=True):
                    if old is None:
                        changed.unlink()
                    else:
                        old.replace(changed)
                raise


@contextmanager
def _kept(target: Path) -> Iterator[Path | None]:
    """A second name of the file as it is; none where there is no file."""
    if not target.exists():
        yield None
        return
    with told_as_unwritable(target):
        second = target.with_name(f"{_prefix(target)}{secrets.token_hex(4)}{_PARTIAL}")
        try:
            os.link(target, second)
        except OSError:  # a file system without links
            shutil.copy2(target, second)
    try:
        yield second
    finally:
        second.unlink(missing_ok=True)
