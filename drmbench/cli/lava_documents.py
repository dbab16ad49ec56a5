# SPDX-License-Identifier: MIT
"""From the options of `drmbench lava` to YAML on stdout."""

from __future__ import annotations

from dataclasses import fields
from importlib.metadata import version
from typing import Any

import click

from drmbench.errors import UsageError
from drmbench.lava.definition import COMMANDS, DefinitionOptions, Tree, definition, parameters
from drmbench.lava.document import as_yaml
from drmbench.lava.job import JobOptions, Repository, job

Asked = dict[str, Any]
"""The options of the command line by name."""


def print_definition(asked: Asked) -> None:
    """Raises DrmbenchError."""
    click.echo(as_yaml(definition(_definition_options(asked)), _about("test-definition")), nl=False)


def print_job(asked: Asked) -> None:
    """Raises DrmbenchError."""
    context = [pair.partition("=") for pair in asked["context"]]
    if any(not name or not equals for name, equals, _value in context):
        raise UsageError("lava job", "--context", reason="it takes KEY=VALUE")
    names = {each.name for each in fields(JobOptions)}
    options = JobOptions(**{name: value for name, value in asked.items()
                            if name in names and value is not None}
                         | {"context": tuple((name, value) for name, _equals, value in context)})
    click.echo(as_yaml(job(options, _tests(asked)), _about("job")), nl=False)


def _tests(asked: Asked) -> Tree | Repository:
    wanted = _definition_options(asked)
    if not asked["repository"]:
        return definition(wanted)
    given = {name: value for name, value in parameters(wanted).items() if value}
    return Repository(asked["repository"], asked["path"], asked["branch"], given)


def _about(what: str) -> str:
    return f"Written by drmbench {version('drmbench')}: drmbench lava {what}"


def _definition_options(asked: Asked) -> DefinitionOptions:
    commands = tuple(name for name in COMMANDS if name in asked["commands"]) or COMMANDS
    return DefinitionOptions(asked["package"], asked["devices"], commands, asked["arguments"])
