# SPDX-License-Identifier: MIT
"""apt with a configuration and state of its own: signatures checked, nothing installed, no root needed."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from drmbench.errors import DrmbenchError, UnsupportedError
from drmbench.vm.processes import run_whole
from drmbench.vm.programs import find_program, host_kernel_remedy, os_release
from drmbench.vm.sources import debian_archives, private_sources

if TYPE_CHECKING:
    from collections.abc import Callable

    from drmbench.vm.kernels import LabKernel

# What the machine's own configuration says about reaching the mirror; everything else stays outside, hooks too.
_KEPT = ("Acquire::http", "Acquire::https", "Acquire::ftp", "Acquire::tor", "Acquire::Retries",
         "Acquire::ForceIPv", "Acquire::Max-", "Acquire::Check-", "Acquire::By-Hash", "Acquire::Queue-Mode")
_LINE = re.compile(r'^([A-Za-z0-9:_.\-]+) "(.*)";$')
_URI_LINE = re.compile(r"^'([^']*)' (\S+) (\d+) (\S*)$")
_NO_RELEASE = re.compile(r"The repository '\S+ (\S+) (?:In)?Release' (?:does not have|no longer has) a Release file")
_SOURCES = "debian.sources"
# What apt says -> the way out.
_SIGNS = {
    "NO_PUBKEY": "this machine has no key for the suite: apt-get install --only-upgrade debian-archive-keyring",
    "is not valid yet": "the clock of this machine is wrong, or the mirror's is",
    "is expired": "the mirror has not been updated for days: try another one, or, if you trust it, set "
                  'Acquire::Check-Valid-Until "false" in /etc/apt/apt.conf',
}
_APT_TIMEOUT_S = 1800
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Package:
    """One version of one package as the archive's index has it."""

    name: str
    version: str
    depends: str


@dataclass(frozen=True, slots=True)
class Download:
    """One file that apt will fetch: its name, size and "SHA256:..." as the signed index has them."""

    file: str
    size_bytes: int
    digest: str


