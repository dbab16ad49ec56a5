# SPDX-License-Identifier: MIT
"""Mappings as YAML, as LAVA's tools and people read it."""

from __future__ import annotations

from drmbench.errors import DrmbenchError


def as_yaml(tree: dict[str, object], about: str) -> str:
    """YAML 1.1 in the order of the mapping, after a comment of one line. Raises DrmbenchError without PyYAML."""
    try:
        import yaml  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise DrmbenchError("lava", "PyYAML", reason=f"cannot be imported ({error})",
                            remedy="pip install 'drmbench[lava]'") from error
    return f"# {about}\n" + yaml.safe_dump(tree, sort_keys=False, width=100, allow_unicode=False)
