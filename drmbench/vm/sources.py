# SPDX-License-Identifier: MIT
"""The machine's own Debian mirror, read from its apt sources; third-party archives are left out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MAIN, _SECURITY = "debian", "debian-security"
# debian-archive-keyring has the keys of every supported suite together, and those of each apart.
_KEYRINGS = "/usr/share/keyrings"
_ALL_SUITES = "debian-archive-keyring"


@dataclass(frozen=True, slots=True)
class Archive:
    """One archive of Debian on one mirror: "debian" or "debian-security", and the keyring that signs it."""

    kind: str
    uri: str
    signed_by: str = ""


def parse_one_line(text: str) -> list[Archive]:
    """Debian archives in the text of a .list file (sources.list(5), one-line style)."""
    found = []
    for raw in text.splitlines():
        line = raw.partition("#")[0].strip()
        kind, _space, rest = line.partition(" ")
        if kind != "deb":
            continue
        options = {}
        rest = rest.strip()
        if rest.startswith("["):
            inside, _bracket, rest = rest[1:].partition("]")
            options = dict(item.split("=", 1) for item in inside.split() if "=" in item)
        words = rest.split()
        if len(words) >= 3:
            found += _archives([words[0]], words[2:], options.get("signed-by", ""))
    return found


def parse_deb822(text: str) -> list[Archive]:
    """Debian archives in the text of a .sources file (sources.list(5), deb822 style)."""
    found = []
    for stanza in _stanzas(text):
        if stanza.get("enabled", "yes").lower() in {"no", "false", "0", "off", "without", "disable"}:
            continue
        if "deb" in stanza.get("types", "").split():
            found += _archives(stanza.get("uris", "").split(), stanza.get("components", "").split(),
                               stanza.get("signed-by", "").strip())
    return found


def _stanzas(text: str) -> list[dict[str, str]]:
    stanzas: list[dict[str, str]] = [{}]
    field = ""
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if not line.strip():
            stanzas.append({})
            field = ""
        elif line[0] in " \t":
            if field:
                stanzas[-1][field] += f"\n{line}"
        else:
            name, _colon, value = line.partition(":")
            field = name.strip().lower()
            stanzas[-1][field] = value.strip()
    return [stanza for stanza in stanzas if stanza]


def _archives(uris: list[str], components: list[str], signed_by: str) -> list[Archive]:
    if "main" not in components:
        return []
    kinds = [(uri.rstrip("/").rsplit("/", 1)[-1].removesuffix(".list"), uri) for uri in uris]
    return [Archive(kind, uri, signed_by) for kind, uri in kinds if kind in {_MAIN, _SECURITY}]


def debian_archives(folder: Path) -> list[Archive]:
    """The first archive of each kind that the apt configuration in `folder` (/etc/apt) names, main first."""
    found: list[Archive] = []
    for path in [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if path.suffix == ".sources":
            found += parse_deb822(text)
        elif path.suffix == ".list":
            found += parse_one_line(text)
    firsts = {archive.kind: archive for archive in reversed(found)}
    return [firsts[kind] for kind in (_MAIN, _SECURITY) if kind in firsts]


def private_sources(archives: list[Archive], suites: tuple[str, ...], security_suites: tuple[str, ...]) -> str:
    """A .sources file with only `suites` of `archives`."""
    stanzas = []
    for archive in archives:
        wanted = security_suites if archive.kind == _SECURITY else suites
        if not wanted:
            continue
        lines = ["Types: deb", f"URIs: {archive.uri}", f"Suites: {' '.join(wanted)}", "Components: main"]
        if archive.signed_by:
            lines.append(f"Signed-By: {_for_any_suite(archive.signed_by)}")
        stanzas.append("\n".join(lines) + "\n")
    return "\n".join(stanzas)


def _for_any_suite(signed_by: str) -> str:
    """`signed_by`, or Debian's whole keyring in place of Debian's keyring of one suite: we look into others."""
    folder, _slash, name = signed_by.rpartition("/")
    stem, extension = os.path.splitext(name)
    if folder != _KEYRINGS or not stem.startswith("debian-archive-") or stem == _ALL_SUITES:
        return signed_by
    for candidate in (f"{_KEYRINGS}/{_ALL_SUITES}{extension}", f"{_KEYRINGS}/{_ALL_SUITES}.gpg"):
        if os.path.exists(candidate):
            return candidate
    return signed_by
