# SPDX-License-Identifier: MIT
"""The programs that the lab calls, and the package that brings each on every family of distributions."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from drmbench.errors import DrmbenchError

# program -> package on Debian, Fedora, Arch
PACKAGES = {
    "qemu-system-x86_64": ("qemu-system-x86", "qemu-system-x86-core", "qemu-system-x86"),
    "qemu-system-aarch64": ("qemu-system-arm", "qemu-system-aarch64-core", "qemu-system-aarch64"),
    "dtc": ("device-tree-compiler", "dtc", "dtc"),
    "aarch64-linux-gnu-gcc": ("gcc-aarch64-linux-gnu libc6-dev-arm64-cross", "gcc-aarch64-linux-gnu",
                              "aarch64-linux-gnu-gcc"),
    "busybox": ("busybox-static", "busybox", "busybox"),
    "modprobe": ("kmod", "kmod", "kmod"),
    "depmod": ("kmod", "kmod", "kmod"),
    "file": ("file", "file", "file"),
    "strings": ("binutils", "binutils", "binutils"),
    "bash": ("bash", "bash", "bash"),
    "make": ("make", "make", "make"),
    "gcc": ("gcc", "gcc", "gcc"),
    "gcc-12": ("gcc-12", "gcc", "gcc"),
    "dpkg-deb": ("dpkg", "dpkg", "dpkg"),
    "tar": ("tar", "tar", "tar"),
    "xz": ("xz-utils", "xz", "xz"),
}
_INSTALL = {
    "debian": ("apt-get install", 0),
    "fedora": ("dnf install", 1),
    "arch": ("pacman -S", 2),
}
# Where vkms is apart from the kernel's own package.
_VKMS_PACKAGES = {"debian": " linux-modules-extra-$(uname -r)", "fedora": " kernel-modules-internal"}
_RELATED = {"ubuntu": "debian", "rhel": "fedora", "centos": "fedora"}
_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def os_release(path: Path = Path("/etc/os-release")) -> dict[str, str]:
    """The fields of os-release(5); empty where there is no such file."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, _equals, value in pairs}


def family(release: dict[str, str]) -> str:
    """"debian", "fedora", "arch", or "" for any other distribution."""
    for name in [release.get("ID", ""), *release.get("ID_LIKE", "").split()]:
        known = _RELATED.get(name, name)
        if known in _INSTALL:
            return known
    return ""


def install_command(programs: list[str]) -> str:
    """How to install what brings `programs` here: "apt-get install qemu-system-x86"."""
    here = family(os_release())
    if here:
        command, column = _INSTALL[here]
        packages = dict.fromkeys(PACKAGES[name][column] for name in programs if name in PACKAGES)
        return f"{command} {' '.join(packages)}"
    packages = dict.fromkeys(PACKAGES[name][0] for name in programs if name in PACKAGES)
    return f"install {' '.join(packages)}"


def host_kernel_remedy() -> str:
    """What to install, and to say, for a lab on the installed kernel where no Debian kernel can be fetched."""
    here = family(os_release())
    command = install_command(["qemu-system-x86_64", "busybox", "modprobe", "file", "strings"])
    return f"{command}{_VKMS_PACKAGES.get(here, '')}, then use --kernel host"


def find_program(name: str) -> str | None:
    """Path of a program on PATH or, as a plain user's PATH lacks them, in the sbin directories."""
    return shutil.which(name) or shutil.which(name, path=_SYSTEM_FOLDERS)


def require(*programs: str) -> None:
    """Raise DrmbenchError naming the packages where one of `programs` is not installed."""
    missing = [name for name in programs if find_program(name) is None]
    if missing:
        raise DrmbenchError("vm", ", ".join(missing), errno=errno.ENOENT, reason="not installed",
                            remedy=install_command(missing))
