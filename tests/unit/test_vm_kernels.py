# SPDX-License-Identifier: MIT
"""Other kernels than the default: suites that mirrors lack, split images, modules, compilers that are too old."""

from __future__ import annotations

import lzma
import os
import re
import shlex
import shutil
import struct
import subprocess
import zlib
from typing import TYPE_CHECKING

import pytest

from drmbench.errors import DrmbenchError, UsageError
from drmbench.vm import buildroot, fetch, listing
from drmbench.vm.apt import Apt
from drmbench.vm.buildroot import Tools, host_tools
from drmbench.vm.cache import kernel_folder, last_failure, record_failure
from drmbench.vm.kbuild import relocate_headers
from drmbench.vm.kernels import KERNELS, LabKernel, find_recipe
from drmbench.vm.modules import keep_needed
from drmbench.vm.packages import choose_packages
from drmbench.vm.progress import Progress
from drmbench.vm.sources import Archive, private_sources
from drmbench.vm.unpack import arrange, decompress_kernel, prune_headers

if TYPE_CHECKING:
    from pathlib import Path


def recipe(name: str) -> LabKernel:
    found = find_recipe(name)
    assert found is not None
    return found


def write_program(folder: Path, name: str, body: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in front of PATH with stand-ins for apt's programs."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("apt-get", "apt-cache", "apt-config"):
        write_program(folder, name, "exit 0")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def apt_for(name: str, tmp_path: Path) -> Apt:
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "sources.list").write_text("deb http://a.example/debian bookworm main\n"
                                      "deb http://a.example/debian-security bookworm-security main\n")
    return Apt(tmp_path / "apt", recipe(name), etc=etc)


LACKING = "E: The repository 'http://a.example/debian %s Release' does not have a Release file."


def test_a_suite_that_the_mirror_lacks_is_left_out(programs: Path, tmp_path: Path) -> None:
    apt = apt_for("debian-6.12", tmp_path)
    sources = tmp_path / "apt/debian.sources"
    refuse = f'grep -q "backports" {sources} || exit 0; echo "{LACKING % "bookworm-backports"}" >&2; exit 100'
    write_program(programs, "apt-get", refuse)
    assert apt.update() == ["bookworm-backports"]
    assert "Suites: bookworm\n" in sources.read_text()
    assert "Suites: bookworm-security\n" in sources.read_text()


def test_a_mirror_without_any_suite_of_a_kernel_is_named_as_the_reason(programs: Path, tmp_path: Path) -> None:
    apt = apt_for("debian-newest", tmp_path)
    write_program(programs, "apt-get", f'echo "{LACKING % "trixie-backports"}" >&2; exit 100')
    with pytest.raises(DrmbenchError, match="kernel debian-newest: this machine's Debian mirror has no suite trixie-b"):
        apt.update()


@pytest.mark.parametrize(("said", "advice"), [
    ("W: GPG error: http://a.example trixie InRelease: the public key is not available: NO_PUBKEY 6ED0E7B82643E131",
     "NO_PUBKEY .*: this machine has no key for the suite: .*debian-archive-keyring"),
    ("E: Release file for http://a.example is expired (invalid since 2d 3h 4min 5s).",
     "is expired .*: the mirror has not been updated for days: .*Acquire::Check-Valid-Until"),
    ("E: Release file for http://a.example is not valid yet (invalid for another 2h).", "the clock of this machine"),
])
def test_what_apt_says_about_signatures_and_dates_comes_with_a_way_out(
    programs: Path, tmp_path: Path, said: str, advice: str,
) -> None:
    apt = apt_for("debian-newest", tmp_path)
    write_program(programs, "apt-get", f"printf '%s\\n' {shlex.quote(said)} >&2; exit 100")
    with pytest.raises(DrmbenchError, match=advice):
        apt.update()


def test_a_keyring_of_one_suite_becomes_the_whole_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.exists", lambda path: str(path).endswith("keyring.gpg"))
    one = Archive("debian", "http://a.example/debian", "/usr/share/keyrings/debian-archive-bookworm-stable.gpg")
    own = Archive("debian-security", "http://a.example/debian-security", "/etc/apt/keyrings/our-own-mirror.gpg")
    text = private_sources([one, own], ("trixie",), ("trixie-security",))
    assert "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n" in text
    assert "Signed-By: /etc/apt/keyrings/our-own-mirror.gpg\n" in text


IMAGE_NEEDS = ("dracut | linux-initramfs-tool, linux-base-7.10.2+deb13-amd64 (= 7.10.2-1), "
               "linux-binary-7.10.2+deb13-amd64 (= 7.10.2-1), linux-modules-7.10.2+deb13-amd64 (= 7.10.2-1)")
