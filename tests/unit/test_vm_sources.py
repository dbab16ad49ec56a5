# SPDX-License-Identifier: MIT
"""apt sources of the machine, and what the private apt makes of packages that arrive damaged."""

from __future__ import annotations

import hashlib
import os
import shlex
from typing import TYPE_CHECKING

import pytest

from drmbench.errors import DrmbenchError, UnsupportedError
from drmbench.vm.apt import Apt, Download, intact
from drmbench.vm.kernels import find_recipe
from drmbench.vm.packages import choose_packages
from drmbench.vm.sources import (
    Archive,
    debian_archives,
    parse_deb822,
    parse_one_line,
    private_sources,
)

if TYPE_CHECKING:
    from pathlib import Path

KERNEL = find_recipe("debian-6.1")
assert KERNEL is not None

DEB822 = """\
# comment
Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: trixie trixie-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://third.example/linux/debian
Suites: trixie
Components: stable

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main

Types: deb
URIs: http://security.example/debian-security
Suites: trixie-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
"""


def test_deb822_gives_the_debian_archives_and_no_third_party() -> None:
    main, security = parse_deb822(DEB822)
    assert main == Archive("debian", "http://mirror.example/debian/",
                           "/usr/share/keyrings/debian-archive-keyring.gpg")
    assert security.kind == "debian-security"
    assert security.signed_by.endswith("\n abc")


def test_one_line_style_with_options_and_comments() -> None:
    text = """
    # deb http://no.example/debian bookworm main
    deb [arch=amd64 signed-by=/k.gpg] http://a.example/debian bookworm main contrib # main mirror
    deb-src http://a.example/debian bookworm main
    deb http://a.example/debian-security bookworm-security main
    deb https://dl.example/repo stable main
    deb http://broken
    """
    assert parse_one_line(text) == [
        Archive("debian", "http://a.example/debian", "/k.gpg"),
        Archive("debian-security", "http://a.example/debian-security"),
    ]


def test_a_cloud_image_mirror_list_counts_as_the_archive() -> None:
    found = parse_one_line("deb mirror+file:/etc/apt/mirrors/debian.list bookworm main")
    assert found == [Archive("debian", "mirror+file:/etc/apt/mirrors/debian.list")]