class Apt:
    """A private apt below `folder`, which sees only the Debian suites of one kernel."""

    def __init__(self, folder: Path, kernel: LabKernel, etc: Path = Path("/etc/apt")) -> None:
        for name in ("apt-get", "apt-cache", "apt-config"):
            if find_program(name) is None:
                raise UnsupportedError("vm", f"kernel {kernel.name}", errno=errno.ENOENT,
                                       reason=f"{name} is not installed: this is no Debian system",
                                       remedy=host_kernel_remedy())
        archives = debian_archives(etc)
        if not any(archive.kind == "debian" for archive in archives):
            system = os_release().get("PRETTY_NAME", "this system")
            raise UnsupportedError("vm", f"kernel {kernel.name}",
                                   reason=f"the apt sources of {system} name no Debian archive",
                                   remedy=host_kernel_remedy())
        self._folder = folder
        self._config = folder / "apt.conf"
        self._kernel = kernel
        self._archives = archives
        self._write(kernel)
        self._write_sources(lacking=set())

    def _write_sources(self, lacking: set[str]) -> None:
        main = tuple(suite for suite in self._kernel.suites if suite not in lacking)
        security = tuple(suite for suite in self._kernel.security_suites if suite not in lacking)
        text = private_sources(self._archives, main, security)
        (self._folder / _SOURCES).write_text(text, encoding="utf-8")

    def _write(self, kernel: LabKernel) -> None:
        for name in ("lists/partial", "cache/archives/partial", "state", "empty"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        (self._folder / "status").touch()
        values = {
            "Dir::State": self._folder / "state", "Dir::State::Lists": self._folder / "lists",
            "Dir::State::status": self._folder / "status",
            "Dir::Cache": self._folder / "cache",
            "Dir::Cache::pkgcache": "", "Dir::Cache::srcpkgcache": "",
            "Dir::Etc::SourceList": self._folder / _SOURCES, "Dir::Etc::SourceParts": self._folder / "empty",
            "Dir::Etc::Parts": self._folder / "empty", "Dir::Etc::main": "/dev/null",
            "Dir::Etc::Preferences": "/dev/null", "Dir::Etc::PreferencesParts": self._folder / "empty",
            "APT::Architecture": kernel.arch, "Acquire::Languages": "none", "APT::Update::Error-Mode": "any",
            "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled": "false",
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        }
        if os.geteuid() == 0:
            # apt would drop to its own user, who cannot write into a private cache.
            values["APT::Sandbox::User"] = "root"
        lines = [f'{name} "{value}";\n' for name, value in values.items()]
        lines.append(f'APT::Architectures {{ "{kernel.arch}"; }};\n')
        self._config.write_text("".join([*_inherited(), *lines]), encoding="utf-8")

    def _run(self, *command: str) -> str:
        done = run_whole(list(command), environment=self._environment(), timeout_s=_APT_TIMEOUT_S)
        if done.returncode:
            raise _failure(command, done.stderr or done.stdout)
        return done.stdout

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "APT_CONFIG": str(self._config), "LC_ALL": "C.UTF-8"}

    def update(self) -> list[str]:
        """Fetch and verify the indexes; returns the suites that the mirror lacks, where others are left.

        Raises DrmbenchError where the mirror or a signature fails, or no suite is left.
        """
        lacking: set[str] = set()
        suites = {*self._kernel.suites, *self._kernel.security_suites}
        while True:
            done = run_whole(["apt-get", "-q", "update"], environment=self._environment(), timeout_s=_APT_TIMEOUT_S)
            if done.returncode == 0:
                return sorted(lacking)
            missing = set(_NO_RELEASE.findall(done.stderr)) - lacking
            if not missing:
                raise _failure(("apt-get", "update"), done.stderr or done.stdout)
            lacking |= missing
            if lacking >= suites:
                raise DrmbenchError("vm", f"kernel {self._kernel.name}",
                                    reason=f"this machine's Debian mirror has no suite {' or '.join(sorted(suites))}",
                                    remedy="name another mirror in the apt sources, or choose another kernel")
            self._write_sources(lacking)

    def packages(self, names: list[str]) -> list[Package]:
        """Every version of each of `names`, as `apt-cache show` orders them (newest first)."""
        if not names:
            return []
        text = self._run("apt-cache", "show", *names)
        found = []
        for stanza in text.split("\n\n"):
            fields = dict(line.split(": ", 1) for line in stanza.splitlines()
                          if ": " in line and not line.startswith(" "))
            if "Package" in fields and "Version" in fields:
                found.append(Package(fields["Package"], fields["Version"], fields.get("Depends", "")))
        return found

    def names(self, pattern: str) -> list[str]:
        """Names of the packages that match the regular expression `pattern` from end to end."""
        known = self._run("apt-cache", "pkgnames", "linux-").split()
        return sorted(name for name in known if re.fullmatch(pattern, name))

    def closure(self, names: list[str]) -> dict[str, str]:
        """Package -> version of `names` and all that they depend on, as if nothing were installed."""
        text = self._run("apt-get", "-q", "-y", "--no-install-recommends", "--print-uris", "install", *names)
        found = [_URI_LINE.match(line) for line in text.splitlines()]
        files = [match[2].split("_") for match in found if match]
        return {file[0]: unquote(file[1]) for file in files}

    def downloads(self, wanted: dict[str, str]) -> list[Download]:
        """The files of package -> version."""
        text = self._run("apt-get", "-q", "--print-uris", "download", *_versions(wanted))
        found = [_URI_LINE.match(line) for line in text.splitlines()]
        return [Download(match[2], int(match[3]), match[4]) for match in found if match]

    def download(self, wanted: dict[str, str], folder: Path, watch: Callable[[int], None]) -> list[Path]:
        """Bring the packages of package -> version into `folder`, resuming what is there; verified by hash.

        `watch` gets the number of bytes that have arrived, several times a second. A file that is
        truncated or altered is fetched once more, then DrmbenchError is raised.
        """
        files = self.downloads(wanted)
        for _attempt in range(2):
            for file in files:
                path = folder / file.file
                if path.exists() and path.stat().st_size >= file.size_bytes and not intact(path, file):
                    path.unlink()
            self._fetch(wanted, folder, files, watch)
            if all(intact(folder / file.file, file) for file in files):
                return [folder / file.file for file in files]
        broken = next(file.file for file in files if not intact(folder / file.file, file))
        raise DrmbenchError("vm", f"download {broken}", errno=errno.EBADMSG,
                            reason="size or hash differ from the signed index",
                            remedy="the mirror is inconsistent: try again later")

    def _fetch(self, wanted: dict[str, str], folder: Path, files: list[Download],
               watch: Callable[[int], None]) -> None:
        command = ["apt-get", "-q", "download", *_versions(wanted)]
        log = self._folder / "download.log"
        with log.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(command, env=self._environment(), cwd=folder, stdin=subprocess.DEVNULL,
                                       stdout=output, stderr=output)
            try:
                while process.poll() is None:
                    watch(sum(_size(folder / file.file) for file in files))
                    time.sleep(_POLL_S)
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
        if process.returncode:
            raise _failure(tuple(command), log.read_text(encoding="utf-8", errors="replace"))


def _versions(wanted: dict[str, str]) -> list[str]:
    return [f"{name}={version}" for name, version in wanted.items()]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def intact(path: Path, file: Download) -> bool:
    """Whether `path` has the size and hash that the index gives for `file`."""
    if _size(path) != file.size_bytes:
        return False
    kind, _colon, digest = file.digest.partition(":")
    if kind.lower() not in {"sha256", "sha512"}:
        return False
    with path.open("rb") as content:
        return hashlib.file_digest(content, kind.lower()).hexdigest() == digest


def _inherited() -> list[str]:
    done = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL)
    return [f"{line}\n" for line in done.stdout.splitlines() if _LINE.match(line) and line.startswith(_KEPT)]


def _failure(command: tuple[str, ...], text: str) -> DrmbenchError:
    what = " ".join(word for word in command[:3] if word != "-q")
    complaints = [line[3:].strip() for line in text.splitlines() if line.startswith(("E: ", "W: "))]
    reason = complaints[0] if complaints else (text.strip().splitlines() or ["no message"])[-1]
    if "No space left" in text:
        return DrmbenchError("vm", what, errno=errno.ENOSPC, remedy="free some space in the cache directory")
    # The complaint that explains the others, wherever it stands among them.
    for sign, remedy in _SIGNS.items():
        telling = next((line for line in complaints if sign in line), None)
        if telling is not None:
            return DrmbenchError("vm", what, reason=telling, remedy=remedy)
    return DrmbenchError("vm", what, reason=reason, remedy="check the network and the machine's apt sources")
