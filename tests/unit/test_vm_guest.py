# SPDX-License-Identifier: MIT
"""The guest's scripts, the directories handed in, and vng's command line."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from drmbench.errors import DrmbenchError, UsageError
from drmbench.vm import guest, shares, vng
from drmbench.vm.devices import find_devices
from drmbench.vm.image import BootKernel
from drmbench.vm.shares import Share

ODD_WORDS = ("plain", "two words", "it's", 'say "hi"', "new\nline", "$HOME `id` \\", "", "é漢", "--", "*", "a\tb")


def test_argv_arrives_byte_for_byte(tmp_path: Path) -> None:
    echo = "import os, sys; sys.stdout.buffer.write(b'|'.join(map(os.fsencode, sys.argv[1:])))"
    script = tmp_path / "command.sh"
    words = (sys.executable, "-c", echo, *ODD_WORDS, "\udcff")
    script.write_text(guest.command_script(words, tmp_path, {"LANG": "C.UTF-8"}), "utf-8", "surrogateescape")
    done = subprocess.run(["/bin/sh", str(script)], capture_output=True, check=True)
    assert done.stdout == b"|".join([word.encode() for word in ODD_WORDS] + [b"\xff"])


def test_the_command_starts_in_the_working_directory_with_only_its_variables(tmp_path: Path) -> None:
    odd = tmp_path / "it's a directory"
    odd.mkdir()
    script = tmp_path / "command.sh"
    script.write_text(guest.command_script(("sh", "-c", "pwd; env"), odd, {"PATH": "/usr/bin:/bin", "A": "b c\nd"}))
    done = subprocess.run(["/bin/sh", str(script)], capture_output=True, check=True, text=True)
    assert done.stdout.splitlines()[0] == str(odd)
    assert "A=b c\nd\n" in done.stdout
    assert "HOME=" not in done.stdout


@pytest.mark.parametrize(("words", "status"), [(("false",), 1), (("sh", "-c", "exit 42"), 42), (("no-such",), 127)])
def test_the_script_ends_as_the_command_does(tmp_path: Path, words: tuple[str, ...], status: int) -> None:
    script = tmp_path / "command.sh"
    script.write_text(guest.command_script(words, tmp_path, {"PATH": "/usr/bin:/bin"}))
    assert subprocess.run(["/bin/sh", str(script)], capture_output=True, check=False).returncode == status


def test_our_own_variables_go_along_and_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRMBENCH_TOUCH", "1")
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    monkeypatch.setenv("COLUMNS", "132")
    monkeypatch.setenv("SECRET_TOKEN", "x")
    variables = guest.environment("/shim", {"DRMBENCH_VM_KERNEL": "debian-6.1 6.1.0 (6.1.1-1)"})
    assert variables["DRMBENCH_TOUCH"] == "1"
    assert variables["PYTHONHASHSEED"] == "0"
    assert variables["COLUMNS"] == "132"
    assert variables["DRMBENCH_VM_KERNEL"] == "debian-6.1 6.1.0 (6.1.1-1)"
    assert "SECRET_TOKEN" not in variables
    assert variables["PATH"].split(":")[:2] == ["/shim", str(Path(sys.executable).parent)]


def test_the_guests_drmbench_is_this_program(tmp_path: Path) -> None:
    shim = tmp_path / "drmbench"
    shim.write_text(guest.program_shim())
    shim.chmod(0o755)
    done = subprocess.run([str(shim), "vm", "run"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("drmbench: vm run: COMMAND is missing")


def test_guest_script_is_valid_shell_whatever_the_paths(tmp_path: Path) -> None:
    script = tmp_path / "guest.sh"
    script.write_text(guest.guest_script([Share(Path("/a b/it's,é"), writable=True)], find_devices(())))
    subprocess.run(["/bin/sh", "-n", str(script)], check=True)
    text = script.read_text()
    assert "mount -t 9p" in text
    assert text.index("load vkms") < text.index("load vgem") < text.index("await_node vkms")


@pytest.mark.parametrize(("path", "hidden"), [
    ("/run/user/1000/x", True), ("/var/cache/drmbench", True), ("/var/tmp", True), ("/dev/shm/ci", True),  # noqa: S108
    ("/runner/work", False), ("/usr/lib/python3", False), ("/", False), ("/nonexistent", False)])
def test_what_the_guests_own_mounts_cover(path: str, hidden: bool) -> None:
    assert shares.is_hidden(Path(path)) is hidden


def test_a_file_system_mounted_below_an_overlay_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda self: str(self) == "/home/me")
    assert shares.is_hidden(Path("/home/me/src"))
    assert not shares.is_hidden(Path("/home/you/src"))


@pytest.mark.parametrize("words", [
    ("drmbench", "--json", "out/r.json"), ("drmbench", "--json=out/r.json"), ("pytest", "--junitxml=out/r.xml")])
def test_the_directory_of_an_output_file_goes_in_writable(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "out").mkdir()
    assert shares.output_directories(words, tmp_path) == [tmp_path.resolve() / "out"]


@pytest.mark.parametrize("words", [("x", "--json", "-"), ("x", "--json"), ("x", "--json=none/r.json"), ("x",)])
def test_no_output_file_no_directory(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert shares.output_directories(words, tmp_path) == []


def test_plan_shares_what_is_hidden_and_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree, work = tmp_path / "hidden/tree", tmp_path / "work"
    tree.mkdir(parents=True)
    work.mkdir()
    monkeypatch.setattr(shares, "is_hidden", lambda path: "hidden" in path.parts)
    monkeypatch.setattr(shares, "read_by_python", list)
    found = shares.plan(("x", "--json", "r.json"), tree, work, ())
    assert found == [Share(work.resolve(), writable=True), Share(tree.resolve(), writable=False)]
    whole = shares.plan(("x",), tree, work, (tmp_path / "hidden",))
    assert whole == [Share((tmp_path / "hidden").resolve(), writable=True)]


def test_what_python_reads_is_cached_unless_the_guest_writes_there(tmp_path: Path) -> None:
    package = Path(shares.__file__).parents[1]
    assert Share(package, writable=False) in shares.plan(("x",), tmp_path, tmp_path, ())
    assert package not in [share.path for share in shares.plan(("x",), tmp_path, tmp_path, (package.parent,))]
    assert not {Path("/"), Path("/usr")} & {share.path for share in shares.plan(("x",), tmp_path, tmp_path, ())}


def test_the_root_directory_and_a_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="root directory"):
        shares.plan(("x", "--json", "/r.json"), tmp_path, tmp_path, ())
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="ENOTDIR"):
        shares.plan(("x",), tmp_path, tmp_path, (tmp_path / "file",))


def machine(tmp_path: Path, accelerator: str) -> vng.Machine:
    return vng.Machine(
        kernel=tmp_path / "a b/vmlinuz", accelerator=accelerator, cpus=2, memory_bytes=512 << 20,
        qemu=("-device", "qxl"), cmdline=("drm_kms_helper.fbdev_emulation=0",), exchange=tmp_path / "ex,change",
        fast_path=Path("/tmp/d/init"),  # noqa: S108 (only a string here)
        shares=(Share(Path("/data/é"), writable=False),))


def test_vng_command_line(tmp_path: Path) -> None:
    command = vng.vng_command("vng", machine(tmp_path, "tcg"))
    assert "--disable-kvm" in command
    assert "--force-9p" in command
    assert "--disable-microvm" in command
    assert command[command.index("--cpus") + 1] == "2"
    assert command[command.index("--memory") + 1] == "512M"
    assert shlex.split(command[command.index("--run") + 1]) == [str(tmp_path / "a b/vmlinuz")]
    assert "--append=drm_kms_helper.fbdev_emulation=0" in command
    assert "--append=PATH=/tmp/d/init:/usr/bin:/bin:/usr/sbin:/sbin" in command
    options = shlex.split(command[-1].removeprefix("--qemu-opts="))
    assert options[-2:] == ["-device", "qxl"]
    assert any(option.endswith(",readonly=on") and "path=/data/é," in option for option in options)
    assert f"path={tmp_path}/ex,,change," in options[1]
    assert "-net" not in options


def test_kvm_is_not_disabled_where_it_was_chosen(tmp_path: Path) -> None:
    assert "--disable-kvm" not in vng.vng_command("vng", machine(tmp_path, "kvm"))


def test_a_kernel_in_an_odd_directory_goes_through_a_plain_link(tmp_path: Path) -> None:
    tree = tmp_path / "a, b/é"
    image = tree / "boot/vmlinuz"
    image.parent.mkdir(parents=True)
    image.touch()
    link = tmp_path / "kernel"
    path = vng.kernel_argument(BootKernel("k", "k 1", image, tree, image, None), link)
    assert path == link / "boot/vmlinuz"
    assert path.samefile(image)


def test_a_kernel_whose_modules_are_in_the_root_needs_no_link(tmp_path: Path) -> None:
    image = tmp_path / "vmlinuz"
    assert vng.kernel_argument(BootKernel("k", "k 1", image, Path("/"), image, None), tmp_path / "kernel") == image
    assert not (tmp_path / "kernel").is_symlink()


def test_a_missing_vng_names_the_way_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(DrmbenchError, match=r"pip install 'drmbench\[vm\]'"):
        vng.find_vng()
