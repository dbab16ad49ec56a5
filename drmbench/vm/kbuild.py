# SPDX-License-Identifier: MIT
"""Builds kernel modules against unpacked, not installed, Debian kernel headers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from drmbench.errors import DrmbenchError
from drmbench.vm.buildroot import HOST_TOOLS, Tools
from drmbench.vm.processes import run_whole

if TYPE_CHECKING:
    from pathlib import Path

_TIMEOUT_S = 900
# What the first line has that explains a failure; the others only say that there was one.
_SAYS_WHY = ("error:", "ERROR:", "No rule to make target")
_MAKE_VARIABLES = ("MAKEFLAGS", "MFLAGS", "ARCH", "CROSS_COMPILE", "KBUILD_OUTPUT", "O", "M")


def relocate_headers(root: Path, release: str) -> Path:
    """Make the headers of `release` below `root` usable there; returns their folder.

    Debian's headers name /usr/src by its absolute path in Makefile and in lib/modules/V/build.
    """
    headers = root / "usr/src" / f"linux-headers-{release}"
    makefile = headers / "Makefile"
    text = makefile.read_text(encoding="utf-8")
    # The folder moves once more when the cache entry gets its final name, hence relative to this very file.
    here = "$(dir $(abspath $(lastword $(MAKEFILE_LIST))))"
    text = text.replace(f"KBUILD_OUTPUT=/usr/src/{headers.name}", f"KBUILD_OUTPUT := $(patsubst %/,%,{here})")
    makefile.write_text(text.replace("include /usr/src/", f"include {here}../"), encoding="utf-8")
    for name in ("build", "source"):
        link = root / "lib/modules" / release / name
        if link.is_symlink():
            target = link.readlink().name
            link.unlink()
            link.symlink_to(f"../../../usr/src/{target}")
    return headers


def build_modules(headers: Path, source: Path, variables: tuple[str, ...], tools: Tools = HOST_TOOLS) -> list[Path]:
    """Build the modules in the folder `source` with `tools`; returns their .ko files.

    Raises DrmbenchError with the compiler's first error where the build fails.
    """
    # BTF of a module needs pahole and the kernel's own vmlinux, and nothing in the lab reads it.
    command = ["make", "-C", str(headers), f"M={source}", f"-j{os.cpu_count() or 1}", f"CC={tools.compiler}",
               "CONFIG_DEBUG_INFO_BTF_MODULES=", *variables, "modules"]
    # A caller's own MAKEFLAGS or ARCH would break the kernel's build.
    environment = {name: value for name, value in os.environ.items() if name not in _MAKE_VARIABLES}
    done = run_whole(tools.command(command, (headers.parents[2], source)),
                     environment={**environment, "LC_ALL": "C"}, timeout_s=_TIMEOUT_S)
    modules = sorted(source.glob("*.ko"))
    if done.returncode or not modules:
        lines = (done.stderr or done.stdout).strip().splitlines()
        last = lines[-1] if lines else "no module came out"
        reason = next((line for line in lines if any(word in line for word in _SAYS_WHY)), last)
        reason = reason.replace(f"{source}/", "")
        raise DrmbenchError("vm", f"make {source.name}", reason=reason,
                            remedy=f"is the compiler complete? apt-get install {tools.compiler} make libc6-dev libelf1")
    return modules
