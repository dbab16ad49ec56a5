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

# Of the headers, those of other processors.
_OTHER_ARCHITECTURES = "linux-headers-*-common/arch/*"
_OWN_ARCHITECTURES = ("x86", "um")
_XZ_MAGIC = b"\xfd7zXZ\x00"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
# The ELF note XEN_ELFNOTE_PHYS32_ENTRY: name size 4, entry address of 4 or 8 bytes, type 18, name "Xen".
_PVH_NOTES = tuple(struct.pack("<III4s", 4, size, 18, b"Xen\0") for size in (4, 8))

# How tar ends where not every name is in the archive, after it has unpacked the others.
_TAR_MISSES = ("Not found in archive", "Exiting with failure status due to previous errors")


def unpack(package: Path, root: Path) -> None:
    """Unpack one .deb below `root`; raises DrmbenchError where dpkg-deb or the disk fails."""
    _run(["dpkg-deb", "--extract", str(package), str(root)], f"unpack {package.name}")


def unpack_source(package: Path, scratch: Path, paths: list[str]) -> Path:
    """Unpack what there is of `paths` in the kernel source in `package`; returns the source tree."""
    unpack(package, scratch)
    tarball = next((scratch / "usr/src").glob("linux-source-*.tar.*"))
    top = tarball.name.split(".tar")[0]
    _run(["tar", "-C", str(scratch), "-xf", str(tarball), *(f"{top}/{path}" for path in paths)],
         f"unpack {tarball.name}", forgiven=_TAR_MISSES)
    tarball.unlink()
    return scratch / top


def _run(command: list[str], what: str, forgiven: tuple[str, ...] = ()) -> None:
    done = run_whole(command, environment={**os.environ, "LC_ALL": "C", "XZ_DEFAULTS": "-T0"})
    text = "\n".join(line for line in done.stderr.splitlines() if not line.endswith(forgiven)).strip()
    if done.returncode and (text or not forgiven):
        if "No space left" in text:
            raise DrmbenchError("vm", what, errno=errno.ENOSPC, remedy="free some space in the cache directory")
        reason = text.splitlines()[-1] if text else f"exit status {done.returncode}"
        raise DrmbenchError("vm", what, reason=reason, remedy="drmbench vm fetch --again")


def arrange(root: Path, release: str) -> str:
    """Put modules into lib/modules and the kernel into boot, where older packages have them; returns its path.

    Newer ones have both in usr/lib/modules/RELEASE; vng finds the release in the image's name.
    """
    image = f"boot/vmlinuz-{release}"
    modules = root / "lib/modules" / release
    merged = root / "usr/lib/modules" / release
    if merged.is_dir() and not modules.exists():
        modules.parent.mkdir(parents=True, exist_ok=True)
        merged.rename(modules)
    if (modules / "vmlinuz").is_file():
        (root / "boot").mkdir(exist_ok=True)
        (modules / "vmlinuz").rename(root / image)
    if not (root / image).is_file() or not modules.is_dir():
        raise DrmbenchError("vm", f"unpack {release}", reason="the packages brought no kernel image or no modules",
                            remedy="drmbench vm fetch --again")
    return image


def remove_matching(root: Path, patterns: tuple[str, ...]) -> None:
    """Remove what any of the glob `patterns` finds below `root`; a symbolic link goes, not what it points to."""
    for pattern in patterns:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def prune_headers(sources: Path) -> None:
    """Remove the headers of other processors from usr/src."""
    for path in sources.glob(_OTHER_ARCHITECTURES):
        if path.is_dir() and path.name not in _OWN_ARCHITECTURES:
            shutil.rmtree(path)


def decompress_kernel(image: Path) -> bool:
    """Put the ELF kernel inside a bzImage in its place; returns whether the image is one now.

    QEMU starts an ELF kernel with a PVH note directly; under software emulation the bzImage's own
    decompression takes 3 s of every boot. The name stays: vng finds the version in it.
    """
    data = image.read_bytes()
    if data[0x202:0x206] != b"HdrS":
        return data[:4] == b"\x7fELF"
    # struct setup_header (Documentation/arch/x86/boot.rst): setup_sects, payload_offset, payload_length
    offset, length = struct.unpack_from("<II", data, 0x248)
    start = ((data[0x1F1] or 4) + 1) * 512 + offset
    kernel = _decompressed(data[start:start + length], image)
    if kernel[:4] != b"\x7fELF" or not any(note in kernel for note in _PVH_NOTES):
        return False
    image.write_bytes(kernel)
    return True


def _decompressed(payload: bytes, image: Path) -> bytes:
    if payload.startswith(_XZ_MAGIC):
        try:
            return lzma.LZMADecompressor().decompress(payload)
        except lzma.LZMAError:
            return b""
    zstd = find_program("zstd")
    if not payload.startswith(_ZSTD_MAGIC) or zstd is None:
        return b""
    packed = image.with_name(f"{image.name}.zst")
    packed.write_bytes(payload[:-4])  # the kernel's build adds the size of what is inside
    plain = image.with_name(f"{image.name}.elf")
    done = run_whole([zstd, "-q", "-d", "-f", "-o", str(plain), str(packed)])
    kernel = plain.read_bytes() if done.returncode == 0 else b""
    for path in (packed, plain):
        path.unlink(missing_ok=True)
    return kernel


def run_depmod(root: Path, release: str) -> None:
    """Write modules.dep of `release` below `root`."""
    _run([find_program("depmod") or "depmod", "-b", str(root), release], "depmod")
