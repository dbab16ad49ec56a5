# SPDX-License-Identifier: MIT
"""Reports as files: proved writable before anything is measured, written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

from drmbench.errors import DrmbenchError, printable
from drmbench.model import SCHEMA_VERSION, DeviceList, Report

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What is saved: a document of the model, or one that is a plain dict already.
Document = Report | DeviceList | dict[str, object]

S = TypeVar("S", bound=msgspec.Struct)

_RESERVED_BYTES = 64 * 1024
_MOST_BITS = 64

_REMEDIES = {
    errno.ENOENT: "create the directory first",
    errno.ENOTDIR: "a part of the path is not a directory",
    errno.EACCES: "choose a directory you may write to",
    errno.EROFS: "the filesystem is read-only; choose another directory",
    errno.ENOSPC: "the disk is full; choose another place",
    errno.EDQUOT: "your quota is used up; choose another place",
    errno.EISDIR: "name a file, not a directory",
}


def _refusal(path: str, what: str, error: OSError) -> DrmbenchError:
    number = error.errno or errno.EIO
    return DrmbenchError(path, what, errno=number, remedy=_REMEDIES.get(number, ""))


def encode(document: Document) -> bytes:
    """Indented UTF-8 JSON with a final newline; its texts have no control characters, escaped ones neither."""
    return msgspec.json.format(msgspec.json.encode(_cleaned(msgspec.to_builtins(document))), indent=2) + b"\n"


def _cleaned(value: Any) -> Any:  # noqa: ANN401 (whatever JSON holds)
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:  # float() of it may fail, and str() take hours
        raise msgspec.ValidationError(f"an integer of {value.bit_length()} bits")
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(item) for name, item in value.items()}
    return value


class Destination:
    """A file that is known to be writable; `save()` replaces it in one step, or not at all."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._real = os.path.realpath(path)
        self._in_place = os.path.exists(self._real) and not stat.S_ISREG(os.stat(self._real).st_mode)
        self._temporary: str | None = None

    def prove_writable(self) -> None:
        """Make the temporary neighbour of the file, with room reserved. Raises DrmbenchError."""
        try:
            if os.path.isdir(self._real):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if self._in_place:  # /dev/full, a pipe: there is nothing to rename over
                os.close(os.open(self._real, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
                return
            directory, name = os.path.split(self._real)
            # Named before it is there: SIGTERM may come at any moment.
            self._temporary = f"{directory}/.{name[:100]}.{secrets.token_hex(4)}"
            fd = os.open(self._temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(fd, 0, _RESERVED_BYTES)
            finally:
                os.close(fd)
        except OSError as error:
            self.abandon()
            if error.errno == errno.EOPNOTSUPP:  # a filesystem without fallocate; writing will tell
                return
            raise _refusal(self._path, "write", error) from None

    def save(self, document: Document) -> None:
        """Write the document. Raises DrmbenchError; the old file is then still there."""
        self.save_pieces([encode(document)])

    def save_text(self, text: str) -> None:
        """Write something that is no document, likewise."""
        self.save_pieces([text.encode()])

    def save_bytes(self, data: bytes) -> None:
        """Write something that is no text either, likewise."""
        self.save_pieces([data])

    def save_pieces(self, pieces: Iterable[bytes]) -> None:
        """Write something that is never whole in memory, likewise."""
        try:
            if self._temporary is None:
                with open(self._real, "wb") as file:
                    file.writelines(pieces)
                return
            with open(self._temporary, "r+b") as file:  # "wb" would give back the room that is reserved
                os.fchmod(file.fileno(), self._mode())
                file.writelines(pieces)
                file.truncate()
                file.flush()
                os.fsync(file.fileno())
            os.replace(self._temporary, self._real)
            self._temporary = None
        except OSError as error:
            raise _refusal(self._path, "write", error) from None

    def _mode(self) -> int:
        with contextlib.suppress(OSError):
            return stat.S_IMODE(os.stat(self._real).st_mode)
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask

    def abandon(self) -> None:
        """Remove the temporary file, if there still is one."""
        temporary, self._temporary = self._temporary, None
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


class StandardOutput:
    """`--json -`: the document and nothing else on stdout."""

    def save(self, document: Document) -> None:
        """Print the document."""
        self.save_text(encode(document).decode())

    def save_text(self, text: str) -> None:
        """Print the text."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def save_bytes(self, data: bytes) -> None:
        """Print what is no text."""
        self.save_pieces([data])

    def save_pieces(self, pieces: Iterable[bytes]) -> None:
        """Print what is never whole in memory."""
        sys.stdout.flush()
        sys.stdout.buffer.writelines(pieces)
        sys.stdout.buffer.flush()


@contextlib.contextmanager
def destination(path: str) -> Iterator[Destination | StandardOutput]:
    """Where to save: "-" is stdout, else a file proved writable now; nothing is left behind without save().

    Raises DrmbenchError.
    """
    if path == "-":
        yield StandardOutput()
        return
    file = Destination(path)
    try:
        file.prove_writable()
        yield file
    finally:
        file.abandon()


def decode(data: bytes, name: str) -> Report:
    """A report from JSON, validated, without control characters; `name` is what an error calls it.

    Raises DrmbenchError.
    """
    with _refusing_nonsense(name):
        version = msgspec.json.decode(data, type=_Versioned).schema_version
        if version > SCHEMA_VERSION:
            raise DrmbenchError(name, "read", reason=f"its schema_version is {version}, this drmbench knows "
                                f"{SCHEMA_VERSION}", remedy="use a newer drmbench")
        report: Report = msgspec.convert(_cleaned(msgspec.json.decode(data)), type=Report)
    return report


def checked(data: bytes, cls: type[S], name: str) -> S:
    """A part of a report, likewise. Raises DrmbenchError."""
    with _refusing_nonsense(name):
        return msgspec.convert(_cleaned(msgspec.json.decode(data)), type=cls)


@contextlib.contextmanager
def _refusing_nonsense(name: str) -> Iterator[None]:
    try:
        yield
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DrmbenchError(name, "read", reason=f"this is no drmbench report: {error}",
                            remedy="drmbench schema prints what one looks like") from None


class _Versioned(msgspec.Struct):
    schema_version: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


def load(path: str) -> Report:
    """Read a report from a file ("-" is stdin). Raises DrmbenchError."""
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise DrmbenchError(path, "read", errno=error.errno or errno.EIO) from None
    return decode(data, path)


def json_schema() -> bytes:
    """The JSON Schema (2020-12) of both reports, as indented JSON."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(Report)}
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"
