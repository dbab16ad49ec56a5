# SPDX-License-Identifier: MIT
"""Man pages from the command line's own parser: man_pages.py FOLDER.

click-man knows neither commands that are loaded late nor click's mark for lines that stay as they are.
"""

from __future__ import annotations

import os
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from drmbench.cli import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEEP = "\b"
_STATUS = (("0", "Done."), ("1", "An error, told in one line on stderr."), ("2", "The command line makes no sense."),
           ("3", "A regression that was asked about was found."),
           ("77", "Nothing here supports what was asked for: a test harness would call it skipped."))
_VARIABLES = (
    ("DRMBENCH_DEVICE", "Devices to use where --device is not given, separated by semicolons."),
    ("IGT_DEVICE", "The same, where DRMBENCH_DEVICE is not set; as for the programs of igt-gpu-tools."),
    ("DRMBENCH_CLOCK", "The clock to time with: tsc, cntvct_el0 or clock_gettime."),
    ("XDG_CACHE_HOME", "Where kernels and other fetched things are kept, in a folder drmbench.  [~/.cache]"),
)
_COMPLETION = (
    ("bash", 'eval "$(_DRMBENCH_COMPLETE=bash_source drmbench)"', "~/.bashrc"),
    ("zsh", 'eval "$(_DRMBENCH_COMPLETE=zsh_source drmbench)"', "~/.zshrc"),
    ("fish", "_DRMBENCH_COMPLETE=fish_source drmbench | source", "~/.config/fish/config.fish"),
)


def escaped(text: str) -> str:
    """Text that troff prints as it is: no request at the start of a line, hyphens that can be copied."""
    clean = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    clean = clean.replace("^", "\\(ha").replace("~", "\\(ti")
    return f"\\&{clean}" if clean.startswith((".", "\\(aq")) else clean


def contexts(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[click.Context]:
    """The command and everything below it that is not hidden."""
    context = click.Context(command, info_name=name, parent=parent)
    yield context
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            if found is not None and not found.hidden:
                yield from contexts(found, each, context)


def paragraphs(text: str) -> Iterator[str]:
    """A help text: filled paragraphs, and lines that stay as they are."""
    for number, block in enumerate(re.split(r"\n\s*\n", text.strip())):
        lines = [line.strip() for line in block.splitlines()]
        if number:
            yield ".PP"
        if lines and lines[0] == _KEEP:
            yield from (".nf", *(escaped(line) for line in block.splitlines()[1:]), ".fi")
        else:
            yield escaped(" ".join(line for line in lines if line))


def page(context: click.Context) -> str:
    """The page of one command."""
    command = context.command
    name = context.command_path.replace(" ", "-")
    short = command.get_short_help_str(200).rstrip(".")
    lines = [
        f'.TH "{escaped(name.upper())}" "1" "" "drmbench {escaped(version("drmbench"))}" "drmbench"',
        ".SH NAME", f"{escaped(name)} \\- {escaped(short[:1].lower() + short[1:])}",
        ".SH SYNOPSIS", f".B {escaped(context.command_path)}",
        escaped(" ".join(command.collect_usage_pieces(context))),
        ".SH DESCRIPTION", *paragraphs(command.help or short),
        *options(context), *commands(context),
    ]
    if command.epilog:
        lines += [".SH EXAMPLE", *paragraphs(command.epilog)]
    if context.parent is None:
        lines += top(context)
    else:
        lines += [".SH SEE ALSO", f".BR {escaped(context.parent.command_path.replace(' ', '-'))} (1)"]
    return "\n".join(lines) + "\n"


def options(context: click.Context) -> Iterator[str]:
    """The options, as --help tells them."""
    records = [each.get_help_record(context) for each in context.command.get_params(context)]
    told = [record for record in records if record is not None]
    if told:
        yield ".SH OPTIONS"
    for usage, meaning in told:
        yield from (".TP", f".B {escaped(usage)}", escaped(" ".join(meaning.split())) or "\\&")


def commands(context: click.Context) -> Iterator[str]:
    """The sub-commands, each with its page."""
    below = [each for each in contexts(context.command, str(context.info_name), context.parent)
             if each.command_path.count(" ") == context.command_path.count(" ") + 1]
    if below:
        yield ".SH COMMANDS"
    for each in below:
        yield from (".TP", f".BR {escaped(each.command_path.replace(' ', '-'))} (1)",
                    escaped(each.command.get_short_help_str(200)))


def top(_context: click.Context) -> Iterator[str]:
    """What holds for all commands."""
    for title, entries in (("EXIT STATUS", _STATUS), ("ENVIRONMENT", _VARIABLES)):
        yield f".SH {title}"
        for name, meaning in entries:
            yield from (".TP", f".B {escaped(name)}", escaped(meaning))
    yield ".SH SHELL COMPLETION"
    yield "A line in the shell\\(aqs start file lets Tab complete commands, options, devices, buffer kinds and cases:"
    for shell, line, path in _COMPLETION:
        yield from (".TP", f"{shell}, {escaped(path)}", f"\\fB{escaped(line)}\\fR")


def main(folder: Path) -> None:
    """Write every page; one that has no command any more goes."""
    os.environ.setdefault("COLUMNS", "80")
    folder.mkdir(parents=True, exist_ok=True)
    pages = {f"{context.command_path.replace(' ', '-')}.1": page(context) for context in contexts(cli, "drmbench")}
    for old in folder.glob("drmbench*.1"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    print(f"{len(pages)} pages in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
