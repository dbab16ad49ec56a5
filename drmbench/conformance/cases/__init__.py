# SPDX-License-Identifier: MIT
"""The cases, one file for a group; MODULES is where a new one is entered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.conformance.case import Case
from drmbench.conformance.cases import (
    concurrency,
    content,
    dumb_ioctls,
    fake_offset,
    ioctls,
    kernel_access,
    limits,
    madvise,
    mmap_contract,
    signals,
    unplug,
    vma_life,
)

if TYPE_CHECKING:
    from types import ModuleType

MODULES: tuple[ModuleType, ...] = (
    mmap_contract, fake_offset, content, vma_life, madvise, kernel_access, ioctls, dumb_ioctls,
    concurrency, signals, limits, unplug,
)

CASES: tuple[Case, ...] = tuple(
    value for module in MODULES for value in vars(module).values() if isinstance(value, Case)
)
"""Every case, group by group, in the order of the files."""
