# SPDX-License-Identifier: MIT
"""Takes from downloaded packages what the lab needs, and no more."""

from __future__ import annotations

import errno
import lzma
import os
import shutil
import struct
from typing import TYPE_CHECKING

from drmbench.errors import DrmbenchError
from drmbench.vm.processes import run_whole
from drmbench.vm.programs import find_program

if TYPE_CHECKING:
    from pathlib import Path

# Hardware that no lab machine has: a third of the modules' size.
_UNNEEDED = ("sound", "drivers/infiniband", "drivers/net/ethernet", "drivers/net/wireless", "drivers/staging",
             "drivers/scsi", "drivers/iio", "drivers/mtd", "drivers/isdn", "drivers/media/dvb-frontends",
             "drivers/media/i2c", "drivers/media/pci", "drivers/media/platform", "drivers/media/tuners",
             "drivers/media/usb", "drivers/gpu/drm/amd", "drivers/gpu/drm/nouveau", "drivers/gpu/drm/i915")
_XZ_MAGIC = b"\xfd7zXZ\x00"
# The ELF note XEN_ELFNOTE_PHYS32_ENTRY: name size 4, entry address of 4 or 8 bytes, type 18, name "Xen".
_PVH_NOTES = tuple(struct.pack("<III4s", 4, size, 18, b"Xen\0") for size in (4, 8))

# How tar ends where not every name is in the archive, after it has unpacked the others.
_TAR_MISSES = ("Not found in archive", "Exiting with failure status due to previous errors")


def unpack(package: Path, root: Path) -> None:
    """Unpack one .deb below `root`; raises DrmbenchError where dpkg-deb or the disk fails."""
    _run(["dpkg-deb", "--extract", str(package), str(root)], f"unpack {package.name}")


def unpack_source(package: Path, scratch: Path, folders: list[str]) -> Path:
    """Unpack what there is of `folders`, or files, of the kernel source in `package`; returns the source tree."""
    unpack(package, scratch)
    tarball = next((scratch / "usr/src").glob("linux-source-*.tar.*"))
    top = tarball.name.split(".tar")[0]
    _run(["tar", "-C", str(scratch), "-xf", str(tarball), *(f"{top}/{folder}" for folder in folders)],
         f"unpack {tarball.name}", forgiven=_TAR_MISSES)
    tarball.unlink()
    return scratch / top


def _run(command: list[str], what: str, forgiven: tuple[str, ...] = ()) -> None:
    done = run_whole(command, environment={**os.environ, "LC_ALL": "C"})
    text = "\n".join(line for line in done.stderr.splitlines() if not line.endswith(forgiven)).strip()
    if done.returncode and (text or not forgiven):
        if "No space left" in text:
            raise DrmbenchError("vm", what, errno=errno.ENOSPC, remedy="free some space in the cache directory")
        reason = text.splitlines()[-1] if text else f"exit status {done.returncode}"
        raise DrmbenchError("vm", what, reason=reason, remedy="drmbench vm fetch --again")


def prune(modules: Path) -> None:
    """Remove the modules of hardware that the lab cannot have; before depmod."""
    for name in _UNNEEDED:
        shutil.rmtree(modules / "kernel" / name, ignore_errors=True)


def decompress_kernel(image: Path) -> None:
    """Put the ELF kernel inside a bzImage in its place, where it is there and xz-compressed.

    QEMU starts an ELF kernel with a PVH note directly; under software emulation the bzImage's own
    decompression takes 3 s of every boot. The name stays: vng finds the version in it.
    """
    data = image.read_bytes()
    start = data.find(_XZ_MAGIC, 0x200)
    if start < 0:
        return
    try:
        kernel = lzma.LZMADecompressor().decompress(data[start:])
    except lzma.LZMAError:
        return
    if kernel[:4] == b"\x7fELF" and any(note in kernel for note in _PVH_NOTES):
        image.write_bytes(kernel)


def run_depmod(root: Path, release: str) -> None:
    """Write modules.dep of `release` below `root`."""
    _run([find_program("depmod") or "depmod", "-b", str(root), release], "depmod")
