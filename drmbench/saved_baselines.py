# SPDX-License-Identifier: MIT
"""Reports kept by name, for later comparison: $XDG_DATA_HOME/drmbench/baselines/NAME.json."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from drmbench.errors import DrmbenchError, UsageError
from drmbench.store import load

if TYPE_CHECKING:
    from drmbench.model import Report

PREFIX = "baseline:"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}")


def baseline_path(name: str) -> str:
    """Where the report of that name is or will be. Raises UsageError for a name that is no plain word."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{PREFIX}{name}", "name", reason="not a plain word",
                         remedy="use letters, digits, and . _ + - after the first one")
    # A relative path in these variables is to be ignored: XDG Base Directory Specification.
    data = os.environ.get("XDG_DATA_HOME", "")
    home = data if os.path.isabs(data) else os.path.expanduser("~/.local/share")
    return os.path.join(home, "drmbench", "baselines", f"{name}.json")


def path_to_save(name: str) -> str:
    """The same, its directory made. Raises UsageError, DrmbenchError where it cannot be made."""
    path = baseline_path(name)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except OSError as error:
        raise DrmbenchError(os.path.dirname(path), "mkdir", errno=error.errno,
                            remedy="set XDG_DATA_HOME to a directory you may write to") from None
    return path


def load_named(name: str) -> Report:
    """The report of a file, of stdin ("-"), or of "baseline:NAME". Raises UsageError, DrmbenchError."""
    if not name.startswith(PREFIX):
        return load(name)
    path = baseline_path(name.removeprefix(PREFIX))
    if not os.path.exists(path):
        kept = names()
        listed = f"there are {', '.join(kept)}" if kept else "none is saved here"
        raise DrmbenchError(name, "read", reason=f"no such baseline; {listed}",
                            remedy="save one with --save-baseline NAME of a measuring command")
    return load(path)


def names() -> list[str]:
    """The names of the baselines that are saved here."""
    try:
        files = os.listdir(os.path.dirname(baseline_path("x")))
    except OSError:
        return []
    return sorted(file.removesuffix(".json") for file in files
                  if file.endswith(".json") and _NAME.fullmatch(file.removesuffix(".json")))
