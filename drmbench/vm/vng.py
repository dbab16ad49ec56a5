# SPDX-License-Identifier: MIT
"""The command line of virtme-ng's `vng` for one run."""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from drmbench.errors import DrmbenchError
from drmbench.vm.guest import EXCHANGE_TAG, entry_command, share_tag

if TYPE_CHECKING:
    from drmbench.vm.image import BootKernel
    from drmbench.vm.shares import Share

_BYTES_PER_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Machine:
    """The virtual machine to start.

    kernel, exchange, fast_path    paths made only of letters, digits and /._+-
    fast_path                      stand-ins for programs of the guest, see `write_stand_ins`
    """

    kernel: Path
    accelerator: str
    cpus: int
    memory_bytes: int
    qemu: tuple[str, ...]
    cmdline: tuple[str, ...]
    exchange: Path
    fast_path: Path
    shares: tuple[Share, ...]


def find_vng() -> str:
    """Path of vng: beside this Python, else on PATH; raises DrmbenchError with the way to install it."""
    beside = Path(sys.executable).parent / "vng"
    found = str(beside) if beside.is_file() else shutil.which("vng")
    if found is None:
        raise DrmbenchError("vm", "vng", errno=errno.ENOENT, reason="virtme-ng is not installed",
                            remedy="pip install 'drmbench[vm]'")
    return found


def harmless_virtme(scratch: Path) -> dict[str, str]:
    """Variables that make vng find virtme below `scratch`, where the path of the installed one has blanks.

    virtme-ng puts the path of its init on the kernel's command line, which splits at blanks.
    """
    found = find_spec("virtme")
    package = next(iter(found.submodule_search_locations or ()), "") if found else ""
    if not package or re.fullmatch(r"[A-Za-z0-9/._+-]+", package):
        return {}
    shutil.copytree(package, scratch / "python/virtme")
    return {"PYTHONPATH": f"{scratch / 'python'}:{os.environ.get('PYTHONPATH', '')}".rstrip(":")}


def kernel_argument(kernel: BootKernel, link: Path) -> Path:
    """The path of `kernel` for vng, through a symbolic link with a harmless name.

    virtme-ng mangles commas and blanks in the path of a kernel's modules. Modules in the root
    directory need no such path, and a link to it would make /lib/modules point to itself.
    """
    if kernel.tree == Path("/"):
        return kernel.image
    link.symlink_to(kernel.tree)
    return link / kernel.image.relative_to(kernel.tree)


def write_stand_ins(folder: Path) -> None:
    """Make `folder` hold programs that virtme-ng's init would spend seconds in, as links to true(1).

    Under software emulation udev's coldplug of every device takes 3 to 9 s and systemd-tmpfiles 2 s of
    a boot, and loads drivers before we can choose. udevd itself still runs; devtmpfs makes the nodes.
    """
    folder.mkdir()
    for name in ("udevadm", "systemd-tmpfiles"):
        (folder / name).symlink_to("/bin/true")


def share_options(tag: str, path: Path, *, writable: bool) -> list[str]:
    """QEMU options that export `path` over 9p.

    vng's own --rodir and --rwdir cost three variables of init's environment each, of which the kernel
    takes 32 (CONFIG_INIT_ENV_ARG_LIMIT) before it panics, and refuse commas and non-ASCII letters.
    """
    access = "" if writable else ",readonly=on"
    source = str(path).replace(",", ",,")
    return ["-fsdev", f"local,id={tag},path={source},security_model=none,multidevs=remap{access}",
            "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]


def vng_command(vng: str, machine: Machine) -> list[str]:
    """Argument list for vng, which pastes most values into a shell line, hence the quoting.

    9p rather than virtiofs: it needs no daemon beside QEMU, and with --disable-microvm the machine has
    the PCI bus that display devices sit on. vng forces panic=-1 and -no-reboot for an --exec.
    """
    qemu = share_options(EXCHANGE_TAG, machine.exchange, writable=True)
    for index, share in enumerate(machine.shares):
        qemu += share_options(share_tag(index), share.path, writable=share.writable)
    qemu += machine.qemu
    options = [
        vng, "--run", shlex.quote(str(machine.kernel)), "--force-9p", "--disable-microvm",
        "--cpus", str(machine.cpus), "--memory", f"{machine.memory_bytes // _BYTES_PER_MIB}M",
        "--name", "drmbench", "--cwd", "/", "--verbose",
    ]
    if machine.accelerator != "kvm":
        options.append("--disable-kvm")
    # The console carries warnings and worse: enough to explain a death, too little to slow the boot.
    words = ("loglevel=5", "panic=-1", f"PATH={machine.fast_path}:/usr/bin:/bin:/usr/sbin:/sbin", *machine.cmdline)
    options += [f"--append={shlex.quote(word)}" for word in words]
    return [*options, "--exec", entry_command(), f"--qemu-opts={shlex.join(qemu)}"]
