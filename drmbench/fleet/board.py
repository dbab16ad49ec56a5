# SPDX-License-Identifier: MIT
"""One board, in a process of its own: reach it through labgrid's SSHDriver, bring drmbench there, run it.

A process of its own because labgrid keeps one stack of steps for all threads, and because a board that hangs
must be something that can be killed.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec

from drmbench.errors import EXIT_UNSUPPORTED, DrmbenchError, one_line
from drmbench.fleet import wheelhouse
from drmbench.fleet.job import Answer, Job, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from types import FrameType

_OUTPUT_LINES = 20
_SSH_ITSELF_FAILED = 255
_STOP_LIMIT_S = 10.0


class _Ended(Exception):  # noqa: N818 (how a board ends is no error of this process)
    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.reason)
        self.answer = answer


def look_after(encoded: bytes, connection: Connection) -> None:
    """The process's whole life: stage names go out through `connection`, then an encoded Answer.

    SIGTERM ends what runs on the board too.
    """
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which then sends SIGTERM
    signal.signal(signal.SIGTERM, _terminated)
    threading.Thread(target=_end_with_parent, args=(connection,), daemon=True).start()
    job = msgspec.json.decode(encoded, type=Job)
    with tempfile.TemporaryFile() as noise:  # scp and labgrid print where they like
        os.dup2(noise.fileno(), 1)
        os.dup2(noise.fileno(), 2)
        answer = _answer(job, lambda stage: connection.send_bytes(stage.encode()), noise)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # nothing runs on the board any more
        with contextlib.suppress(OSError):
            connection.send_bytes(msgspec.json.encode(answer))
        connection.close()


def _end_with_parent(connection: Connection) -> None:
    """The parent says nothing; the end of its side means that it is gone, however it went."""
    with contextlib.suppress(EOFError, OSError):
        connection.recv_bytes()
    os.kill(os.getpid(), signal.SIGTERM)


def _terminated(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _answer(job: Job, say: Callable[[str], None], noise: Any) -> Answer:  # noqa: ANN401 (a temporary file)
    try:
        with _board(job, say) as board:
            return board.measured()
    except _Ended as ended:
        answer = ended.answer
        return answer if answer.output else msgspec.structs.replace(answer, output=_told(noise))
    except KeyboardInterrupt:
        return Answer("interrupted", "interrupted")
    except Exception as error:  # noqa: BLE001 (whatever labgrid raises belongs to this board alone)
        return Answer("failed", one_line(f"{type(error).__name__}: {error}"), output=_told(noise))


def _told(noise: Any) -> list[str]:  # noqa: ANN401 (a temporary file)
    noise.seek(0)
    return _last(noise.read().decode(errors="replace").splitlines())


@contextlib.contextmanager
def _board(job: Job, say: Callable[[str], None]) -> Iterator[_Board]:
    from labgrid import Target  # noqa: PLC0415 (an extra, loaded before the fork)
    from labgrid.driver.sshdriver import SSHDriver  # noqa: PLC0415
    from labgrid.resource.networkservice import NetworkService  # noqa: PLC0415

    target = Target(job.place)
    service = NetworkService(target, None, address=job.address, username=job.username, port=job.port,
                             password=job.password)
    service.extra = job.extra
    driver = SSHDriver(target, None, keyfile=job.key_file, connection_timeout=job.connect_s)
    say("connecting")
    begun = time.monotonic_ns()
    try:
        target.activate(driver)
    except Exception as error:  # noqa: BLE001 (labgrid raises plain Exception where SSH does not answer)
        raise _Ended(_unreachable(job, error)) from None
    try:
        yield _Board(job, driver, say, time.monotonic_ns() - begun)
    finally:
        with contextlib.suppress(Exception):
            target.deactivate(driver)


def _unreachable(job: Job, error: BaseException) -> Answer:
    told: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        told += [line.decode(errors="replace") if isinstance(line, bytes) else str(line)
                 for line in getattr(cause, "stdout", None) or ()]
        cause = cause.__cause__
    told = [line for line in told if line.strip()]
    why = told[-1] if told else str(error)
    return Answer("unreachable", one_line(f"no SSH within {job.connect_s:g} s: {why}"), output=_last(told))


class _Board:
    def __init__(self, job: Job, driver: Any, say: Callable[[str], None], connect_ns: int) -> None:  # noqa: ANN401
        self._job = job
        self._driver = driver
        self._say = say
        self._connect_ns = connect_ns
        self._pid_file = f"/tmp/drmbench-fleet-{os.getpid()}-{time.time_ns()}"  # noqa: S108 (on the board; unique)

    def measured(self) -> Answer:
        """Deploy where that was asked for, then run the command."""
        program = self._job.remote
        begun = time.monotonic_ns()
        if not program:
            self._say("deploying")
            program = self._deployed()
        deploy_ns = time.monotonic_ns() - begun
        self._say("running")
        begun = time.monotonic_ns()
        answer = self._ran(program)
        return msgspec.structs.replace(answer, connect_ns=self._connect_ns, deploy_ns=deploy_ns,
                                       run_ns=time.monotonic_ns() - begun)

    def _run(self, command: str) -> tuple[list[str], list[str], int]:
        """(stdout, stderr, status); raises _Ended where the connection or the time is gone."""
        try:
            out, err, status = self._driver.run(command, decodeerrors="replace", timeout=self._job.limit_s)
        except subprocess.TimeoutExpired as expired:
            seen = [line for part in (expired.stdout, expired.stderr) for line in _lines(part)]
            self.stop()
            raise _Ended(Answer("timed-out", f"not finished after {self._job.limit_s:g} s",
                                output=_last(seen))) from None
        except KeyboardInterrupt:
            self.stop()
            raise
        if status == _SSH_ITSELF_FAILED:
            why = next((line for line in reversed(err) if line.strip()), "the connection ended")
            raise _Ended(Answer("lost", one_line(f"the board went away: {why}"), status, _last([*out, *err])))
        return out, err, status

    def _deployed(self) -> str:
        digest = self._job.digest
        out, err, status = self._run(wheelhouse.probe_command(digest))
        if not out or status:
            raise _Ended(Answer("failed", "the board's shell does not answer", status, _last([*out, *err])))
        if "ready" not in out:
            try:
                fitting = wheelhouse.for_machine(self._job.wheels, out[0].strip())
            except DrmbenchError as error:
                raise _Ended(Answer("failed", str(error))) from None
            for wheel in fitting:
                self._driver.put(wheel, wheelhouse.incoming(digest) + "/")
            out, err, status = self._run(wheelhouse.install_command(digest))
            if status:
                why = next((line for line in reversed(err) if line.strip()), "python3 -m venv or pip failed")
                raise _Ended(Answer("failed", one_line(f"drmbench could not be installed: {why}"), status,
                                    _last([*out, *err])))
        return wheelhouse.program(digest)

    def _ran(self, program: str) -> Answer:
        words = shlex.join([program, *self._job.command, "--json", "-"])
        inner = f"echo $$ > {self._pid_file}; exec {words}"
        try:
            out, err, status = self._run("sh -c " + shlex.quote(inner))
        finally:
            self.forget()
        document = "\n".join(out).encode()
        state: State = "finished" if status == 0 else "unsupported" if status == EXIT_UNSUPPORTED else "failed"
        why = next((line for line in reversed(err) if line.startswith("drmbench:")), "")
        if status and not why:
            why = next((line for line in reversed(err) if line.strip()), f"exit status {status}")
        return Answer(state, one_line(why) if status else "", status, _last(err), document)

    def stop(self) -> None:
        """End what runs there; the board may be gone, so no failure of this counts."""
        with contextlib.suppress(Exception):
            self._driver.run(f"kill -TERM $(cat {self._pid_file}) ; rm -f {self._pid_file}", timeout=_STOP_LIMIT_S)

    def forget(self) -> None:
        with contextlib.suppress(Exception):
            self._driver.run(f"rm -f {self._pid_file}", timeout=_STOP_LIMIT_S)


def _lines(part: bytes | str | None) -> list[str]:
    if part is None:
        return []
    return (part.decode(errors="replace") if isinstance(part, bytes) else part).splitlines()


def _last(lines: list[str]) -> list[str]:
    return [one_line(line)[:500] for line in lines if line.strip()][-_OUTPUT_LINES:]

