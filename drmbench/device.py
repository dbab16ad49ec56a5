# SPDX-License-Identifier: MIT
"""DRM devices as udev lists them, and opening their nodes without ever keeping DRM master."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drmbench._native import ffi, lib
from drmbench.errors import DrmbenchError, one_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

NODES = "/dev/dri"
_NODE = re.compile(r"(card|renderD)[0-9]+")


@dataclass(frozen=True, slots=True)
class DriverVersion:
    """What DRM_IOCTL_VERSION says: driver name, description, "major.minor.patch"."""

    name: str
    description: str
    version: str


@dataclass(frozen=True, slots=True)
class DrmDevice:
    """One DRM device: node paths (None where it has no such node), where it sits, who drives it.

    `driver` is None where no node could be opened; `problem` then says why and what would help.
    """

    primary: str | None
    render: str | None
    sysfs: str
    bus: str
    bus_id: str
    pci_id: str | None
    driver: DriverVersion | None
    problem: DrmbenchError | None

    @property
    def nodes(self) -> tuple[str, ...]:
        """Its node paths, primary first."""
        return tuple(node for node in (self.primary, self.render) if node is not None)


def driver_version(fd: int, node: str) -> DriverVersion:
    """Ask the driver behind an open node who it is.

    Raises DrmbenchError where the file is no DRM node.
    """
    ffi.errno = 0
    version = lib.drmGetVersion(fd)
    if version == ffi.NULL:
        raise DrmbenchError(
            node, "DRM_IOCTL_VERSION", errno=ffi.errno or errno.ENOTTY, reason="this is no DRM node",
            remedy="drmbench devices lists them",
        )
    try:
        return DriverVersion(
            _text(version.name), _text(version.desc),
            f"{version.version_major}.{version.version_minor}.{version.version_patchlevel}",
        )
    finally:
        lib.drmFreeVersion(version)


def capabilities(fd: int) -> dict[str, int]:
    """The DRM_CAP_ values that the driver answers, by name in lower case.

    A driver without modesetting answers only a few (drm_getcap() in drivers/gpu/drm/drm_ioctl.c).
    """
    value = ffi.new("uint64_t *")
    named = {"dumb_buffer": lib.DRM_CAP_DUMB_BUFFER, "prime": lib.DRM_CAP_PRIME}
    return {name: int(value[0]) for name, number in named.items() if lib.drmGetCap(fd, number, value) == 0}


def _text(pointer: Any) -> str:  # noqa: ANN401 (a char * of cffi)
    return "" if pointer == ffi.NULL else one_line(bytes(ffi.string(pointer)).decode("utf-8", "replace"))


def _open_remedy(node: str, number: int) -> str:
    if number in {errno.EACCES, errno.EPERM}:
        with contextlib.suppress(OSError, KeyError):
            group = grp.getgrgid(os.stat(node).st_gid).gr_name
            if group != "root":
                return f"sudo usermod -aG {group} $USER, then log in again"
        return "run as root"
    if number in {errno.ENOENT, errno.ENODEV, errno.ENXIO}:
        return "drmbench devices lists the nodes that are there"
    return ""


@contextlib.contextmanager
def open_node(node: str, access: int = os.O_RDWR) -> Iterator[int]:
    """Open a node, read-write where `access` says nothing else, and close it after the block.

    The kernel makes the first opener of a primary node its DRM master (drm_master_open() in
    drivers/gpu/drm/drm_auth.c); that is given up at once, so that a display server can start meanwhile.
    Raises DrmbenchError.
    """
    try:
        fd = os.open(node, access | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        number = error.errno or errno.EIO
        raise DrmbenchError(node, "open", errno=number, remedy=_open_remedy(node, number)) from None
    try:
        if lib.drmIsMaster(fd):
            lib.drmDropMaster(fd)
        yield fd
    finally:
        os.close(fd)


def list_devices() -> list[DrmDevice]:
    """Every DRM device udev knows, and nodes in /dev/dri that it does not list, ordered by node.

    Platform and faux devices (vgem, vkms) have no driver link in sysfs, so the name comes from the driver
    itself. Raises DrmbenchError where libudev is missing.
    """
    try:
        import pyudev  # noqa: PLC0415 (40 ms that --help and schema need not pay)

        context = pyudev.Context()
    except ImportError:
        raise DrmbenchError(
            "devices", "libudev", reason="the library is not installed",
            remedy="install libudev1 (Debian, Ubuntu) or systemd-libs (Fedora, Arch)",
        ) from None
    by_parent: dict[str, list[Any]] = {}
    for node in context.list_devices(subsystem="drm"):
        if node.device_node is not None and node.sys_name.startswith(("card", "renderD")):
            parent = node.parent
            by_parent.setdefault(parent.sys_path if parent is not None else node.sys_path, []).append(node)
    found = [_describe(nodes) for nodes in by_parent.values()]
    found += _unlisted([node for device in found for node in device.nodes])
    return sorted(found, key=lambda device: [(len(node), node) for node in device.nodes])


def _describe(nodes: list[Any]) -> DrmDevice:
    primary = next((n.device_node for n in nodes if n.sys_name.startswith("card")), None)
    render = next((n.device_node for n in nodes if n.sys_name.startswith("renderD")), None)
    parent = nodes[0].parent
    bus = (parent.subsystem if parent is not None else None) or "virtual"
    place = parent if parent is not None else nodes[0]
    driver, problem = _identify([node for node in (render, primary) if node is not None])
    return DrmDevice(
        primary, render, place.sys_path, bus, place.sys_name, _pci_id(place) if bus == "pci" else None,
        driver, problem,
    )


def _unlisted(listed: Collection[str]) -> Iterator[DrmDevice]:
    """The other nodes in /dev/dri: a container may have them without what udev says of them."""
    with contextlib.suppress(OSError):
        for name in os.listdir(NODES):
            node = f"{NODES}/{name}"
            if _NODE.fullmatch(name) and node not in listed:
                yield unlisted_device(node, *_identify([node]))


def unlisted_device(node: str, driver: DriverVersion | None, problem: DrmbenchError | None = None) -> DrmDevice:
    """A device of which only one node is known."""
    is_render = os.path.basename(node).startswith("renderD")
    primary, render = (None, node) if is_render else (node, None)
    return DrmDevice(primary, render, "", "unknown", "", None, driver, problem)


def _identify(nodes: list[str]) -> tuple[DriverVersion | None, DrmbenchError | None]:
    # A render node is asked first: opening it disturbs nobody.
    problem: DrmbenchError | None = None
    for node in nodes:
        try:
            with open_node(node) as fd:
                return driver_version(fd, node), None
        except DrmbenchError as error:
            problem = problem or error
    return None, problem


def _pci_id(place: Any) -> str | None:  # noqa: ANN401 (pyudev ships no types)
    try:
        vendor = place.attributes.asstring("vendor").strip()
        device = place.attributes.asstring("device").strip()
    except (KeyError, UnicodeDecodeError):
        return None
    return f"{vendor.removeprefix('0x')}:{device.removeprefix('0x')}"
