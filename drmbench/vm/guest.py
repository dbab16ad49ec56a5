# SPDX-License-Identifier: MIT
"""The script that the guest runs: mounts, drivers, then the user's command with its own streams and status."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drmbench.vm.devices import LabDevice
    from drmbench.vm.shares import Share

# Where the guest sees the exchange directory; /run is always a fresh tmpfs there.
EXCHANGE = "/run/drmbench/exchange"
EXCHANGE_TAG = "drmbench"
# Written to the guest's kernel log when its drivers are about to load: what comes before is the boot's business.
LOG_MARK = "drmbench: loading drivers"
_MOUNT = "mount -t 9p -o trans=virtio,version=9p2000.L,access=any,msize=524288"
_INHERITED = ("HOME", "LANG", "LANGUAGE", "TZ", "TERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR",
              "VIRTUAL_ENV", "SOURCE_DATE_EPOCH")
_INHERITED_PREFIXES = ("PYTHON", "DRMBENCH_", "LC_")

_PROLOGUE = """\
#!/bin/sh
exchange=$(dirname -- "$0")
stage() { echo "$1" > "$exchange/stage"; }
give_up() {
    { printf '%s\\n' "$1"; shift; printf '%s\\n' "$@"; } > "$exchange/failure.new"
    dmesg 2>/dev/null | tail -n 25 > "$exchange/kmsg"
    mv "$exchange/failure.new" "$exchange/failure"
    sync
    exit 1
}
node_of() {
    for card in /sys/class/drm/card[0-9]*; do
        case "$card" in *-*) continue;; esac
        for link in "$card/device" "$card/device/driver"; do
            name=$(readlink -f "$link" 2>/dev/null) || continue
            name=${name##*/}
            for wanted in "$@"; do
                [ "$name" = "$wanted" ] && [ -c "/dev/dri/${card##*/}" ] && return 0
            done
        done
    done
    return 1
}
load() {
    modules=$1; shift
    node_of "$@" && return 0
    for module in $(echo "$modules" | tr '|' ' '); do
        answer=$(modprobe -- "$module" 2>&1) && return 0
    done
    give_up "modprobe $modules" "$answer"
}
await_node() {
    device=$1; shift
    tries=0
    until node_of "$@"; do
        tries=$((tries + 1))
        [ "$tries" -gt 50 ] && give_up "$device" "the module is loaded, but no /dev/dri/cardN belongs to it"
        sleep 0.1
    done
}
layer() {
    below=/run/drmbench/$1
    mkdir -p "$below/lower" "$below/upper" "$below/work" && mount --bind -- "$2" "$below/lower" &&
        mount -t overlay -o "lowerdir=$below/lower,upperdir=$below/upper,workdir=$below/work" overlay "$2"
}
stage booted
"""

_EPILOGUE = """\
stage running
( exec < /dev/null >> "$exchange/stdout" 2>> "$exchange/stderr"; . "$exchange/command.sh" )
status=$?
dmesg > "$exchange/kmsg" 2>/dev/null
sync
echo "$status" > "$exchange/status.new"
mv "$exchange/status.new" "$exchange/status"
sync
"""


def entry_command() -> str:
    """What vng's --exec gets: mount the exchange directory and run the script in it."""
    return f"mkdir -p {EXCHANGE} && {_MOUNT} {EXCHANGE_TAG} {EXCHANGE} && exec sh {EXCHANGE}/guest.sh"


def _quoted(value: str | Path) -> str:
    return shlex.quote(str(value))


def share_tag(index: int) -> str:
    """9p mount tag of share number `index`."""
    return f"drmbench{index}"


def guest_script(shares: list[Share], devices: tuple[LabDevice, ...]) -> str:
    """guest.sh: hand the shares out, load the drivers, wait for their nodes, run command.sh, record its status."""
    lines = [_PROLOGUE]
    for index, share in enumerate(shares):
        access = "" if share.writable else ",ro,cache=loose"
        where = _quoted(share.path)
        layer = f" && layer {share_tag(index)} {where}" if share.layered else ""
        lines.append(f"mkdir -p {where} && {_MOUNT}{access} {share_tag(index)} {where}{layer} ||"
                     f" give_up {_quoted(f'mount {share.path}')} 'the guest cannot mount this directory'\n")
    lines.append(f"echo {_quoted(LOG_MARK)} > /dev/kmsg\nstage drivers\n")
    for device in devices:
        names = " ".join(_quoted(name) for name in device.sysfs)
        lines += [f"load {_quoted(module)} {names}\n" for module in device.modules]
    for device in devices:
        names = " ".join(_quoted(name) for name in device.sysfs)
        lines.append(f"await_node {_quoted(device.name)} {names}\n")
    return "".join([*lines, _EPILOGUE])


def inherited() -> dict[str, str]:
    """What of our environment matters to the command."""
    return {name: value for name, value in os.environ.items()
            if name in _INHERITED or name.startswith(_INHERITED_PREFIXES)}


def environment(bin_directory: str, facts: dict[str, str]) -> dict[str, str]:
    """The command's whole environment: ours where it matters, PATH with our own program first, then `facts`."""
    path = [bin_directory, str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath),
            "/usr/sbin:/sbin"]
    return {"HOME": "/root", **inherited(), "PATH": ":".join(path), **facts}


def command_script(command: tuple[str, ...], working: Path, variables: dict[str, str]) -> str:
    """command.sh, which ends as the command does: 127 where the guest has no such command, 126 where it cannot run."""
    words = " ".join(shlex.quote(word) for word in command)
    assignments = " ".join(shlex.quote(f"{name}={value}") for name, value in variables.items())
    return (f"cd -- {_quoted(working)} || exit 126\n"
            f"exec env -i {assignments} {words}\n")


def program_shim() -> str:
    """A `drmbench` for the guest that is this very program, however it was started here."""
    code = (f"import sys; sys.path.append({str(Path(__file__).parents[2])!r}); sys.argv[0] = 'drmbench'; "
            "from drmbench.cli import main; main()")
    return f'#!/bin/sh\nexec {_quoted(sys.executable)} -P -c {shlex.quote(code)} "$@"\n'
