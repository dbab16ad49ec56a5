# SPDX-License-Identifier: MIT
"""A pipeline job of LAVA: deploy a kernel, boot it, run the test definition."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drmbench.errors import UsageError
from drmbench.lava.definition import NAME

if TYPE_CHECKING:
    from drmbench.lava.definition import Tree

OVER_TFTP = ("u-boot", "grub", "ipxe", "barebox", "depthcharge")
"""Boot methods whose kernel comes over TFTP, and the root file system over NFS or as a ramdisk."""
METHODS = (*OVER_TFTP, "qemu")

_SCHEMES = ("http", "https", "ftp", "file", "scp")
_COMPRESSIONS = {".gz": "gz", ".tgz": "gz", ".xz": "xz", ".bz2": "bz2", ".zst": "zstd", ".zip": "zip"}
_LONGEST_NAME = 200
_PLAIN = re.compile(r"[A-Za-z0-9_.+-]+")


@dataclass(frozen=True, slots=True)
class Repository:
    """A git repository with the test definition in a file, and the parameters that differ from those in it."""

    url: str
    path: str
    branch: str = ""
    parameters: Tree | None = None


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What to boot on what; times in minutes, empty texts for what is not there.

    rootfs  tarball for NFS, or disk image with the boot method qemu
    login   user who needs no password; empty where the console has a shell already
    """

    device_type: str
    kernel: str
    modules: str = ""
    rootfs: str = ""
    ramdisk: str = ""
    dtb: str = ""
    method: str = "u-boot"
    kernel_type: str = ""
    os: str = "debian"
    prompts: tuple[str, ...] = ()
    login: str = ""
    minutes: int = 60
    priority: str = "medium"
    visibility: str = "public"
    tags: tuple[str, ...] = ()
    context: tuple[tuple[str, str], ...] = ()
    skip_dependencies: bool = False


def job(options: JobOptions, tests: Tree | Repository) -> Tree:
    """The document, with the test definition in it or its repository. Raises UsageError."""
    if not _PLAIN.fullmatch(options.device_type) or len(options.device_type) > _LONGEST_NAME:
        raise UsageError("lava job", f"--device-type {options.device_type!r}", reason="it is no name of a device type")
    deploy = _over_tftp(options) if options.method in OVER_TFTP else _into_qemu(options)
    kernel = options.kernel.rstrip("/").rpartition("/")[2]
    context: Tree = {"context": {name: _number(text) for name, text in options.context}} if options.context else {}
    tags: Tree = {"tags": list(options.tags)} if options.tags else {}
    return {
        "job_name": f"{NAME} on {options.device_type}, {kernel}"[:_LONGEST_NAME],
        "device_type": options.device_type,
        "timeouts": {"job": _at_most(options, options.minutes), "action": _at_most(options, 20),
                     "connection": _at_most(options, 5)},
        "priority": options.priority,
        "visibility": options.visibility,
        **tags,
        **context,
        "metadata": {"tool": NAME},
        "actions": [
            {"deploy": {"timeout": _at_most(options, 20), **deploy, "os": options.os}},
            {"boot": {"timeout": _at_most(options, 10), **_boot(options)}},
            {"test": {"timeout": _at_most(options, options.minutes),
                      "definitions": [_tests(tests, skip=options.skip_dependencies)]}},
        ],
    }


def _at_most(options: JobOptions, minutes: int) -> Tree:
    return {"minutes": min(minutes, options.minutes)}


def _number(text: str) -> str | int:
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else text


def _over_tftp(options: JobOptions) -> Tree:
    if bool(options.rootfs) == bool(options.ramdisk):
        raise UsageError("lava job", f"--boot-method {options.method}", reason="it needs one root file system",
                         remedy="give either --rootfs or --ramdisk")
    kernel_type: Tree = {"type": options.kernel_type} if options.kernel_type else {}
    root = "nfsrootfs" if options.rootfs else "ramdisk"
    found: Tree = {"to": "tftp", "kernel": {**_resource("--kernel", options.kernel), **kernel_type}}
    for name, option, url in (("modules", "--modules", options.modules), ("dtb", "--dtb", options.dtb)):
        if url:
            found[name] = _resource(option, url)
    found[root] = _resource("--rootfs" if options.rootfs else "--ramdisk", options.rootfs or options.ramdisk)
    return found


def _into_qemu(options: JobOptions) -> Tree:
    """A disk image has its modules in it: LAVA puts them into NFS roots and ramdisks only."""
    if not options.rootfs or options.ramdisk or options.modules or options.dtb:
        raise UsageError("lava job", "--boot-method qemu", reason="it takes --kernel and --rootfs, a disk image",
                         remedy="put the modules into the image")
    disk_format = "qcow2" if ".qcow2" in options.rootfs else "raw"
    return {"to": "tmpfs", "images": {
        "kernel": {**_resource("--kernel", options.kernel), "image_arg":
                   '-kernel {kernel} -append "console=ttyS0,115200 root=/dev/vda rw"'},
        "rootfs": {**_resource("--rootfs", options.rootfs), "image_arg":
                   f"-drive format={disk_format},file={{rootfs}},if=virtio"},
    }}


def _resource(option: str, url: str) -> Tree:
    """A download, with the compression and archive that its name tells. Raises UsageError."""
    scheme, separator, rest = url.partition("://")
    if scheme not in _SCHEMES or not separator or not rest or any(c.isspace() or not c.isprintable() for c in url):
        raise UsageError("lava job", f"{option} {url}", reason="the dispatcher cannot fetch that",
                         remedy=f"give a URL: {', '.join(_SCHEMES)}")
    name = rest.partition("?")[0]
    compression = next((word for end, word in _COMPRESSIONS.items() if name.endswith(end)), None)
    archive = ".tar" in name or name.endswith(".tgz")
    # A ramdisk and a compressed kernel are meant to be compressed; an archive has to be unpacked.
    unpacked = archive or option == "--rootfs"
    return {"url": url, **({"compression": compression} if compression and unpacked else {}),
            **({"archive": "tar"} if archive and option == "--modules" else {})}


def _boot(options: JobOptions) -> Tree:
    found: Tree = {"method": options.method}
    if options.method in OVER_TFTP:
        found["commands"] = "nfs" if options.rootfs else "ramdisk"
    else:
        found["media"] = "tmpfs"
    if options.login:
        found["auto_login"] = {"login_prompt": "login:", "username": options.login}
    return {**found, "prompts": list(options.prompts)}


def _tests(tests: Tree | Repository, *, skip: bool) -> Tree:
    skipped: Tree = {"skip_install": ["deps"]} if skip else {}
    if isinstance(tests, Repository):
        branch: Tree = {"branch": tests.branch} if tests.branch else {}
        own: Tree = {"parameters": tests.parameters} if tests.parameters else {}
        return {"from": "git", "repository": tests.url, **branch, "path": tests.path, "name": NAME, **own, **skipped}
    return {"from": "inline", "repository": tests, "path": f"inline/{NAME}.yaml", "name": NAME, **skipped}
