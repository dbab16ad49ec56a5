# SPDX-License-Identifier: MIT
"""Report -> CSV: raw numbers under dotted names."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from drmbench.render.rows import rows_of

if TYPE_CHECKING:
    from drmbench.model import Report


def render_csv(report: Report) -> str:
    """RFC 4180 with a header line; an empty field is a null."""
    rows = rows_of(report)
    output = io.StringIO()
    names = dict.fromkeys(name for row in rows for name in row)
    # A part that one row lacks is a null there, and a group of columns in another row.
    groups = {name.rpartition(".")[0] for name in names}
    columns = [name for name in names if name not in groups]
    writer = csv.DictWriter(output, fieldnames=columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return output.getvalue()
