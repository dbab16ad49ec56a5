# SPDX-License-Identifier: MIT
"""A Debian root for arm64 guests, unpacked and never installed: no root's rights, no emulated maintainer scripts.

What those scripts would have done is little: the merged /usr, two accounts, the linker's cache. The guest
makes the last, as only an arm64 ldconfig writes it.
"""

from __future__ import annotations

import json
import shutil
import sys
from importlib.metadata import requires
from typing import TYPE_CHECKING

from drmbench.errors import DrmbenchError
from drmbench.vm.apt import Apt
from drmbench.vm.cache import cache_root, locked, make_directory
from drmbench.vm.entry import replacing
from drmbench.vm.kernels import LabKernel
from drmbench.vm.processes import run_whole
from drmbench.vm.programs import require
from drmbench.vm.progress import megabytes
from drmbench.vm.unpack import remove_matching, unpack

if TYPE_CHECKING:
    from pathlib import Path

    from drmbench.vm.progress import Progress

SUITE = "bookworm"
# The suite's Python. Raise both together.
PYTHON = "3.11"
SITE = f"usr/local/lib/python{PYTHON}/dist-packages"
TRIPLET = "aarch64-linux-gnu"

_SCHEMA_VERSION = 1
_PACKAGES = (
    "base-files", "bash", "busybox-static", "coreutils", "dash", "findutils", "grep", "iproute2", "kmod", "libc-bin",
    "libdrm2", "libpython3-stdlib", "libstdc++6", "libudev1", "mawk", "mount", "procps", "python3", "python3-minimal",
    "sed", "usr-is-merged", "util-linux",
)
# Only their headers and the link that the linker looks for: what they depend on stays out.
_HEADERS = ("libdrm-dev", f"libpython{PYTHON}-dev")
_UNNEEDED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/perl*",
             "usr/lib/*/gconv", "usr/lib/*/perl*", "usr/lib/*/*.a",
             "usr/lib/python3*/config-*/*.a", "usr/lib/python3*/config-*/*.o")
_MERGED = ("bin", "sbin", "lib")
_ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nvideo:x:44:\nrender:x:104:\nnogroup:x:65534:\n",
    "etc/hostname": "drmbench\n",
}
# glibc of the suite is 2.36; the newest wheels first.
_PLATFORMS = (*(f"manylinux_2_{minor}_aarch64" for minor in (36, 35, 34, 31, 28, 27, 17)), "manylinux2014_aarch64")
_PIP_TIMEOUT_S = 900


def root_folder() -> Path:
    """Where the arm64 root is, or will be."""
    return cache_root() / "arm64" / "root"


def requirements() -> list[str]:
    """What drmbench itself needs from PyPI, as its metadata has it, extras left out."""
    return [text for text in requires("drmbench") or [] if "extra ==" not in text]


def ensure_root(progress: Progress, *, again: bool = False) -> Path:
    """The root, made where it is missing or was made for other requirements; returns its folder.

    Raises DrmbenchError where a program is missing, the mirror or PyPI fails or the disk is full.
    """
    folder = root_folder()
    with locked("arm64-root", lambda: progress.step("another drmbench is making the arm64 root; waiting for it")):
        if again or _record(folder) != _wanted():
            _make(folder, progress)
    return folder


def _wanted() -> dict[str, object]:
    return {"schema_version": _SCHEMA_VERSION, "suite": SUITE, "packages": [*_PACKAGES, *_HEADERS],
            "requirements": requirements()}


def _record(folder: Path) -> object:
    try:
        return json.loads((folder / "root.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _make(folder: Path, progress: Progress) -> None:
    require("dpkg-deb")
    state = cache_root() / "apt" / "arm64-root"
    downloads = cache_root() / "downloads" / "arm64-root"
    # Only these fields matter to apt: there is no kernel to choose.
    apt = Apt(make_directory(state), LabKernel("arm64 root", "arm64", (SUITE,), (f"{SUITE}-security",), "", "", SUITE))
    progress.step(f"reading the arm64 indexes of {SUITE}")
    apt.update()
    wanted = apt.closure(list(_PACKAGES))
    for package in reversed(apt.packages(list(_HEADERS))):  # the newest wins
        wanted[package.name] = package.version
    total = sum(file.size_bytes for file in apt.downloads(wanted))
    progress.step(f"downloading an arm64 root: {len(wanted)} packages, {megabytes(total)}")
    paths = apt.download(wanted, make_directory(downloads), lambda done: progress.downloading(done, total))
    with replacing(folder) as root:
        progress.step("unpacking")
        for path in paths:
            unpack(path, root)
        _merge_usr(root)
        _tidy(root)
        progress.step("downloading drmbench's own requirements for arm64")
        install_wheels(root / SITE, requirements())
        (root / "root.json").write_text(json.dumps(_wanted(), indent=2) + "\n", encoding="utf-8")
    for spent in (downloads, state):
        shutil.rmtree(spent, ignore_errors=True)


def _merge_usr(root: Path) -> None:
    """Move what packages still have in /bin, /sbin and /lib to /usr, and link there."""
    for name in _MERGED:
        old = root / name
        if old.is_dir() and not old.is_symlink():
            shutil.copytree(old, root / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(old)
            old.symlink_to(f"usr/{name}")


def _tidy(root: Path) -> None:
    remove_matching(root, _UNNEEDED)
    for name, text in _ACCOUNTS.items():
        (root / name).write_text(text, encoding="utf-8")
    for name in ("dev", "proc", "run", "sys", "tmp", "root"):
        (root / name).mkdir(exist_ok=True)
    awk = root / "usr/bin/awk"
    if not awk.is_symlink():
        awk.symlink_to("mawk")
    for name in (*_MERGED, "usr/bin/python3", "usr/bin/busybox"):
        path = root / name
        if not path.exists() or (name in _MERGED and not path.is_symlink()):
            raise DrmbenchError("vm", "arm64 root", reason=f"the packages left no usable /{name}",
                                remedy="drmbench vm fetch --arch arm64 --again")


def install_wheels(target: Path, wanted: list[str]) -> None:
    """Put arm64 wheels of `wanted` and what they need into `target`, by this Python's pip; nothing is compiled."""
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", "install",
               "--target", str(target), "--no-compile", "--only-binary=:all:", "--implementation", "cp",
               "--python-version", PYTHON]
    for platform in _PLATFORMS:
        command += ["--platform", platform]
    done = run_whole([*command, *wanted], timeout_s=_PIP_TIMEOUT_S)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        reason = next((line for line in lines if line.startswith("ERROR: ")), lines[-1] if lines else "no message")
        remedy = ("python -m ensurepip, in the environment that has drmbench" if "No module named pip" in reason
                  else "check the network and pip's configuration")
        raise DrmbenchError("vm", "pip install for arm64", reason=reason.removeprefix("ERROR: "), remedy=remedy)
