# SPDX-License-Identifier: MIT
"""The compiler that builds a kernel's modules: this system's, or a Debian suite's own in a directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from drmbench.errors import DrmbenchError
from drmbench.vm.apt import Apt
from drmbench.vm.cache import cache_root, locked, make_directory
from drmbench.vm.processes import run_whole
from drmbench.vm.programs import find_program, require
from drmbench.vm.progress import megabytes
from drmbench.vm.unpack import remove_matching, unpack

if TYPE_CHECKING:
    from drmbench.vm.kernels import LabKernel
    from drmbench.vm.progress import Progress

# What a build of kernel modules calls besides the compiler; essential packages come only where they are named.
# base-files goes first: it has the links /bin and /lib that the others unpack through.
_PACKAGES = ("base-files", "make", "dash", "bash", "coreutils", "findutils", "grep", "sed", "mawk")
_UNNEEDED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/lib/*/gconv",
             "usr/bin/*-lto-dump-*", "usr/lib*/gcc/*/*/lto1", "usr/lib*/gcc/*/*/*.a", "usr/lib/*/lib?san.so.*",
             "usr/lib/*/libhwasan.so.*", "usr/lib/*/libubsan.so.*", "usr/lib/*/libgprofng*", "usr/lib/*/gprofng")
# In a mount namespace of its own: show each directory at the same place below the root, then enter it.
_ENTER = """\
set -e
root=$1; shift
while [ "$1" != -- ]; do
    mkdir -p "$root$1"
    mount --rbind "$1" "$root$1"
    shift
done
shift
PATH=$PATH:/usr/sbin:/sbin exec chroot "$root" "$@"
"""
# The kernel's own build programs, which are linked with the libraries of the suite that they come from.
_BUILD_PROGRAMS = ("scripts/basic/fixdep", "scripts/mod/modpost", "tools/objtool/objtool")


@dataclass(frozen=True, slots=True)
class Tools:
    """A compiler and its surroundings: `root` is the directory they are in, None for this system's."""

    compiler: str = "gcc"
    root: Path | None = None

    def command(self, words: list[str], visible: tuple[Path, ...]) -> list[str]:
        """The command that runs `words` with these tools, which see the directories `visible` where they are."""
        if self.root is None:
            return words
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        # objtool and make read /proc, and the compiler writes to /tmp, which lies in the root itself.
        shown = dict.fromkeys([Path("/proc"), Path("/dev"), *visible])
        return ["unshare", *user, "--mount", "--", "sh", "-c", _ENTER, "sh", str(self.root),
                *map(str, shown), "--", "/usr/bin/env", "-i", "PATH=/usr/bin:/bin", "LC_ALL=C", *words]


HOST_TOOLS = Tools()


def host_tools(headers: Path, wanted: str) -> Tools | None:
    """The system's own tools where they suit the kernel that `headers` are of, which `wanted` ("gcc-12") has built.

    An older compiler lacks options that the kernel's build gives it; a newer one has proved to do. None
    where they do not suit. Raises DrmbenchError where there are none.
    """
    require("make", "gcc")
    if not all(_has_libraries(headers / name) for name in _BUILD_PROGRAMS):
        return None
    if find_program(wanted):
        return Tools(wanted)
    return Tools("gcc") if _major("gcc") >= int(wanted.rpartition("-")[2]) else None


def _major(compiler: str) -> int:
    done = run_whole([compiler, "-dumpversion"])
    number = done.stdout.strip().partition(".")[0]
    return int(number) if number.isdigit() else 0


def _has_libraries(program: Path) -> bool:
    # The variable makes the dynamic loader list the libraries and not start the program, as ldd(1) does.
    try:
        done = subprocess.run([str(program)], env={**os.environ, "LD_TRACE_LOADED_OBJECTS": "1"}, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and "not found" not in done.stdout + done.stderr


def suite_tools(recipe: LabKernel, compiler: str, libraries: tuple[str, ...], progress: Progress) -> Tools:
    """The package `compiler` of the suite `recipe.tools` with `libraries`, in the cache; fetched where it is not there.

    Nothing is installed: the packages are only unpacked, and what they need is their own. Raises
    DrmbenchError where the mirror fails, a program is missing or a plain user may not enter a directory.
    """
    require("unshare", "chroot", "dpkg-deb")
    suite = f"{recipe.tools}-{compiler}"
    root = cache_root() / "tools" / suite
    with locked(suite, lambda: progress.step(f"another drmbench is fetching {suite}; waiting for it")):
        if not (root / ".complete").is_file():
            _fetch_root(recipe, (compiler, *libraries), root, progress)
    tools = Tools(compiler, root)
    done = run_whole(tools.command([compiler, "-dumpversion"], ()))
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise DrmbenchError("vm", f"{compiler} of {recipe.tools}", reason=reason,
                            remedy="build as root, or where user namespaces are allowed (sysctl "
                                   "kernel.unprivileged_userns_clone=1): drmbench vm fetch")
    return tools


def _fetch_root(recipe: LabKernel, packages: tuple[str, ...], root: Path, progress: Progress) -> None:
    downloads = make_directory(cache_root() / "downloads" / root.name)
    apt = Apt(make_directory(cache_root() / "apt" / root.name),
              replace(recipe, suites=(recipe.tools,), security_suites=()))
    apt.update()
    wanted = apt.closure([*_PACKAGES, *packages])
    total = sum(file.size_bytes for file in apt.downloads(wanted))
    progress.step(f"downloading {packages[0]} of {recipe.tools}, as {recipe.name} needs other tools than this "
                  f"system's: {len(wanted)} packages, {megabytes(total)}")
    paths = apt.download(wanted, downloads, lambda done: progress.downloading(done, total))
    make_directory(root.parent)
    for leftover in root.parent.glob(f".{root.name}-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f".{root.name}-", dir=root.parent, ignore_cleanup_errors=True) as text:
        scratch = Path(text) / "root"
        for path in sorted(paths, key=lambda path: not path.name.startswith("base-files_")):
            unpack(path, scratch)
        _tidy(scratch)
        shutil.rmtree(root, ignore_errors=True)
        scratch.rename(root)
    for spent in (downloads, cache_root() / "apt" / root.name):
        shutil.rmtree(spent, ignore_errors=True)


def _tidy(root: Path) -> None:
    """Remove what no build needs, and do the little that the packages' own scripts would have done."""
    remove_matching(root, _UNNEEDED)
    awk = root / "usr/bin/awk"
    if not awk.is_symlink():
        awk.symlink_to("mawk")
    (root / "tmp").mkdir(exist_ok=True)
    if not (root / "bin/sh").exists():
        raise DrmbenchError("vm", f"unpack {root.parent.name}", reason="the packages brought no /bin/sh",
                            remedy="drmbench vm fetch --again")
    (root / ".complete").touch()
