# SPDX-License-Identifier: MIT
"""A kernel to boot: a fetched one, the running system's, or the one that somebody just compiled."""

from __future__ import annotations

import errno
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from drmbench.errors import DrmbenchError, UnsupportedError, UsageError
from drmbench.vm.cache import CachedKernel, kernel_folder
from drmbench.vm.kernels import HOST_KERNEL, find_recipe, kernel_names
from drmbench.vm.names import nearest

_BUILD_TREE_IMAGES = ("arch/x86/boot/bzImage", "arch/arm64/boot/Image", "vmlinux")
_BOOT_SECTOR_BYTES = 0x206


@dataclass(frozen=True, slots=True)
class BootKernel:
    """One bootable kernel.

    name      what the user asked for
    label     name and full version for reports: "debian-6.1 6.1.0-56-amd64 (6.1.192-2)"
    image     what vng's --run gets: an image, or a build tree
    tree      the folder at or above `image` that has its modules and must be visible in the guest
    boot      the very image that QEMU loads
    modules   the modules.dep to look drivers up in, or None where modprobe in the guest decides
    """

    name: str
    label: str
    image: Path
    tree: Path
    boot: Path
    modules: Path | None


def resolve(name: str) -> BootKernel | None:
    """The kernel that --kernel `name` means, or None where it has a recipe but is not fetched yet.

    Raises UsageError for an unknown name, DrmbenchError for a path that holds no kernel.
    """
    recipe = find_recipe(name)
    if recipe is not None:
        return _fetched(name)
    if name == HOST_KERNEL:
        return _host()
    path = Path(name).expanduser()
    if "/" not in name and not path.exists():
        raise nearest("kernel", name, kernel_names(), "or give the path of a kernel image or build tree")
    return _built(name, path.absolute())


def _fetched(name: str) -> BootKernel | None:
    folder = kernel_folder(name)
    cached = CachedKernel.read(folder)
    if cached is None:
        return None
    image = folder / cached.image
    return BootKernel(name, f"{name} {cached.release} ({cached.version})", image, folder, image,
                      cached.modules_dep(folder))


def host_image() -> Path | None:
    """The running kernel's image, where distributions put it; None where it is nowhere."""
    release = platform.release()
    for path in (f"/boot/vmlinuz-{release}", f"/usr/lib/modules/{release}/vmlinuz",
                 f"/lib/modules/{release}/vmlinuz"):
        if Path(path).is_file():
            return Path(path)
    return None


def _host() -> BootKernel:
    release = platform.release()
    image = host_image()
    if image is None:
        raise UnsupportedError("vm", "kernel host", reason=f"no image of {release} in /boot or /lib/modules",
                               remedy="install the distribution's kernel package, or use --kernel debian-6.1")
    if not os.access(image, os.R_OK):
        raise DrmbenchError("vm", f"open {image}", errno=errno.EACCES, remedy=f"sudo chmod +r {image}")
    modules = Path("/lib/modules") / release / "modules.dep"
    check_image(image)
    return BootKernel(HOST_KERNEL, f"host {release}", image, modules.parent, image,
                      modules if modules.is_file() else None)


def _built(name: str, path: Path) -> BootKernel:
    if path.is_dir():
        return _build_tree(name, path)
    for candidate in _BUILD_TREE_IMAGES:
        tree = Path(str(path).removesuffix(f"/{candidate}"))
        if tree != path and (tree / ".config").is_file():
            return _build_tree(name, tree)
    check_image(path)
    release = image_release(path)
    tree = _tree_with_modules(path)
    modules = tree / "lib/modules" / release / "modules.dep"
    return BootKernel(name, f"{path.name} {release}".strip(), path, tree, path,
                      modules if release and modules.is_file() else None)


def _build_tree(name: str, tree: Path) -> BootKernel:
    images = [tree / candidate for candidate in _BUILD_TREE_IMAGES if (tree / candidate).is_file()]
    if not images:
        raise UsageError("vm", f"kernel {name}", reason="no kernel image in this directory",
                         remedy=f"build it first; expected {_BUILD_TREE_IMAGES[0]}")
    if not (tree / ".config").is_file():
        raise UsageError("vm", f"kernel {name}", reason="no .config in this directory",
                         remedy="give the build tree (make O=...), or the image itself")
    check_image(images[0])
    return BootKernel(name, f"{tree.name} {image_release(images[0])}".strip(), tree, tree, images[0], None)


def _tree_with_modules(image: Path) -> Path:
    """The nearest directory above `image` that has lib/modules, as virtme-ng looks for it."""
    return next((folder for folder in image.parents if (folder / "lib/modules").is_dir()), Path("/"))


def check_image(path: Path) -> None:
    """Raise unless `path` begins as a kernel does: x86 bzImage (Documentation/arch/x86/boot.rst), ELF, arm64 Image."""
    try:
        with path.open("rb") as file:
            head = file.read(_BOOT_SECTOR_BYTES)
    except OSError as error:
        raise DrmbenchError("vm", f"kernel {path}", errno=error.errno,
                            remedy="give a name from drmbench vm list, or the path of a kernel image") from error
    if head[0x202:0x206] == b"HdrS" or head[:4] == b"\x7fELF" or head[0x38:0x3C] == b"ARMd":
        return
    raise UsageError("vm", f"kernel {path}", reason="this is no kernel image (no bzImage, vmlinux or arm64 Image)",
                     remedy="give arch/x86/boot/bzImage or the directory that the kernel was built in")


def image_release(path: Path) -> str:
    """`uname -r` of a bzImage, from the string that its header points to; "" where there is none."""
    with path.open("rb") as file:
        head = file.read(0x210)
        if head[0x202:0x206] != b"HdrS":
            return ""
        offset = int.from_bytes(head[0x20E:0x210], "little")
        file.seek(0x200 + offset)
        text = file.read(128).split(b"\0")[0]
    return text.split(b" ")[0].decode("ascii", "replace") if offset else ""


def has_module(kernel: BootKernel, module: str) -> bool:
    """Whether the kernel's own tables list `module` (modules.dep, modules.builtin); True where they cannot tell."""
    if kernel.modules is None:
        return True
    wanted = {name.replace("-", "_") for name in module.split("|")}
    for table in (kernel.modules, kernel.modules.with_name("modules.builtin")):
        try:
            text = table.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for line in text.splitlines():
            stem = line.split(":")[0].rsplit("/", 1)[-1].split(".ko")[0]
            if stem.replace("-", "_") in wanted:
                return True
    return False
