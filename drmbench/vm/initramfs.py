# SPDX-License-Identifier: MIT
"""The first program of an arm64 guest: loads what mounts the root, stacks a writable layer on it, and goes there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drmbench.errors import DrmbenchError
from drmbench.vm.guest import EXCHANGE, EXCHANGE_TAG

if TYPE_CHECKING:
    from pathlib import Path

# Modules of Debian's kernel between its first program and a root file system that the host shares.
NEEDED = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
ROOT_TAG, MODULES_TAG, BYTECODE_TAG = "root", "modules", "bytecode"
# Compiled Python: the root's own and ours, kept between runs, as an emulated CPU takes half a minute to make it.
BYTECODE = "/run/drmbench/bytecode"
_MOUNT = "mount -t 9p -o trans=virtio,version=9p2000.L,access=any,msize=524288"
_INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in MODULES; do insmod "/$module.ko" || exit 1; done
MOUNT,ro,cache=loose ROOT_TAG /lower || exit 1
mount -t tmpfs tmpfs /upper
mkdir /upper/files /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /new || exit 1
mkdir -p /new/lib/modules/RELEASE
MOUNT,ro,cache=loose MODULES_TAG /new/lib/modules/RELEASE || exit 1
for name in proc sys dev; do mount -o move "/$name" "/new/$name"; done
mount -t tmpfs -o mode=755 tmpfs /new/run
mount -t tmpfs -o mode=1777 tmpfs /new/tmp
mkdir -p /new/dev/shm /new/dev/pts /new/BYTECODE /new/EXCHANGE
mount -t tmpfs -o mode=1777 tmpfs /new/dev/shm
mount -t devpts devpts /new/dev/pts
MOUNT BYTECODE_TAG /new/BYTECODE
MOUNT EXCHANGE_TAG /new/EXCHANGE || exit 1
exec switch_root /new /bin/sh -c \\
    'ip link set lo up; ldconfig; sh EXCHANGE/guest.sh; echo o > /proc/sysrq-trigger; sleep 60'
"""
_DIRECTORIES = ("bin", "dev", "lower", "new", "proc", "sys", "upper")
_ALIGNMENT = 4


def init_script(release: str, modules: list[str]) -> str:
    """/init for the kernel `release`, which loads /NAME.ko of `modules` in that order."""
    words = {"MODULES": " ".join(modules), "RELEASE": release, "MOUNT": _MOUNT, "ROOT_TAG": ROOT_TAG,
             "MODULES_TAG": MODULES_TAG, "BYTECODE_TAG": BYTECODE_TAG, "BYTECODE": BYTECODE,
             "EXCHANGE_TAG": EXCHANGE_TAG, "EXCHANGE": EXCHANGE}
    return re.sub(r"\b[A-Z_]{5,}\b", lambda found: words.get(found[0], found[0]), _INIT)


def load_order(table: str, wanted: tuple[str, ...]) -> list[str]:
    """Paths of the modules `wanted` and what they depend on, from depmod's modules.dep; without those built in."""
    lines = {}
    for line in table.splitlines():
        path, _colon, needs = line.partition(":")
        lines[_name(path)] = [path, *needs.split()]
    order: list[str] = []
    for name in wanted:
        # modules.dep lists what to load first last.
        order += [path for path in reversed(lines.get(name, [])) if path not in order]
    return order


def _name(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0].replace("-", "_")


def build(modules: Path, busybox: Path) -> bytes:
    """The archive: busybox, the modules from the folder `modules` (lib/modules/RELEASE) and /init.

    Raises DrmbenchError where a file is missing.
    """
    try:
        paths = load_order((modules / "modules.dep").read_text(encoding="utf-8"), NEEDED)
        files = {f"{_name(path)}.ko": (modules / path).read_bytes() for path in paths}
        files["bin/busybox"] = busybox.read_bytes()
    except OSError as error:
        raise DrmbenchError("vm", f"initramfs: {error.filename}", errno=error.errno,
                            remedy="drmbench vm fetch --arch arm64 --again") from error
    files["init"] = init_script(modules.name, [_name(path) for path in paths]).encode()
    return archive(_DIRECTORIES, files)


def archive(directories: tuple[str, ...], files: dict[str, bytes]) -> bytes:
    """A cpio archive as the kernel unpacks it (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    parts = [_member(number, name, 0o040755, b"") for number, name in enumerate(directories, 1)]
    parts += [_member(number, name, 0o100755, content)
              for number, (name, content) in enumerate(files.items(), len(directories) + 1)]
    return b"".join([*parts, _member(0, "TRAILER!!!", 0, b"")])


def _member(inode: int, name: str, mode: int, content: bytes) -> bytes:
    label = name.encode() + b"\0"
    # magic, then inode, mode, uid, gid, links, mtime, size, device and rdevice (two words each), name's length, check
    words = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(label), 0)
    head = b"070701" + b"".join(b"%08X" % word for word in words) + label
    return _padded(head) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % _ALIGNMENT)
