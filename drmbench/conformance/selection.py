# SPDX-License-Identifier: MIT
"""--case: which cases to run."""

from __future__ import annotations

import difflib
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from drmbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.conformance.case import Case


def select(cases: Sequence[Case], globs: Sequence[str]) -> list[Case]:
    """The cases that match one of the globs, all without any, in their own order.

    Raises UsageError for a glob that matches none.
    """
    for glob in globs:
        if not any(fnmatchcase(case.name, glob) for case in cases):
            raise _no_match(cases, glob)
    return [case for case in cases if not globs or any(fnmatchcase(case.name, glob) for glob in globs)]


def _no_match(cases: Sequence[Case], glob: str) -> UsageError:
    groups = list(dict.fromkeys(case.name.partition("/")[0] for case in cases))
    wanted = [*(case.name for case in cases), *(f"{group}/*" for group in groups)]
    near = difflib.get_close_matches(glob, wanted, n=3, cutoff=0.5)
    near += [name for name in wanted if glob.strip("*/") and glob.strip("*/") in name]
    names = list(dict.fromkeys(near))[:3]
    hint = f"did you mean {' or '.join(names)}?" if names else "drmbench verify --list shows them"
    return UsageError(glob, "--case", reason="no case matches", remedy=hint)
