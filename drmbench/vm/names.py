# SPDX-License-Identifier: MIT
"""Wrong names on the command line: the error that offers the nearest right ones."""

from __future__ import annotations

import difflib

from drmbench.errors import UsageError


def nearest(kind: str, wrong: str, right: list[str], remedy: str) -> UsageError:
    """The UsageError for a `kind` ("device", "kernel") that is called neither of `right`."""
    close = difflib.get_close_matches(wrong, right, n=3, cutoff=0.5)
    guess = f"did you mean {' or '.join(close)}? " if close else f"known are {', '.join(right)}; "
    return UsageError("vm", f"{kind} {wrong!r}", reason=f"there is no such {kind}", remedy=f"{guess}{remedy}")
