# SPDX-License-Identifier: MIT
"""The command line: one file per sub-command, imported only when it is called, and one error boundary."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import TYPE_CHECKING

import click

from drmbench.errors import EXIT_CANNOT_TEST, EXIT_ERROR, EXIT_UNSUPPORTED, EXIT_USAGE, DrmbenchError, one_line

if TYPE_CHECKING:
    from types import FrameType

    from click.shell_completion import CompletionItem

# name -> (module, one line for --help); the line stands here so that --help imports nothing else.
COMMANDS = {
    "devices": ("drmbench.cli.devices", "List the DRM nodes and what drmbench can do with each."),
    "doctor": ("drmbench.cli.doctor", "Show what of this machine changes which number."),
    "fault-latency": ("drmbench.cli.fault_latency", "Time and count the first touches of mapped buffers."),
    "compare-populate": ("drmbench.cli.compare_populate", "Prove which populate strategies did anything."),
    "explain": ("drmbench.cli.explain", "Show how a driver maps its buffers, and name the mechanism."),
    "lifecycle": ("drmbench.cli.lifecycle", "Time each call of a buffer's life, with 1 to 10000 others alive."),
    "bandwidth": ("drmbench.cli.bandwidth", "Measure how fast bytes move through a mapping."),
    "trace": ("drmbench.cli.trace", "Show the kernel's own call graph of mmap, touch and munmap."),
    "verify": ("drmbench.cli.verify", "Check the kernel's mmap rules on each device, case by case."),
    "stress": ("drmbench.cli.stress", "Run random programs of mapping calls against a model."),
    "scale": ("drmbench.cli.scale", "Take faults with several workers at once, and by buffer size."),
    "compare": ("drmbench.cli.compare", "Tell what changed between saved reports, or devices measured live."),
    "show": ("drmbench.cli.show", "Print a saved JSON report again."),
    "schema": ("drmbench.cli.schema", "Print the JSON Schema of the reports."),
    "fleet": ("drmbench.cli.fleet", "Measure on many boards of a labgrid lab."),
    "lava": ("drmbench.cli.lava", "Write jobs and test definitions for a LAVA lab."),
    "vm": ("drmbench.cli.vm", "Run any of this on real DRM drivers in a virtual machine."),
}


_SWALLOWED_AGAIN_S = 0.02
_INTERRUPTED = "interrupted: nothing was finished"


class LazyGroup(click.Group):
    """Finds a sub-command in COMMANDS and imports its module only then."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(COMMANDS[cmd_name][0]).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name][0]}.command is no click command")
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands with their lines, none of them imported; the options are click's."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 (only while completing)

        if incomplete[:1] == "-":
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(name, help=line) for name, (_module, line) in COMMANDS.items()
                if name.startswith(incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_module, line) in COMMANDS.items()])


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version  # noqa: PLC0415 (slow to import, seldom needed)

        click.echo(f"drmbench {version('drmbench')}")
        from drmbench.build_facts import build_facts  # noqa: PLC0415 (brings the native code)

        for line in build_facts():
            click.echo(line)
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
              help="Print the version, and what it was built with, and exit.")
def cli() -> None:
    """Show what the first touch of a mapped GPU buffer costs.

    Counts the page faults beside every time, on any DRM driver. Results go to
    stdout, progress and warnings to stderr. Exit status: 0 ok, 1 error,
    2 usage, 77 nothing here supports what was asked for.
    """


def _complain(text: str) -> None:
    click.echo(f"drmbench: {one_line(text)}", err=True)


def _usage(error: click.UsageError) -> str:
    path = error.ctx.command_path if error.ctx else "drmbench"
    command = path.removeprefix("drmbench").strip()
    where = f"{command}: " if command else ""
    return f"{where}{error.format_message().rstrip('.')}: see {path} --help"


class _Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM.

    CPython notes KeyboardInterrupt itself when it passes through exec(), which dataclasses use, and ends by SIGINT
    in the end although it was caught (Python/pythonrun.c, run_eval_code_obj()).
    """


def _interrupt(_signum: int, _frame: FrameType | None) -> None:
    raise _Interrupted


def _not_swallowed(unraisable: sys.UnraisableHookArgs) -> None:
    """Raise an interruption again that fell into a callback which may not fail, such as one around fork()."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        signal.signal(signal.SIGALRM, _interrupt)
        signal.setitimer(signal.ITIMER_REAL, _SWALLOWED_AGAIN_S)  # when that callback is over
    else:
        sys.__unraisablehook__(unraisable)


def _explain(error: Exception) -> tuple[str, int]:
    """(line for stderr, exit status) of an expected failure; an unexpected one is raised again."""
    if isinstance(error, DrmbenchError):
        return str(error), error.exit_code
    if isinstance(error, click.UsageError):
        return _usage(error), EXIT_USAGE
    if isinstance(error, click.ClickException):
        return error.format_message(), error.exit_code
    if isinstance(error, click.Abort):
        return _INTERRUPTED, EXIT_ERROR
    if isinstance(error, OSError) and error.errno is not None:
        return str(DrmbenchError(str(error.filename or "system"), "input/output", errno=error.errno)), EXIT_ERROR
    if isinstance(error, MemoryError):
        return "out of memory: try a smaller --size", EXIT_ERROR
    raise error


def _bisecting(arguments: list[str]) -> bool:
    return arguments[:1] == ["compare"] and "--bisect" in arguments


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit status; every expected failure is one line on stderr."""
    status = _run(arguments)
    if _bisecting(arguments) and status in {EXIT_ERROR, EXIT_USAGE, EXIT_UNSUPPORTED}:
        return EXIT_CANNOT_TEST  # to git bisect run, these would be verdicts on the commit
    return status


def _run(arguments: list[str]) -> int:
    try:
        with cli.make_context("drmbench", arguments) as context:
            status = cli.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        return done.exit_code
    except KeyboardInterrupt:
        _complain(_INTERRUPTED)
        return EXIT_ERROR
    except BrokenPipeError:
        return EXIT_ERROR  # the reader of our stdout has seen enough
    except Exception as error:  # noqa: BLE001 (_explain raises what it does not know)
        line, status = _explain(error)
        _complain(line)
    return status if isinstance(status, int) else 0


def _occupy_standard_descriptors() -> None:
    """Open /dev/null for each of 0, 1, 2 that is closed, so that no node and no report ever gets its number.

    Results written to a closed stdout fail with EBADF, since /dev/null stands there for reading only.
    """
    while (fd := os.open(os.devnull, os.O_RDONLY)) <= 2:
        pass
    os.close(fd)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def main() -> None:
    """Entry point of the `drmbench` program."""
    _occupy_standard_descriptors()
    if "_DRMBENCH_COMPLETE" in os.environ:
        cli.main(prog_name="drmbench")  # click's shell completion
    signal.signal(signal.SIGTERM, _interrupt)
    sys.unraisablehook = _not_swallowed
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # and not ignored, as behind nohup
        signal.signal(signal.SIGINT, _interrupt)
    status = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:
        # Already reported; without a place to go the interpreter would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(status)