HEADERS_NEED = ("gcc-14-for-host, linux-base (>= 4.12~), linux-headers-7.10.2+deb13-common (= 7.10.2-1), "
                "linux-kbuild-7.10.2+deb13")
SPLIT = {
    "linux-source-7.9": ("7.9.3-1", ""),
    "linux-source-7.10": ("7.10.2-1", "binutils, xz-utils"),
    "linux-image-7.9.3+deb13-amd64": ("7.9.3-1", ""),
    "linux-image-7.10.2+deb13-amd64": ("7.10.2-1", IMAGE_NEEDS),
    "linux-image-7.10.2+deb13-cloud-amd64": ("7.10.2-1", ""),
    "linux-base-7.10.2+deb13-amd64": ("7.10.2-1", ""),
    "linux-binary-7.10.2+deb13-amd64": ("7.10.2-1", ""),
    "linux-modules-7.10.2+deb13-amd64": ("7.10.2-1", "kmod"),
    "linux-headers-7.10.2+deb13-amd64": ("7.10.2-1", HEADERS_NEED),
    "linux-headers-7.10.2+deb13-common": ("7.10.2-1", ""),
    "linux-kbuild-7.10.2+deb13": ("7.10.2-1", "pahole, libc6 (>= 2.38), libelf1t64 (>= 0.144), zlib1g (>= 1:1.2)"),
}


def write_index(folder: Path, index: dict[str, tuple[str, str]]) -> None:
    shown = folder / "index"
    shown.mkdir()
    for name, (version, depends) in index.items():
        (shown / name).write_text(f"Package: {name}\nVersion: {version}\nDepends: {depends}\n\n")
    write_program(folder, "apt-cache", f"cd {shlex.quote(str(shown))}\nwhat=$1; shift\n"
                                       '[ "$what" = pkgnames ] && exec ls\ncat "$@" 2>/dev/null; :')


def test_the_newest_series_is_taken_with_all_parts_of_its_split_image(programs: Path, tmp_path: Path) -> None:
    write_index(programs, SPLIT)
    chosen = choose_packages(recipe("debian-newest"), apt_for("debian-newest", tmp_path))
    assert chosen.release == "7.10.2+deb13-amd64"
    assert set(chosen.packages) == {name for name in SPLIT if "7.9" not in name and "cloud" not in name}
    assert chosen.packages[-1] == "linux-source-7.10"
    assert chosen.compiler == "gcc-14"
    assert chosen.libraries == ("libc6", "libelf1t64", "zlib1g")


def test_a_split_image_without_its_modules_is_not_complete(programs: Path, tmp_path: Path) -> None:
    write_index(programs, {name: entry for name, entry in SPLIT.items() if "linux-modules" not in name})
    with pytest.raises(DrmbenchError, match="no version with image, headers and source together"):
        choose_packages(recipe("debian-newest"), apt_for("debian-newest", tmp_path))


def test_every_row_takes_its_own_images_only() -> None:
    apt = {
        "debian-5.10": "linux-image-5.10.0-46-amd64", "debian-6.1": "linux-image-6.1.0-56-amd64",
        "debian-6.12": "linux-image-6.12.90+deb12.1-amd64", "debian-newest": "linux-image-7.3.4+deb13-amd64",
    }
    for row in KERNELS:
        for name, image in apt.items():
            assert bool(re.fullmatch(row.image, image)) == (row.name == name)
        for odd in ("cloud-amd64", "rt-amd64", "amd64-unsigned", "amd64-dbg"):
            assert not re.fullmatch(row.image, apt[row.name].replace("amd64", odd))


def module(depends: str) -> bytes:
    return b"\x7fELF....license=GPL\0depends=" + depends.encode() + b"\0name=x\0"


def test_modules_stay_where_needed_or_depended_on_and_come_unpacked(tmp_path: Path) -> None:
    tree = tmp_path / "kernel"
    content = {
        "drivers/gpu/drm/radeon/radeon.ko.xz": module("video,drm-helper"),
        "drivers/gpu/drm/amd/amdgpu/amdgpu.ko.xz": module("chash"),
        "drivers/gpu/drm/drm_helper.ko.xz": module(""),
        "drivers/acpi/video.ko": module("wmi"),
        "drivers/platform/wmi/wmi.ko.xz": module(""),
        "drivers/net/e1000.ko.xz": module(""),
        "lib/chash.ko.xz": module(""),
        "fs/9p/9p.ko": module("netfs"),
        "fs/netfs/netfs.ko.xz": module(""),
    }
    for name, data in content.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(lzma.compress(data) if name.endswith(".xz") else data)
    keep_needed(tmp_path)
    left = {path.relative_to(tree).as_posix() for path in tree.rglob("*.ko*")}
    assert left == {"drivers/gpu/drm/radeon/radeon.ko", "drivers/gpu/drm/drm_helper.ko", "drivers/acpi/video.ko",
                    "drivers/platform/wmi/wmi.ko", "lib/chash.ko", "fs/9p/9p.ko", "fs/netfs/netfs.ko"}
    assert (tree / "drivers/gpu/drm/radeon/radeon.ko").read_bytes() == module("video,drm-helper")


