# SPDX-License-Identifier: MIT
"""What this drmbench was built with and runs with: the lines under `drmbench --version`.

libdrm has no call that tells its version, so the file that is loaded is named.
"""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from drmbench.errors import one_line

LIBRARIES = ("cffi", "click", "msgspec", "numpy", "pyudev", "rich")
EXTRAS = ("matplotlib", "virtme-ng")


def build_facts() -> list[str]:
    """One line a fact; what is missing is said, nothing is raised."""
    uname = os.uname()
    return [
        *_native(),
        f"python {platform.python_version()}, {', '.join(f'{name} {_version(name)}' for name in LIBRARIES)}",
        f"extras: {', '.join(f'{name} {_version(name)}' for name in EXTRAS)}",
        one_line(f"kernel {uname.release}, {uname.machine}"),
    ]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _native() -> list[str]:
    try:
        from drmbench import native  # noqa: PLC0415 (must not keep --version from its first line)
        from drmbench._native import ffi, lib  # noqa: PLC0415

        built_by, built_with, path = (bytes(ffi.string(words)).decode("utf-8", "replace") for words in (
            lib.drmbench_built_by(), lib.drmbench_libdrm_built(), lib.drmbench_libdrm_path()))
        clock = native.calibrate_clock(os.environ.get("DRMBENCH_CLOCK") or "best")
    except (ImportError, OSError, ValueError) as error:
        return [f"native code: {one_line(str(error))}"]
    rate = "constant rate" if clock.invariant else "rate may change"
    return [
        one_line(f"libdrm {built_with} when built, now {os.path.realpath(path) if path else 'unknown'}"),
        one_line(f"compiled by {built_by}"),
        f"clock {clock.source}, {rate}, {clock.overhead_ns:.0f} ns a reading, steps of {clock.resolution_ns:.2f} ns",
    ]
