# SPDX-License-Identifier: MIT
"""Cases that end in every way there is. As a program: drmbench with these cases; `igt` as first word: drmbench-igt."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import drmbench.cli.igt
from drmbench import cli
from drmbench.conformance.case import Case, Failed, Need, Skipped, case, expect_errno
from drmbench.model import KnownBehaviour

if TYPE_CHECKING:
    from collections.abc import Callable

    from drmbench.conformance.subject import Subject

# Raw it would be a result of its own, an escape sequence, the end of a comment or of a CDATA section.
HOSTILE = ("\x1b[31m]]>-->#\x00\nok 9 forged\nSubtest made-up_bad: SUCCESS\n"
           "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=forged RESULT=pass>\ud800\ufffe")


def made(name: str, run: Callable[[Subject], str | None], *needs: Need, limit_s: float = 20.0) -> Case:
    """A case of the tests' own."""
    return case(f"made-up/{name}", rule="It does what it should.", source="nowhere", needs=needs,
                time_limit_s=limit_s)(run)


def fails(_subject: Subject) -> None:
    """It breaks the rule."""
    expect_errno("mmap(upside down)", {errno.EINVAL, errno.EACCES}, lambda: None)


def skips(_subject: Subject) -> None:
    """It cannot be run."""
    raise Skipped("it rains")


def clumsy(_subject: Subject) -> None:
    """The harness is at fault."""
    raise ZeroDivisionError


def crashes(_subject: Subject) -> None:
    """It takes its process down."""
    os.kill(os.getpid(), signal.SIGSEGV)


def hostile(_subject: Subject) -> None:
    """What it says is meant for the reader's parser."""
    raise Failed(HOSTILE, HOSTILE, HOSTILE)


PASS = made("good", lambda _subject: None)
CHOICE = made("choice", lambda _subject: "it took the left road")
FAIL = made("bad", fails)
SKIP = made("not-now", skips)
BROKEN = made("clumsy", clumsy)
LISTED = made("listed", fails)
CRASH = made("crash", crashes)
LOUD = made("loud", hostile)
SLOW = made("slow", lambda _subject: time.sleep(60), limit_s=120)

ENDING = (PASS, FAIL, SKIP, BROKEN, LISTED, CRASH, LOUD, CHOICE)
KNOWN = KnownBehaviour(case=LISTED.name, driver="memfd", what="mmap(upside down)", actual="success",
                       why="it always did", source="mm/nowhere.c")


def install(cases: tuple[Case, ...], set_attribute: Callable[[str, object], None]) -> None:
    """Put these cases in the place of drmbench's own, and KNOWN in that of its list."""
    set_attribute("drmbench.cli.verifying.CASES", cases)
    set_attribute("drmbench.conformance.suite.load_known", lambda: [KNOWN])


def _set(name: str, value: object) -> None:
    module, _dot, attribute = name.rpartition(".")
    setattr(__import__(module, fromlist=[attribute]), attribute, value)


if __name__ == "__main__":
    install((*ENDING, SLOW), _set)
    if sys.argv[1:2] == ["igt"]:
        sys.argv[0:2] = ["drmbench-igt"]
        drmbench.cli.igt.main()
    else:
        cli.main()
