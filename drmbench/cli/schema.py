# SPDX-License-Identifier: MIT
"""drmbench schema."""

from __future__ import annotations

import click


@click.command(name="schema")
def command() -> None:
    """Print the JSON Schema of the reports."""
    from drmbench.store import json_schema  # noqa: PLC0415 (--help must stay quick)

    click.echo(json_schema().decode(), nl=False)
