# SPDX-License-Identifier: MIT
"""drmbench doctor: what it says of made-up machines, of this one, and what of it stands beside results."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from drmbench import doctor
from drmbench.device import DriverVersion, DrmDevice
from drmbench.doctor.activity import look
from drmbench.doctor.check import Machine
from drmbench.environment import describe_environment
from drmbench.kernel_files import KernelFiles, Unreadable, cpu_list
from drmbench.native import Clock

if TYPE_CHECKING:
    from pathlib import Path

    from drmbench.model import Finding

CPU = "sys/devices/system/cpu"
CARD = DrmDevice("/dev/dri/card0", "/dev/dri/renderD128", "/sys/devices/pci0000:00/0000:03:00.0", "pci", "0000:03:00.0",
                 "1002:73df", DriverVersion("amdgpu", "AMD GPU", "3.54.0"), None)
TSC = Clock("tsc", True, 0.4, 10.0, 1.0)
EXAMPLE = {
    f"{CPU}/cpu0/cpufreq/scaling_governor": "powersave\n",
    f"{CPU}/intel_pstate/no_turbo": "0\n",
    f"{CPU}/smt/active": "1\n",
    f"{CPU}/smt/control": "on\n",
    f"{CPU}/isolated": "2-3\n",
    f"{CPU}/nohz_full": "3\n",
    f"{CPU}/online": "0-3\n",
    f"{CPU}/vulnerabilities/meltdown": "Mitigation: PTI\n",
    f"{CPU}/vulnerabilities/l1tf": "Not affected\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never\n",
    "sys/kernel/mm/transparent_hugepage/shmem_enabled": "always within_size [advise] never deny force\n",
    "sys/module/drm/parameters/debug": "0x0\n",
    "sys/kernel/tracing/available_tracers": "nop\n",
    "proc/loadavg": "0.10 0.20 0.30 1/200 4242\n",
    "proc/stat": "cpu 1 1 1 1\ncpu0 100 0 100 800 0 0 0 0 0 0\ncpu1 0 0 0 1000 0 0 0 0 0 0\n",
    "proc/cmdline": "quiet\n",
    "proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable: 4000000 kB\nSwapTotal: 1000 kB\nSwapFree: 500 kB\n",
    "proc/sys/kernel/randomize_va_space": "2\n",
    "proc/sys/kernel/perf_event_paranoid": "1\n",
    "proc/self/limits": "Max locked memory         8388608              8388608              bytes\n",
    "proc/self/status": "Name:\tx\nCapEff:\t0000000000000000\n",
    "proc/irq/44/effective_affinity_list": "3\n",
    "sys/devices/pci0000:00/0000:03:00.0/msi_irqs/44": "msi\n",
    "boot/config-" + os.uname().release: "CONFIG_X86=y\n# CONFIG_KASAN is not set\n",
    "dev/dri/card0": "",
    "dev/dri/renderD128": "",
}
NOTES = {"aslr", "thp", "turbo", "smt", "swap", "memlock", "kpti", "mitigations", "cpu-isolation"}


@pytest.fixture
def machine(tmp_path: Path) -> Any:
    """A made-up machine: the example with some files changed, None for those that are missing."""
    def make(changes: dict[str, str | None] | None = None, *, cpu: int | None = None, devices: Any = (CARD,),
             clock: Clock = TSC) -> Machine:
        for name, content in {**EXAMPLE, **(changes or {})}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_text(content)
        files = KernelFiles(str(tmp_path))
        return Machine(files, describe_environment(cpu, files), clock, cpu, devices, look(files), look(files))

    return make


def of(machine: Machine, name: str) -> Finding:
    """The one finding with this name."""
    (found,) = [finding for finding in doctor.examine(machine) if finding.id == name]
    return found


class TestWhatItSays:
    def test_of_the_example(self, machine: Any) -> None:
        found = doctor.examine(machine())
        assert {f.id for f in found if f.severity == "warning"} == {"governor"}
        assert {f.id for f in found if f.severity == "note"} >= NOTES
        assert all(f.remedy and f.effect and f.affects for f in found if f.severity in {"warning", "note"})
        assert [f.severity for f in found] == sorted((f.severity for f in found), key=doctor._ORDER.index)

    @pytest.mark.parametrize(("name", "changes", "severity", "says"), [
        ("governor", {f"{CPU}/cpu0/cpufreq/scaling_governor": "performance"}, "ok", "performance"),
        ("governor", {f"{CPU}/cpu0/cpufreq/scaling_governor": None}, "ok", "no frequency scaling"),
        ("turbo", {f"{CPU}/intel_pstate/no_turbo": "1"}, "ok", "off"),
        ("turbo", {f"{CPU}/intel_pstate/no_turbo": None, f"{CPU}/cpufreq/boost": "1"}, "note", "on"),
        ("turbo", {f"{CPU}/intel_pstate/no_turbo": None, f"{CPU}/cpufreq/boost": "0"}, "ok", "off"),
        ("turbo", {f"{CPU}/intel_pstate/no_turbo": "many"}, "unknown", "no number"),
        ("smt", {f"{CPU}/smt/active": "0", f"{CPU}/smt/control": "off"}, "ok", "off"),
        ("smt", {f"{CPU}/smt/active": None}, "unknown", "ENOENT"),
        ("load", {"proc/loadavg": "7.50 1 1 1/1 1"}, "warning", "7.50 on 4 CPUs"),
        ("load", {"proc/loadavg": "garbage"}, "unknown", "no number"),
        ("clocksource", {"sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet"}, None, "hpet"),
        ("thp-on-baseline", {"sys/kernel/mm/transparent_hugepage/shmem_enabled": "[always] never"}, "warning",
         "always"),
        ("thp-on-baseline", {"sys/kernel/mm/transparent_hugepage/shmem_enabled": None}, "unknown", "cannot be read"),
        ("thp", {"sys/kernel/mm/transparent_hugepage/enabled": "no brackets"}, "unknown", "no choice"),
        ("aslr", {"proc/sys/kernel/randomize_va_space": "0"}, "ok", "not random"),
        ("memory-available", {"proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable: 90000 kB\n"}, "warning", "87 MiB"),
        ("memory-available", {"proc/meminfo": "MemTotal: 8000000 kB\n"}, "unknown", "no MemAvailable"),
        ("swap", {"proc/meminfo": "SwapTotal: 0 kB\nSwapFree: 0 kB\n"}, "ok", "no swap"),
        ("memlock", {"proc/self/limits": "Max locked memory  unlimited unlimited bytes\n"}, "ok", "without a limit"),
        ("memlock", {"proc/self/status": "CapEff:\t0000000000004000\n"}, "ok", "without a limit"),
        ("memlock", {"proc/self/limits": ""}, "unknown", "no line"),
        ("kpti", {f"{CPU}/vulnerabilities/meltdown": "Not affected"}, "ok", "Not affected"),
        ("mitigations", {f"{CPU}/vulnerabilities/meltdown": "Vulnerable"}, "ok", "none"),
        ("kernel-debug", {"proc/cmdline": "debug_pagealloc=on quiet"}, "warning", "DEBUG_PAGEALLOC"),
        ("kernel-debug", {"proc/lockdep_stats": "x"}, "warning", "lockdep"),
        ("kernel-debug", {"boot/config-" + os.uname().release: "CONFIG_KASAN=y\nCONFIG_PROVE_LOCKING=y\n"}, "warning",
         "KASAN, lockdep"),
        ("kernel-debug", {"boot/config-" + os.uname().release: None}, "unknown", "no copy"),
        ("init-on-alloc", {"proc/cmdline": "init_on_alloc=1"}, "note", "zeroes all"),
        ("drm-debug", {"sys/module/drm/parameters/debug": "0x1ff"}, "warning", "0x1ff"),
        ("tracefs", {"sys/kernel/tracing/available_tracers": None}, "note", "not mounted"),
        ("cpu-isolation", {f"{CPU}/isolated": "\n"}, "note", "no CPU"),
        ("gpu-interrupts", {"proc/irq/44/effective_affinity_list": None}, "unknown", "ENOENT"),
    ])
    def test_of_one_that_differs(self, machine: Any, name: str, changes: Any, severity: str | None, says: str) -> None:
        found = of(machine(changes), name)
        assert says in found.found
        assert severity is None or found.severity == severity

    def test_of_the_cpu_that_is_measured_on(self, machine: Any) -> None:
        assert "isolated" in of(machine(cpu=3), "cpu-isolation").found
        assert of(machine(cpu=3), "cpu-isolation").severity == "ok"
        assert "timer tick" in of(machine(cpu=2), "cpu-isolation").found
        assert of(machine(cpu=3), "gpu-interrupts").severity == "warning"
        assert of(machine(cpu=2), "gpu-interrupts").severity == "ok"

    def test_of_a_clock_that_may_drift(self, machine: Any) -> None:
        found = of(machine(clock=Clock("tsc", False, 0.4, 10.0, 1.0)), "no-invariant-tsc")
        assert (found.severity, "DRMBENCH_CLOCK" in found.remedy) == ("warning", True)

    def test_of_a_packed_configuration(self, machine: Any, tmp_path: Path) -> None:
        made = machine()
        (tmp_path / "proc/config.gz").write_bytes(gzip.compress(b"CONFIG_KASAN=y\n"))
        assert of(made, "kernel-debug").severity == "warning"
        (tmp_path / "proc/config.gz").write_bytes(gzip.compress(b"CONFIG_KASAN=y\n")[:9])
        assert of(made, "kernel-debug").severity == "ok", "then the one in /boot counts"

    def test_of_a_machine_where_nothing_can_be_read(self, tmp_path: Path) -> None:
        files = KernelFiles(str(tmp_path / "nothing"))
        seen = look(files)
        found = doctor.examine(Machine(files, describe_environment(None, files), TSC, None, (), seen, seen))
        assert {"turbo", "smt", "load", "kernel-debug", "aslr", "swap"} <= {
            f.id for f in found if f.severity == "unknown"}
        assert all(f.found for f in found)

    def test_of_one_without_a_device(self, machine: Any) -> None:
        assert "no DRM device" in of(machine(devices=()), "drm-device").found

    def test_of_a_node_that_is_closed_to_this_user(self, machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        made = machine()
        monkeypatch.setattr(os, "access", lambda path, _mode: not str(path).endswith("card0"))
        first, second = [f for f in doctor.examine(made) if f.id == "node-access"]
        assert (first.severity, first.found) == ("warning", "/dev/dri/card0 may not be opened")
        assert (second.severity, second.target) == ("ok", "amdgpu card0")


class TestWhoElseIsThere:
    """Other processes with an open node, and CPUs that are busy, seen by looking twice."""

    def client(self, tmp_path: Path, pid: int, engine_ns: int, node: str = "/dev/dri/renderD128") -> None:
        fd, info = tmp_path / f"proc/{pid}/fd", tmp_path / f"proc/{pid}/fdinfo"
        fd.mkdir(parents=True, exist_ok=True)
        info.mkdir(parents=True, exist_ok=True)
        (fd / "7").unlink(missing_ok=True)
        (fd / "7").symlink_to(node)
        (tmp_path / f"proc/{pid}/comm").write_text("gl\x1b[2Jgears\n")
        (info / "7").write_text(f"pos:\t0\ndrm-driver:\tamdgpu\ndrm-client-id:\t5\ndrm-engine-gfx:\t{engine_ns} ns\n"
                                "drm-engine-capacity-gfx:\t2\ndrm-engine-compute:\t10 ns\n")

    def examined(self, machine: Any, tmp_path: Path, before_ns: int, after_ns: int) -> Finding:
        made = machine()
        self.client(tmp_path, 4242, before_ns)
        before = look(made.files)
        self.client(tmp_path, 4242, after_ns)
        return of(Machine(made.files, made.environment, TSC, None, (CARD,), before, look(made.files)), "other-users")

    def test_one_that_idles(self, machine: Any, tmp_path: Path) -> None:
        found = self.examined(machine, tmp_path, 1000, 1000)
        assert (found.severity, found.target) == ("note", "amdgpu card0")
        assert "gl [2Jgears (pid 4242, client 5)" in found.found

    def test_one_whose_jobs_run(self, machine: Any, tmp_path: Path) -> None:
        found = self.examined(machine, tmp_path, 1000, 2000)
        assert found.severity == "warning"
        assert "in use meanwhile" in found.found

    def test_engines_add_up_and_their_capacity_is_no_time(self, machine: Any, tmp_path: Path) -> None:
        made = machine()
        self.client(tmp_path, 4242, 1000)
        assert [user.engine_ns for user in look(made.files).users] == [1010]

    def test_other_devices_do_not_count(self, machine: Any, tmp_path: Path) -> None:
        made = machine()
        self.client(tmp_path, 4242, 0, "/dev/dri/card7")
        assert of(Machine(made.files, made.environment, TSC, None, (CARD,), look(made.files), look(made.files)),
                  "other-users").severity == "ok"

    @pytest.mark.parametrize(("cpu", "severity"), [(0, "warning"), (1, "note")])
    def test_a_busy_cpu(self, machine: Any, tmp_path: Path, cpu: int, severity: str) -> None:
        made = machine()
        before = look(made.files)
        (tmp_path / "proc/stat").write_text("cpu0 190 0 100 810 0 0 0 0 0 0\ncpu1 0 0 0 1100 0 0 0 0 0 0\n")
        found = of(Machine(made.files, made.environment, TSC, cpu, (), before, look(made.files)), "busy-cpus")
        assert (found.severity, "0 (90 %)" in found.found) == (severity, True)


class TestTheCommand:
    def test_it_shows_this_machine_and_exits_0(self, drmbench: Any) -> None:
        ran = drmbench("doctor")
        assert (ran.status, ran.err) == (0, "")
        assert max(map(len, ran.out.splitlines())) <= 80
        assert "aslr" in ran.out

    def test_as_json_by_the_schema(self, drmbench: Any, tmp_path: Path) -> None:
        document = drmbench("doctor", "--cpu", "0", "--json", "-").json
        jsonschema.Draft202012Validator(drmbench("schema").json).validate(document)
        (tmp_path / "doctor.json").write_text(json.dumps(document))
        assert "aslr" in drmbench("show", tmp_path / "doctor.json").out

    def test_each_check_has_a_name_of_its_own(self, drmbench: Any) -> None:
        names = [check.id for check in doctor.CHECKS]
        assert len(names) == len(set(names))
        assert {f["id"] for f in drmbench("doctor", "--json", "-").json["results"]} >= set(names) - {
            "node-access", "gpu-interrupts", "other-users"}, "only what is about a device may be missing"

    def test_a_device_that_makes_no_sense_is_a_usage_error(self, drmbench: Any) -> None:
        assert drmbench("doctor", "--device", "no-such-thing").status == 2

    def test_a_driver_that_is_not_here_is_a_finding(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("drmbench.doctor.visit.list_devices", list)
        ran = drmbench("doctor", "--device", "amdgpu")
        assert (ran.status, "no DRM device" in ran.out) == (0, True)

    def test_it_writes_nothing(self) -> None:
        """No file is opened for writing; the one program that runs is ldconfig -p, by which pyudev finds libudev."""
        program = (
            "import sys\n"
            "def hook(event, args):\n"
            "    if event == 'open' and any(c in str(args[1]) for c in 'wa+x'): print(args[0], file=sys.stderr)\n"
            "    if event in {'os.system', 'subprocess.Popen', 'os.posix_spawn', 'os.remove', 'os.rename'}:\n"
            "        if 'ldconfig' not in str(args): print(event, args, file=sys.stderr)\n"
            "sys.addaudithook(hook)\n"
            "from drmbench import cli\n"
            "sys.exit(cli.run(['doctor']))\n"
        )
        ended = subprocess.run([sys.executable, "-B", "-c", program], check=True, capture_output=True, text=True,
                               timeout=60)
        assert ended.stderr == ""


class TestBesideResults:
    def ids(self, machine: Machine) -> set[str]:
        return {caveat.id for caveat in doctor.warnings(machine)}

    def test_warnings_are_caveats_with_the_same_names(self, machine: Any) -> None:
        assert self.ids(machine({"proc/lockdep_stats": "x", "proc/loadavg": "9.0 1 1 1/1 1"})) == {
            "governor", "kernel-debug", "load"}

    def test_a_quiet_machine_has_none(self, machine: Any) -> None:
        assert self.ids(machine({f"{CPU}/cpu0/cpufreq/scaling_governor": "performance"})) == set()

    def test_in_a_report(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("drmbench.doctor.kernel._command_line", lambda _machine: ["page_poison=1"])
        caveats = drmbench("fault-latency", "--device", "anon", "--size", "64KiB", "--runs", "1", "--json",
                           "-").json["caveats"]
        (found,) = [caveat for caveat in caveats if caveat["id"] == "kernel-debug"]
        assert "page_poison" in found["message"]


class TestReadingKernelFiles:
    @pytest.mark.parametrize(("text", "cpus"), [
        ("0-2,5", {0, 1, 2, 5}), ("", set()), ("x", set()), ("3", {3}), ("5-2", set()), ("0-999999999", set()),
    ])
    def test_lists_of_cpus(self, text: str, cpus: set[int]) -> None:
        assert cpu_list(text) == cpus

    def test_what_is_no_file(self, tmp_path: Path) -> None:
        files = KernelFiles(str(tmp_path))
        (tmp_path / "x.gz").write_bytes(b"plain")
        for read in (files.text, files.line, files.number, files.choice, files.names, files.link):
            with pytest.raises(Unreadable, match="ENOENT"):
                read("/none")
        with pytest.raises(Unreadable, match="gzip"):
            files.text("/x.gz")
        with pytest.raises(Unreadable, match="EISDIR"):
            files.text("/")
