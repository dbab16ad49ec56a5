# SPDX-License-Identifier: MIT
"""A labgrid lab on the loopback interface: a real coordinator and exporter, and boards that an sshd here stands for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

BIN = Path(sys.executable).parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(
    command: list[str], folder: Path, ready: Callable[[str], bool], *, limit_s: float = 60,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose log says that it is ready; it ends with the block."""
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   start_new_session=True)
    try:
        until = time.monotonic() + limit_s
        while not ready(log.read_text(errors="replace")):
            assert process.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < until, f"not ready: {log.read_text(errors='replace')}"
            time.sleep(0.05)
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


@dataclass
class Service:
    """Where a board is reached."""

    port: int
    address: str = "127.0.0.1"
    username: str = "root"


@dataclass
class Lab:
    """A coordinator's address, and what tests do to it."""

    folder: Path
    port: int = field(default_factory=free_port)
    places: list[str] = field(default_factory=list)
    _coordinator: subprocess.Popen[bytes] | None = None
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start_coordinator(self) -> None:
        self._coordinator = self._stack.enter_context(running(
            [str(BIN / "labgrid-coordinator"), "-l", self.address], self.folder,
            lambda log: "listening on" in log,
        ))

    def stop_coordinator(self) -> None:
        """As by a crash: nothing is said to anybody. The places have been saved before, as they are every few s."""
        assert self._coordinator is not None
        saved = self.folder / "places.yaml"
        until = time.monotonic() + 60
        while not saved.exists() or any(f"{name}:" not in saved.read_text() for name in self.places):
            assert time.monotonic() < until
            time.sleep(0.1)
        os.killpg(self._coordinator.pid, signal.SIGKILL)
        self._coordinator.wait(10)

    def restart_exporter(self) -> None:
        """Exporters end when they lose their coordinator, and their service manager starts them again."""
        self._start_exporter(self.folder / "exporter.yaml")

    def start_exporter(self, services: Mapping[str, Service]) -> None:
        """An exporter whose group "boards" has a NetworkService of each name."""
        lines = []
        for name, service in services.items():
            lines += [f"{name}:", "  NetworkService:", f"    address: {service.address!r}",
                      f"    username: {service.username!r}", f"    port: {service.port}"]
        config = self.folder / "exporter.yaml"
        config.write_text("\n".join(lines) + "\n")
        self._start_exporter(config)
        self._until(lambda session: len(session.resources.get("shelf", {})) == len(services))

    def _start_exporter(self, config: Path) -> None:
        self._stack.enter_context(running(
            [str(BIN / "labgrid-exporter"), "-c", self.address, "-n", "shelf", "--hostname", "127.0.0.1", str(config)],
            self.folder, lambda log: "exporter hostname" in log,
        ))

    def add_places(self, tags: Mapping[str, Mapping[str, str]]) -> None:
        """A place for each service of that name, with these tags."""
        def make(messages: Any, session: Any) -> Iterator[Any]:
            for name, tag in tags.items():
                yield session.stub.AddPlace(messages.AddPlaceRequest(name=name))
                yield session.stub.AddPlaceMatch(messages.AddPlaceMatchRequest(
                    placename=name, pattern=f"shelf/{name}/NetworkService"))
                if tag:
                    yield session.stub.SetPlaceTags(messages.SetPlaceTagsRequest(placename=name, tags=tag))

        self._do(make)
        self.places += tags

    def acquire(self, place: str) -> None:
        """As the user of LG_HOSTNAME and LG_USERNAME."""
        self._do(lambda messages, session: [session.stub.AcquirePlace(messages.AcquirePlaceRequest(placename=place))])

    def holders(self) -> dict[str, str]:
        """Place -> who has it, "" where nobody does."""
        found: dict[str, str] = {}

        def look(session: Any) -> bool:
            found.update({name: place.acquired or "" for name, place in session.places.items()})
            return True

        self._until(look)
        return found

    def _do(self, make: Callable[[Any, Any], Iterable[Any]]) -> None:
        """Call after call: one that is made is on its way, whether it is waited for or not."""
        from labgrid.remote.generated import labgrid_coordinator_pb2 as messages

        async def work() -> None:
            async with self._session() as session:
                for call in make(messages, session):
                    await call
                await session.sync_with_coordinator()

        asyncio.run(work())

    def _until(self, true: Callable[[Any], bool]) -> None:
        async def work() -> None:
            async with self._session() as session:
                until = time.monotonic() + 30
                while not true(session):
                    assert time.monotonic() < until
                    await asyncio.sleep(0.05)

        asyncio.run(work())

    @contextlib.asynccontextmanager
    async def _session(self) -> Any:
        from drmbench.fleet.coordinator import connected

        async with connected(self.address) as coordinator:
            yield coordinator._session

    def enter(self, process: contextlib.AbstractContextManager[subprocess.Popen[bytes]]) -> None:
        """Something that lives as long as the lab does."""
        self._stack.enter_context(process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_unused: object) -> None:
        self._stack.close()


@contextlib.contextmanager
def ssh_server(folder: Path) -> Iterator[tuple[Service, Path]]:
    """An sshd of our own on a free port, and the private key that it lets in."""
    folder.mkdir()
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    port = free_port()
    Path("/run/sshd").mkdir(exist_ok=True)
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nAuthorizedKeysFile {folder}/key.pub\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPidFile none\nMaxStartups 1000\n"
        "Subsystem sftp internal-sftp\n",
    )
    command = ["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "config")]
    with running(command, folder, lambda log: "listening on" in log):
        yield Service(port), folder / "key"
