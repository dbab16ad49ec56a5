# SPDX-License-Identifier: MIT
"""Did the populate strategy do anything? Decided by fault counts alone; the flags only explain it."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drmbench.errors import errno_name
from drmbench.vma import PFNMAP, describe_skip

if TYPE_CHECKING:
    from drmbench.model import Verdict

_MOVED_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was counted: faults of the touch pass alone (lazy) and after the strategy, VmFlags, errno."""

    call: str
    lazy_touch_faults: int
    touch_faults: int
    earlier_faults: int
    errno: int | None
    vm_flags: list[str]


def judge(evidence: Evidence) -> tuple[Verdict, str]:
    """(verdict, one sentence why).

    refused  the kernel returned an errno
    moot     the touch pass of a lazy mapping does not fault at all
    real     at least half of the touch pass's faults are gone
    no-op    the touch pass still faults
    """
    if evidence.errno is not None:
        return "refused", _why_refused(evidence)
    lazy = evidence.lazy_touch_faults
    if lazy == 0:
        return "moot", f"nothing to populate: mmap() {_mapped_whole(evidence)}, so no touch faults"
    if not evidence.call:
        return "no-op", f"the reference: nothing is populated, the touch pass takes {lazy} faults"
    moved = lazy - evidence.touch_faults
    if moved >= lazy * _MOVED_SHARE:
        return "real", _why_real(evidence)
    return "no-op", _why_nothing(evidence)


def _mapped_whole(evidence: Evidence) -> str:
    return "mapped the whole buffer (VM_PFNMAP)" if PFNMAP in evidence.vm_flags else "left every page present"


def _why_refused(evidence: Evidence) -> str:
    number = evidence.errno or 0
    text = f"{evidence.call} returned {errno_name(number)}"
    skip = describe_skip(evidence.vm_flags)
    if number == errno.EINVAL and skip is not None:
        return f"{text}: the mapping is {skip}, which it does not populate"
    if number == errno.EINVAL:
        return f"{text}: this kernel does not know it (MADV_POPULATE came with 5.14)"
    if number == errno.EOPNOTSUPP:
        return f"{evidence.call} is not possible: the driver's own ioctl maps this buffer and takes no such flag"
    if number in {errno.ENOMEM, errno.EPERM, errno.EAGAIN}:
        return f"{text}: over RLIMIT_MEMLOCK, raise ulimit -l"
    return text


def _why_real(evidence: Evidence) -> str:
    return (f"{evidence.call} took {evidence.earlier_faults} faults, and the touch pass takes "
            f"{evidence.touch_faults} instead of {evidence.lazy_touch_faults}")


def _why_nothing(evidence: Evidence) -> str:
    left = f"the touch pass still takes {evidence.touch_faults} of {evidence.lazy_touch_faults} faults"
    skip = describe_skip(evidence.vm_flags)
    if skip is not None:
        return f"{evidence.call} succeeds but skips a {skip} mapping: {left}"
    if evidence.earlier_faults:
        return f"{evidence.call} took {evidence.earlier_faults} faults and yet {left}"
    return f"{evidence.call} populated nothing: {left}"
