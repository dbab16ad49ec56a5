# SPDX-License-Identifier: MIT
"""arm64 guests without booting one: names, device tree, first program, command line, what they see of our files."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from drmbench import cli
from drmbench.errors import DrmbenchError
from drmbench.vm import arm64_lab, arm64_root, device_tree, initramfs
from drmbench.vm.apt import Apt, Package
from drmbench.vm.arm64_devices import ARM64_DEVICES, CPU_MODELS, check_cpu_model, find_arm64_devices
from drmbench.vm.arm64_kernel import ARM64_KERNELS, choose
from drmbench.vm.arm64_machine import Arm64Machine
from drmbench.vm.arm64_native import compile_command, source_folder, write_package
from drmbench.vm.arm64_shares import plan_for_root
from drmbench.vm.devices import simulations
from drmbench.vm.guest import guest_script
from drmbench.vm.shares import Share

MIB = 1 << 20


@pytest.mark.parametrize(("words", "said"), [
    (["--arch", "arm64", "--device", "kirrin"], "did you mean kirin?"),
    (["--arch", "arm64", "--device", "radeon"], "there is no such arm64 device"),
    (["--arch", "arm64", "--cpu-model", "cortex-a57"], "did you mean cortex-a76 or cortex-a53? only"),
    (["--arch", "arm64", "--kernel", "debian-6.12"], "there is no such arm64 kernel"),
    (["--arch", "arm64", "--cpus", "9"], "at most 8"),
    (["--arch", "arm64", "--memory", "1MiB"], "too little to boot"),
    (["--arch", "arm"], "arm64"),
    (["--cpu-model", "cortex-a53"], "add --arch arm64"),
    (["--device", "kirin"], "there is no such device"),
])
def test_a_mistake_is_one_line_and_status_2(words: list[str], said: str, capfd: pytest.CaptureFixture[str],
                                            monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(arm64_lab, "require", lambda *_programs: None)
    assert cli.run(["vm", "run", *words, "--", "true"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert said in err


def test_a_missing_program_names_its_package(monkeypatch: pytest.MonkeyPatch,
                                             capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("drmbench.vm.programs.find_program", lambda _name: None)
    assert cli.run(["vm", "run", "--arch", "arm64", "--", "true"]) == 1
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert "qemu-system-aarch64, dtc, depmod: ENOENT: not installed" in err
    assert "qemu-system-a" in err.partition("install")[2]


def test_a_missing_compiler_names_its_package(monkeypatch: pytest.MonkeyPatch,
                                              capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("drmbench.vm.programs.find_program", lambda name: None if "aarch64" in name else f"/bin/{name}")
    assert cli.run(["vm", "fetch", "--arch", "arm64"]) == 1
    assert "aarch64-linux-gnu-gcc: ENOENT: not installed" in capfd.readouterr().err


def test_devices_and_cpu_models_have_defaults() -> None:
    assert [device.name for device in find_arm64_devices(())] == ["kirin"]
    assert len(find_arm64_devices(("all",))) == len(ARM64_DEVICES)
    assert check_cpu_model("") == "cortex-a53"
    assert check_cpu_model("cortex-a76") == "cortex-a76"
    assert simulations(find_arm64_devices(())) == "kirin=display engine is hidden RAM"


class TestDeviceTree:
    def test_registers_follow_the_guests_memory(self) -> None:
        nodes = device_tree.kirin_fragment(0x6000_0000)
        assert "ade@60010000 {" in nodes
        assert "reg = <0x0 0x60010000 0x0 0x7800>;" in nodes
        assert "dsi@60020000 {" in nodes
        assert not any(word in nodes for word in ("HIGH", "RESET", "NOC"))

    def test_addresses_above_4_gib_have_two_cells(self) -> None:
        nodes = device_tree.kirin_fragment(0x1_4000_0000)
        assert "ade@1,40010000 {" in nodes
        assert "reg = <0x1 0x40010000 0x0 0x7800>;" in nodes

    def test_all_registers_lie_in_the_hidden_memory(self) -> None:
        assert max(device_tree._OFFSETS.values()) + 0x8000 <= device_tree.HIDDEN_BYTES

    def test_nodes_land_in_the_root_node(self) -> None:
        merged = device_tree.with_nodes("/dts-v1/;\n/ {\n\tcpus {\n\t};\n};\n", "\tade {\n\t};\n")
        assert merged == "/dts-v1/;\n/ {\n\tcpus {\n\t};\n\n\tade {\n\t};\n};\n"

    def test_a_tree_without_root_is_an_error(self) -> None:
        with pytest.raises(DrmbenchError, match="no root node"):
            device_tree.with_nodes("", "")

    @pytest.mark.skipif(shutil.which("dtc") is None, reason="needs dtc (device-tree-compiler)")
    def test_dtc_takes_the_fragment_without_a_warning(self) -> None:
        root = ("/dts-v1/;\n/ {\n\t#address-cells = <2>;\n\t#size-cells = <2>;\n\tinterrupt-parent = <&gic>;\n"
                "\tgic: gic {\n\t\tinterrupt-controller;\n\t\t#interrupt-cells = <3>;\n"
                "\t\t#address-cells = <0>;\n\t};\n};\n")
        for base in (0x6000_0000, 0x1_4000_0000):
            ran = subprocess.run(["dtc", "-I", "dts", "-O", "dtb", "-o", "/dev/null", "-"], text=True, check=False,
                                 input=device_tree.with_nodes(root, device_tree.kirin_fragment(base)),
                                 capture_output=True, timeout=20)
            assert ran.returncode == 0
            mine = [line for line in ran.stderr.splitlines() if "unit_address_vs_reg" in line or "graph" in line]
            assert mine == []


class TestFirstProgram:
    TABLE = ("kernel/fs/9p/9p.ko: kernel/net/9p/9pnet.ko kernel/fs/netfs/netfs.ko\n"
             "kernel/net/9p/9pnet.ko:\nkernel/fs/netfs/netfs.ko:\n"
             "kernel/net/9p/9pnet_virtio.ko: kernel/net/9p/9pnet.ko\n"
             "kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio_pci_modern_dev.ko\n"
             "kernel/drivers/virtio/virtio_pci_modern_dev.ko:\n")

    def test_a_module_is_loaded_after_what_it_needs_and_once(self) -> None:
        order = [path.rpartition("/")[2] for path in initramfs.load_order(self.TABLE, initramfs.NEEDED)]
        assert order == ["virtio_pci_modern_dev.ko", "virtio_pci.ko", "9pnet.ko", "9pnet_virtio.ko", "netfs.ko",
                         "9p.ko"]

    def test_the_script_is_a_shells_and_nothing_is_left_to_fill_in(self) -> None:
        script = initramfs.init_script("6.1.0-1-arm64", ["9p", "overlay"])
        ran = subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True, check=False, timeout=10)
        assert ran.returncode == 0, ran.stderr
        assert "for module in 9p overlay;" in script
        assert "/new/lib/modules/6.1.0-1-arm64" in script
        assert not any(word in script for word in ("MODULES", "RELEASE", "MOUNT", "_TAG", "BYTECODE", "EXCHANGE"))

    def test_the_archive_is_one_of_cpios(self, tmp_path: Path) -> None:
        content = initramfs.archive(("bin",), {"bin/program": b"12345", "init": b"#!"})
        if shutil.which("cpio") is None:
            assert content.startswith(b"070701")
            assert len(content) % 4 == 0
            assert content.index(b"12345") % 4 == 0
            return
        subprocess.run(["cpio", "-id", "--quiet"], input=content, cwd=tmp_path, check=True, timeout=10)
        assert (tmp_path / "bin/program").read_bytes() == b"12345"

    def test_missing_modules_are_one_error(self, tmp_path: Path) -> None:
        with pytest.raises(DrmbenchError, match="vm fetch --arch arm64 --again"):
            initramfs.build(tmp_path, tmp_path / "busybox")


MACHINE = Arm64Machine(
    kernel=Path("/k/vmlinuz"), initramfs=Path("/s/initramfs"), cpu_model="cortex-a76", cpus=2, memory_bytes=512 * MIB,
    kirin=True, root=Path("/c/root"), modules=Path("/k/lib/modules/6.1"), bytecode=Path("/c/bytecode"),
    exchange=Path("/s/exchange"), shares=(Share(Path("/home/a,b"), writable=True),), qemu=("-device", "x"),
    cmdline=("cma=128M",))


class TestMachine:
    def test_hidden_memory_is_added_and_kept_from_the_kernel(self) -> None:
        line = " ".join(MACHINE.command("qemu", Path("/s/tree.dtb")))
        assert "-machine virt,gic-version=2 -cpu cortex-a76 -accel tcg -smp 2 -m 528M" in line
        assert "-dtb /s/tree.dtb" in line
        assert "cma=128M mem=512M" in line

    def test_without_kirin_the_tree_is_qemus_own(self) -> None:
        plain = replace(MACHINE, kirin=False)
        line = plain.command("qemu", plain.device_tree("qemu", Path("/s")))
        assert "-dtb" not in line
        assert "-m 512M" in " ".join(line)
        assert not any("mem=" in word for word in line)

    def test_only_the_exchange_outputs_and_bytecode_are_writable(self) -> None:
        exports = [word for word in MACHINE.command("qemu", None) if word.startswith("local,")]
        assert [word.split("path=")[1].split(",security")[0] for word in exports if "readonly" not in word] == [
            "/c/bytecode", "/s/exchange", "/home/a,,b"]

    def test_the_tree_starts_below_the_hidden_memory(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        seen: list[list[str]] = []

        def record(command: list[str]) -> str:
            seen.append(command)
            return "/ {\n};\n"

        monkeypatch.setattr(device_tree, "_run", record)
        assert MACHINE.device_tree("qemu", tmp_path) == tmp_path / "merged.dtb"
        assert seen[0][:3] == ["qemu", "-machine", f"virt,gic-version=2,dumpdtb={tmp_path}/own.dtb"]
        assert "ade@60010000" in (tmp_path / "merged.dts").read_text()


class TestShares:
    def test_the_working_directory_is_a_layer_and_outputs_are_not(self, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        shares = plan_for_root(("x", "--json", "out/r.json"), tmp_path / "root", tmp_path, ())
        assert shares == [Share(tmp_path, writable=False, layered=True), Share(tmp_path / "out", writable=True)]
        script = guest_script(shares, ())
        assert script.index("layer drmbench0") < script.index("drmbench1 ")

    def test_a_writable_working_directory_has_no_layer(self, tmp_path: Path) -> None:
        assert plan_for_root(("x", "--json", "r.json"), tmp_path / "root", tmp_path, ()) == [
            Share(tmp_path, writable=True)]

    @pytest.mark.parametrize("working", ["/", "/proc/self", "/sys", "/run", "/usr/bin"])
    def test_the_guests_own_directories_stay_its_own(self, tmp_path: Path, working: str) -> None:
        (tmp_path / "usr/bin").mkdir(parents=True)
        (tmp_path / "usr/bin/python3").touch()
        assert plan_for_root(("x",), tmp_path, Path(working), ()) == []


class TestDrmbenchInTheGuest:
    def test_sources_keep_their_times_and_metadata_the_version(self, tmp_path: Path) -> None:
        extension = tmp_path / "built.so"
        extension.write_bytes(b"arm64")
        write_package(tmp_path / "python", extension)
        copied = tmp_path / "python/drmbench/cli/__init__.py"
        assert copied.stat().st_mtime == Path(cli.__file__).stat().st_mtime
        assert (tmp_path / "python/drmbench/_native.abi3.so").read_bytes() == b"arm64"
        code = "from importlib.metadata import version; print(version('drmbench'))"
        shown = subprocess.run([sys.executable, "-S", "-c", code], env={"PYTHONPATH": str(tmp_path / "python")},
                               cwd=tmp_path, capture_output=True, text=True, check=True, timeout=20)
        assert shown.stdout.strip() == version("drmbench")

    def test_every_c_source_is_compiled(self) -> None:
        csrc = source_folder()
        words = compile_command(csrc, Path("/root"), Path("/s/_native.c"), Path("/s/_native.so"))
        listed = re.findall(r"^ +\$\{NATIVE\}/(\w+\.c)\)?$", (csrc / "CMakeLists.txt").read_text(), re.MULTILINE)
        assert len(listed) > 3
        assert {word for word in words if word.startswith(f"{csrc}/") and word.endswith(".c")} == {
            f"{csrc}/native/{name}" for name in listed}

    def test_our_pythons_variables_stay_here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"):
            monkeypatch.setenv(name, "/here")
        monkeypatch.setenv("LC_ALL", "C.UTF-8")
        found = arm64_lab.environment({"DRMBENCH_VM_ACCEL_USED": "tcg"})
        assert "/here" not in found.values()
        assert found["LC_ALL"] == "C.UTF-8"
        assert found["PYTHONPATH"] == "/run/drmbench/exchange/python"
        assert found["DRMBENCH_VM_ACCEL_USED"] == "tcg"


class TestRoot:
    def test_requirements_are_drmbenchs_own_without_extras(self) -> None:
        names = {text.split(">")[0].split("=")[0].strip() for text in arm64_root.requirements()}
        assert {"click", "numpy", "msgspec"} <= names
        assert not any("virtme" in name for name in names)

    def test_what_lies_outside_usr_is_moved_there(self, tmp_path: Path) -> None:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/sh").symlink_to("dash")
        (tmp_path / "usr/bin").mkdir(parents=True)
        (tmp_path / "usr/bin/env").touch()
        arm64_root._merge_usr(tmp_path)
        assert (tmp_path / "bin").is_symlink()
        assert (tmp_path / "bin/env").exists()
        assert (tmp_path / "usr/bin/sh").is_symlink()

    def test_a_failing_pip_is_one_error(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        broken = tmp_path / "python"
        broken.write_text("#!/bin/sh\necho 'WARNING: a'; echo \"$0: No module named pip\" >&2; exit 1\n")
        broken.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(broken))
        with pytest.raises(DrmbenchError, match="ensurepip"):
            arm64_root.install_wheels(tmp_path / "site", ["click"])


class Archive(Apt):
    """An apt that knows only the packages it is given."""

    def __init__(self, known: dict[str, list[str]]) -> None:
        self.known = known

    def names(self, pattern: str) -> list[str]:
        return [name for name in self.known if re.fullmatch(pattern, name)]

    def packages(self, names: list[str]) -> list[Package]:
        return [Package(name, version, "") for name in names for version in self.known.get(name, [])]


def test_the_newest_kernel_with_headers_and_build_programs_is_chosen() -> None:
    target = Archive({"linux-image-6.1.0-9-arm64": ["6.1.9-1"], "linux-headers-6.1.0-9-arm64": ["6.1.9-1"],
                      "linux-headers-6.1.0-9-common": ["6.1.9-1"], "linux-image-6.1.0-10-arm64": ["6.1.10-1"]})
    tools = Archive({"linux-kbuild-6.1": ["6.1.10-1", "6.1.9-1"]})
    release, version, kernel, programs = choose(ARM64_KERNELS[0], target, tools)
    assert (release, version) == ("6.1.0-9-arm64", "6.1.9-1")
    assert set(kernel) == {"linux-image-6.1.0-9-arm64", "linux-headers-6.1.0-9-arm64", "linux-headers-6.1.0-9-common"}
    assert programs == {"linux-kbuild-6.1": "6.1.9-1"}
    with pytest.raises(DrmbenchError, match="try again later"):
        choose(ARM64_KERNELS[0], target, Archive({"linux-kbuild-6.1": ["6.1.8-1"]}))


def test_every_cpu_model_is_checked() -> None:
    assert [check_cpu_model(name) for name in CPU_MODELS] == list(CPU_MODELS)
