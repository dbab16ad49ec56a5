# SPDX-License-Identifier: MIT
"""drmbench devices."""

from __future__ import annotations

import click


@click.command(name="devices")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """List the DRM nodes and what drmbench can do with each."""
    from drmbench.inventory import take_inventory  # noqa: PLC0415 (--help must stay quick)
    from drmbench.render.devices import devices_document  # noqa: PLC0415
    from drmbench.render.table import render_table  # noqa: PLC0415
    from drmbench.store import encode  # noqa: PLC0415

    found = take_inventory()
    click.echo(encode(found).decode() if as_json else render_table(devices_document(found)), nl=False)