def bzimage(payload: bytes) -> bytes:
    """A bzImage whose setup code has 2 sectors and whose payload begins 16 bytes behind it."""
    head = bytearray(1536)
    head[0x1F1] = 2
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", head, 0x248, 16, len(payload))
    return bytes(head) + bytes(16) + payload + b"end"


PVH_KERNEL = b"\x7fELF" + bytes(60) + struct.pack("<III4s", 4, 8, 18, b"Xen\0") + bytes(8)


def test_the_elf_kernel_is_taken_out_of_an_xz_image(tmp_path: Path) -> None:
    image = tmp_path / "vmlinuz"
    image.write_bytes(bzimage(lzma.compress(PVH_KERNEL, check=lzma.CHECK_CRC32) + struct.pack("<I", len(PVH_KERNEL))))
    assert decompress_kernel(image)
    assert image.read_bytes() == PVH_KERNEL
    assert decompress_kernel(image)


def test_the_elf_kernel_is_taken_out_of_a_zstd_image_where_zstd_is_installed(tmp_path: Path, programs: Path) -> None:
    image = tmp_path / "vmlinuz"
    payload = b"\x28\xb5\x2f\xfd" + b"packed" + struct.pack("<I", len(PVH_KERNEL))
    (tmp_path / "kernel").write_bytes(PVH_KERNEL)
    image.write_bytes(bzimage(payload))
    write_program(programs, "zstd", f'[ "$(tail -c 6 "$6")" = packed ] && cp {tmp_path}/kernel "$5"')
    assert decompress_kernel(image)
    assert image.read_bytes() == PVH_KERNEL
    assert [path.name for path in tmp_path.glob("vmlinuz*")] == ["vmlinuz"]


@pytest.mark.parametrize("payload", [zlib.compress(PVH_KERNEL), lzma.compress(b"\x7fELF without a note"),
                                     b"\xfd7zXZ\x00torn", b""])
def test_an_image_that_hides_no_pvh_kernel_stays_as_it_is(tmp_path: Path, payload: bytes) -> None:
    image = tmp_path / "vmlinuz"
    image.write_bytes(bzimage(payload))
    assert not decompress_kernel(image)
    assert image.read_bytes() == bzimage(payload)


def test_new_packages_are_arranged_like_old_ones(tmp_path: Path) -> None:
    folder = tmp_path / "usr/lib/modules/7.1-amd64"
    folder.mkdir(parents=True)
    (folder / "vmlinuz").write_bytes(b"kernel")
    (folder / "modules.order").touch()
    assert arrange(tmp_path, "7.1-amd64") == "boot/vmlinuz-7.1-amd64"
    assert (tmp_path / "boot/vmlinuz-7.1-amd64").read_bytes() == b"kernel"
    assert (tmp_path / "lib/modules/7.1-amd64/modules.order").is_file()


def test_packages_without_a_kernel_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DrmbenchError, match="no kernel image or no modules"):
        arrange(tmp_path, "7.1-amd64")


def test_headers_of_other_processors_go(tmp_path: Path) -> None:
    for arch in ("x86", "arm64", "um"):
        (tmp_path / "linux-headers-7.1-common/arch" / arch).mkdir(parents=True)
    (tmp_path / "linux-headers-7.1-common/arch/Kconfig").touch()
    prune_headers(tmp_path)
    assert sorted(os.listdir(tmp_path / "linux-headers-7.1-common/arch")) == ["Kconfig", "um", "x86"]


def test_relocated_headers_name_themselves_wherever_they_are(tmp_path: Path) -> None:
    headers = tmp_path / "usr/src/linux-headers-7.1-amd64"
    common = tmp_path / "usr/src/linux-headers-7.1-common"
    headers.mkdir(parents=True)
    common.mkdir()
    (headers / "Makefile").write_text("KBUILD_OUTPUT=/usr/src/linux-headers-7.1-amd64\n"
                                      "include /usr/src/linux-headers-7.1-common/Makefile\n")
    (common / "Makefile").write_text("all:\n\t@echo $(KBUILD_OUTPUT)\n")
    relocate_headers(tmp_path, "7.1-amd64")
    moved = tmp_path / "moved"
    (tmp_path / "usr").rename(moved)
    said = subprocess.run(["make", "-s", "-C", str(moved / "src/linux-headers-7.1-amd64")], text=True,
                          capture_output=True, check=True, stdin=subprocess.DEVNULL)
    assert said.stdout.splitlines()[-1] == str(moved / "src/linux-headers-7.1-amd64")


