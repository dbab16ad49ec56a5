# SPDX-License-Identifier: MIT
"""The command line of qemu-system-aarch64 for one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drmbench.vm.device_tree import HIDDEN_BYTES, kirin_fragment, write_tree
from drmbench.vm.guest import EXCHANGE_TAG, share_tag
from drmbench.vm.initramfs import BYTECODE_TAG, MODULES_TAG, ROOT_TAG
from drmbench.vm.vng import share_options

if TYPE_CHECKING:
    from pathlib import Path

    from drmbench.vm.shares import Share

QEMU = "qemu-system-aarch64"
_MIB = 1 << 20
# Where RAM begins on QEMU's virt machine.
_RAM_BASE = 0x4000_0000


@dataclass(frozen=True, slots=True)
class Arm64Machine:
    """The arm64 virtual machine to start.

    kirin      whether its device tree has a HiKey's display engine
    root       the guest's root directory, which it sees but cannot change
    modules    lib/modules/RELEASE of its kernel
    bytecode   directory for compiled Python, which the guest writes
    """

    kernel: Path
    initramfs: Path
    cpu_model: str
    cpus: int
    memory_bytes: int
    kirin: bool
    root: Path
    modules: Path
    bytecode: Path
    exchange: Path
    shares: tuple[Share, ...]
    qemu: tuple[str, ...]
    cmdline: tuple[str, ...]

    @property
    def _memory_mib(self) -> int:
        return self.memory_bytes // _MIB

    def hardware(self, qemu: str) -> list[str]:
        """QEMU and the options that its device tree depends on."""
        hidden = HIDDEN_BYTES // _MIB if self.kirin else 0
        return [qemu, "-machine", "virt,gic-version=2", "-cpu", self.cpu_model, "-accel", "tcg",
                "-smp", str(self.cpus), "-m", f"{self._memory_mib + hidden}M", "-nodefaults", "-display", "none"]

    def device_tree(self, qemu: str, folder: Path) -> Path | None:
        """The tree to boot with, made in `folder`; None where QEMU's own will do."""
        if not self.kirin:
            return None
        return write_tree(self.hardware(qemu), kirin_fragment(_RAM_BASE + self._memory_mib * _MIB), folder)

    def command(self, qemu: str, tree: Path | None) -> list[str]:
        """The whole argument list; the guest's console is its stdout."""
        words = ["console=ttyAMA0", "loglevel=5", "panic=-1", *self.cmdline]
        options = [*self.hardware(qemu), "-no-reboot", "-no-user-config", "-serial", "stdio",
                   "-kernel", str(self.kernel), "-initrd", str(self.initramfs)]
        if tree is not None:
            options += ["-dtb", str(tree)]
            words.append(f"mem={self._memory_mib}M")
        options += ["-append", " ".join(words)]
        options += share_options(ROOT_TAG, self.root, writable=False)
        options += share_options(MODULES_TAG, self.modules, writable=False)
        options += share_options(BYTECODE_TAG, self.bytecode, writable=True)
        options += share_options(EXCHANGE_TAG, self.exchange, writable=True)
        for index, share in enumerate(self.shares):
            options += share_options(share_tag(index), share.path, writable=share.writable)
        return [*options, *self.qemu]