def test_the_first_archive_of_each_kind_wins(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://one.example/debian bookworm main\n")
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/z.sources").write_text(DEB822)
    (tmp_path / "sources.list.d/z.save").write_text("deb http://save.example/debian bookworm main\n")
    assert [archive.uri for archive in debian_archives(tmp_path)] == [
        "http://one.example/debian", "http://security.example/debian-security"]


def test_private_sources_name_the_kernels_suites_not_the_machines() -> None:
    text = private_sources(parse_deb822(DEB822), ("bookworm",), ("bookworm-security",))
    assert "Suites: bookworm\n" in text
    assert "Suites: bookworm-security\n" in text
    assert "trixie" not in text
    assert parse_deb822(text)[1].signed_by.endswith("abc")


def test_no_debian_archive_is_unsupported_and_points_to_the_host_kernel(
    tmp_path: Path, programs: Path,
) -> None:
    assert programs.is_dir()
    with pytest.raises(UnsupportedError, match="--kernel host"):
        Apt(tmp_path, KERNEL, etc=tmp_path / "etc")


def test_without_apt_it_is_unsupported_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drmbench.vm.apt.find_program", lambda _name: None)
    with pytest.raises(UnsupportedError, match="apt-get is not installed"):
        Apt(tmp_path, KERNEL)


def described(content: bytes) -> Download:
    return Download("p.deb", len(content), f"SHA256:{hashlib.sha256(content).hexdigest()}")


@pytest.mark.parametrize("arrived", [b"", b"pack", b"pAckage", b"package and more"])
def test_a_damaged_file_is_noticed(tmp_path: Path, arrived: bytes) -> None:
    (tmp_path / "p.deb").write_bytes(arrived)
    assert not intact(tmp_path / "p.deb", described(b"package"))


def test_a_whole_file_passes_and_a_weak_hash_does_not(tmp_path: Path) -> None:
    (tmp_path / "p.deb").write_bytes(b"package")
    assert intact(tmp_path / "p.deb", described(b"package"))
    weak = Download("p.deb", 7, f"MD5Sum:{hashlib.md5(b'package').hexdigest()}")  # noqa: S324 (weak on purpose)
    assert not intact(tmp_path / "p.deb", weak)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in front of PATH with stand-ins for apt's programs."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("apt-get", "apt-cache", "apt-config"):
        write_program(folder, name, "exit 0")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def write_program(folder: Path, name: str, body: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def apt(tmp_path: Path, programs: Path) -> Apt:
    assert programs.is_dir()
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "sources.list").write_text("deb http://a.example/debian bookworm main\n")
    return Apt(tmp_path / "apt", KERNEL, etc=etc)


GOOD = b"package"


def downloader(folder: Path, body: str) -> None:
    uri = f"'http://a.example/p.deb' p.deb {len(GOOD)} SHA256:{hashlib.sha256(GOOD).hexdigest()}"
    write_program(folder, "apt-get", f'case "$*" in *print-uris*) echo "{uri}";; *) {body};; esac')


def test_a_truncated_download_is_fetched_again(apt: Apt, programs: Path, tmp_path: Path) -> None:
    downloader(programs, "if [ -e again ]; then printf package > p.deb; else touch again; printf pack > p.deb; fi")
    arrived: list[int] = []
    target = tmp_path / "downloads"
    target.mkdir()
    assert apt.download({"p": "1"}, target, arrived.append) == [target / "p.deb"]
    assert (target / "p.deb").read_bytes() == GOOD


def test_a_corrupted_cached_file_is_removed_before_apt_sees_it(apt: Apt, programs: Path, tmp_path: Path) -> None:
    downloader(programs, "[ -e p.deb ] || printf package > p.deb")
    target = tmp_path / "downloads"
    target.mkdir()
    (target / "p.deb").write_bytes(b"pAckage")
    apt.download({"p": "1"}, target, lambda _done: None)
    assert (target / "p.deb").read_bytes() == GOOD


def test_a_file_that_stays_damaged_is_an_error(apt: Apt, programs: Path, tmp_path: Path) -> None:
    downloader(programs, "printf pack > p.deb")
    with pytest.raises(DrmbenchError, match="EBADMSG: size or hash differ"):
        apt.download({"p": "1"}, tmp_path, lambda _done: None)


def test_no_network_is_one_error_with_apts_own_reason(apt: Apt, programs: Path) -> None:
    write_program(programs, "apt-get", "echo 'E: Failed to fetch http://a.example  Could not resolve' >&2; exit 100")
    with pytest.raises(DrmbenchError, match=r"apt-get update: Failed to fetch .* Could not resolve: check the network"):
        apt.update()


INDEX = {
    "linux-source-6.1": ("6.1.9-1", "6.1.8-1"),
    "linux-kbuild-6.1": ("6.1.9-1", "6.1.8-1"),
    "linux-image-6.1.0-9-amd64": ("6.1.9-1",),
    "linux-image-6.1.0-8-amd64": ("6.1.8-1",),
    "linux-image-6.1.0-9-rt-amd64": ("6.1.9-1",),
    "linux-headers-6.1.0-8-amd64": ("6.1.8-1",),
    "linux-headers-6.1.0-8-common": ("6.1.8-1",),
}
DEPENDS = {
    "linux-headers-6.1.0-8-amd64": "linux-headers-6.1.0-8-common (= 6.1.8-1), linux-kbuild-6.1 (>= 6.1.8-1), "
                                   "linux-compiler-gcc-12-x86",
    "linux-kbuild-6.1": "libc6 (>= 2.34), libelf1 (>= 0.142), zlib1g, pahole",
}


def write_index(folder: Path, index: dict[str, tuple[str, ...]]) -> None:
    shown = folder / "index"
    shown.mkdir()
    for name, versions in index.items():
        more = f"\nDepends: {DEPENDS[name]}" if name in DEPENDS else ""
        (shown / name).write_text("".join(f"Package: {name}\nVersion: {version}{more}\n\n" for version in versions))
    body = 'what=$1; shift\n[ "$what" = pkgnames ] && exec ls\ncat "$@" 2>/dev/null; :'
    write_program(folder, "apt-cache", f"cd {shlex.quote(str(shown))}\n{body}")


def test_the_newest_version_with_all_its_packages_is_chosen(apt: Apt, programs: Path) -> None:
    write_index(programs, INDEX)
    chosen = choose_packages(KERNEL, apt)
    assert (chosen.release, chosen.version) == ("6.1.0-8-amd64", "6.1.8-1")
    assert chosen.wanted["linux-image-6.1.0-8-amd64"] == "6.1.8-1"
    assert len(chosen.wanted) == 5
    assert chosen.compiler == "gcc-12"
    assert chosen.libraries == ("libc6", "libelf1", "zlib1g")


def test_a_mirror_without_a_complete_kernel_says_so(apt: Apt, programs: Path) -> None:
    write_index(programs, {name: versions for name, versions in INDEX.items() if "headers" not in name})
    with pytest.raises(DrmbenchError, match="no version with image, headers"):
        choose_packages(KERNEL, apt)
