# SPDX-License-Identifier: MIT
"""Missing programs are named with the command that installs them; KVM is believed only when it runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from drmbench.errors import DrmbenchError, UsageError
from drmbench.vm import accel, programs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("fields", "family"), [
    ({"ID": "debian"}, "debian"), ({"ID": "ubuntu", "ID_LIKE": "debian"}, "debian"), ({"ID": "fedora"}, "fedora"),
    ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "fedora"), ({"ID": "manjaro", "ID_LIKE": "arch"}, "arch"),
    ({"ID": "nixos"}, ""), ({}, "")])
def test_family_of_a_distribution(fields: dict[str, str], family: str) -> None:
    assert programs.family(fields) == family


def test_os_release_is_read_with_its_quotes(tmp_path: Path) -> None:
    path = tmp_path / "os-release"
    path.write_text('# comment\nID=debian\nPRETTY_NAME="Debian GNU/Linux 12"\n')
    assert programs.os_release(path) == {"ID": "debian", "PRETTY_NAME": "Debian GNU/Linux 12"}
    assert programs.os_release(tmp_path / "none") == {}


@pytest.mark.parametrize(("fields", "command"), [
    ({"ID": "debian"}, "apt-get install qemu-system-x86 busybox-static kmod"),
    ({"ID": "fedora"}, "dnf install qemu-system-x86-core busybox kmod"),
    ({"ID": "arch"}, "pacman -S qemu-system-x86 busybox kmod"),
    ({"ID": "other"}, "install qemu-system-x86 busybox-static kmod")])
def test_install_command_of_each_family(fields: dict[str, str], command: str,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "os_release", lambda: fields)
    assert programs.install_command(["qemu-system-x86_64", "busybox", "modprobe", "depmod"]) == command


@pytest.mark.parametrize(("name", "package"), [
    ("fedora", "kernel-modules-internal"), ("ubuntu", "linux-modules-extra")])
def test_without_debian_the_remedy_names_packages_and_the_host_kernel(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(programs, "os_release", lambda: {"ID": name})
    remedy = programs.host_kernel_remedy()
    assert "install qemu-system-x86" in remedy
    assert package in remedy
    assert remedy.endswith("then use --kernel host")


def test_a_missing_program_is_one_error_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find_program", lambda name: None if name == "busybox" else f"/usr/bin/{name}")
    monkeypatch.setattr(programs, "os_release", lambda: {"ID": "debian"})
    with pytest.raises(DrmbenchError, match=r"vm: busybox: ENOENT: not installed: apt-get install busybox-static$"):
        programs.require("qemu-system-x86_64", "busybox")


def fake_qemu(folder: Path, body: str) -> str:
    path = folder / "qemu"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(("body", "verdict"), [
    ("echo '[    0.000000] Linux version 6.1'; exec sleep 30", True),
    ("printf 'Linux ver'; sleep 0.1; echo 'sion 6.1'; exec sleep 30", True),
    ("echo 'failed to set MSR 0x10a' >&2; exit 134", False),
    ("echo 'Probing EDD (edd=off to disable)... ok'; exec sleep 30", False)])
def test_kvm_counts_only_when_the_kernel_speaks(tmp_path: Path, body: str, verdict: bool) -> None:
    assert accel.starts(tmp_path / "vmlinuz", [fake_qemu(tmp_path, body)], limit_s=0.6) is verdict


def test_a_qemu_that_cannot_run_is_no_kvm(tmp_path: Path) -> None:
    assert accel.starts(tmp_path / "vmlinuz", [str(tmp_path / "none")]) is False


def test_without_the_device_nothing_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(accel.VARIABLE, raising=False)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert accel.choose(fake_qemu(tmp_path, f"touch {tmp_path}/started"), tmp_path / "vmlinuz") == "tcg"
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("wanted", accel.CHOICES)
def test_the_override_is_obeyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setenv(accel.VARIABLE, wanted)
    assert accel.choose("/nonexistent", tmp_path / "vmlinuz") == wanted


def test_a_misspelt_override_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(accel.VARIABLE, "kmv")
    with pytest.raises(UsageError, match="did you mean kvm"):
        accel.choose("/nonexistent", tmp_path / "vmlinuz")