@pytest.fixture
def headers(tmp_path: Path) -> Path:
    """Headers whose build programs run here."""
    folder = tmp_path / "headers"
    for name in buildroot._BUILD_PROGRAMS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy("/bin/true", folder / name)
    return folder


def test_the_compiler_of_the_kernel_is_taken_where_it_is_installed(programs: Path, headers: Path) -> None:
    write_program(programs, "gcc-98", "exit 0")
    assert host_tools(headers, "gcc-98") == Tools("gcc-98")


@pytest.mark.parametrize(("version", "suits"), [("9", False), ("13.2.0", False), ("14", True), ("15.1.0", True)])
def test_a_newer_compiler_does_and_an_older_one_does_not(
    programs: Path, headers: Path, monkeypatch: pytest.MonkeyPatch, version: str, suits: bool,
) -> None:
    monkeypatch.setattr(buildroot, "find_program", lambda _name: None)
    write_program(programs, "gcc", f"echo {version}")
    assert (host_tools(headers, "gcc-14") is not None) == suits


def test_build_programs_that_lack_a_library_do_not_run_here(programs: Path, headers: Path) -> None:
    write_program(programs, "gcc-98", "exit 0")
    program = headers / "scripts/mod/modpost"
    program.write_bytes(program.read_bytes().replace(b"\0libc.so.6\0", b"\0libq.so.6\0"))
    assert host_tools(headers, "gcc-98") is None


def test_tools_in_a_directory_see_what_they_build_where_it_is(tmp_path: Path) -> None:
    tools = Tools("gcc-14", tmp_path / "root")
    command = tools.command(["make", "-C", "/a b"], (tmp_path / "kernel",))
    assert command[0] == "unshare"
    assert command[-3:] == ["make", "-C", "/a b"]
    assert str(tmp_path / "kernel") in command[:command.index("--", command.index("sh"))]
    assert Tools().command(["make"], (tmp_path,)) == ["make"]


def test_one_kernel_that_fails_does_not_keep_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    def bring(name: str, *, again: bool) -> str:
        assert not again
        if name == "debian-5.10":
            raise DrmbenchError("vm", f"kernel {name}", reason="the mirror has no suite bullseye")
        return f"{name}: here"

    said: list[str] = []
    monkeypatch.setattr(fetch, "fetch", bring)
    with pytest.raises(DrmbenchError, match=r"fetch debian-5\.10: 1 of 2 failed"):
        fetch.fetch_each(("debian-5.10", "debian-6.12"), again=False, say=said.append)
    assert said == ["debian-6.12: here"]
    assert capsys.readouterr().err == "drmbench: vm: kernel debian-5.10: the mirror has no suite bullseye\n"


def test_a_wrong_name_among_several_is_refused_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "fetch", lambda *_what, **_how: pytest.fail("fetched"))
    with pytest.raises(UsageError, match=r"debian-6\.12"):
        fetch.fetch_each(("debian-5.10", "debian-6.21"), again=False, say=print)


def test_list_tells_why_a_fetch_failed_and_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kernel_folder("debian-newest").parent.mkdir(parents=True)
    reason = "this machine's Debian mirror has no suite trixie-backports, and never had one in all those years"
    record_failure("debian-newest", reason)
    assert last_failure("debian-newest") == reason
    found = listing.inventory()
    assert [(line.state, line.note) for line in found.kernels if line.name == "debian-newest"] == [("failed", reason)]
    text = listing.as_text(found)
    assert "no suite trixie-backports" in " ".join(text.split())
    assert all(len(line) <= 80 for line in text.splitlines() if not line.startswith("* default"))


def test_a_user_who_may_not_enter_the_tools_directory_learns_the_way_out(programs: Path) -> None:
    root = buildroot.cache_root() / "tools/trixie-gcc-14"
    root.mkdir(parents=True)
    (root / ".complete").touch()
    write_program(programs, "unshare", "echo 'unshare: unshare failed: Operation not permitted' >&2; exit 1")
    with Progress() as progress, pytest.raises(DrmbenchError, match=r"gcc-14 of trixie: unshare: .*: build as root"):
        buildroot.suite_tools(recipe("debian-newest"), "gcc-14", ("libc6",), progress)
