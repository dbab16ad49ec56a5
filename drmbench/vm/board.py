# SPDX-License-Identifier: MIT
"""A virtual machine as a board: it runs an SSH server on a loopback port of this machine until it is ended."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from drmbench.errors import DrmbenchError

if TYPE_CHECKING:
    from pathlib import Path

MODULES = ("virtio_net",)
"""Of the guest's kernel, what its network needs."""

_GUEST_PORT = 22
# QEMU's user network gives the guest this address without DHCP; restrict keeps it from going anywhere.
_GUEST_ADDRESS = "10.0.2.15"

# The session of an SSH client starts from nothing: what says which drivers are simulated has to be in it.
_SCRIPT = """\
set -e
modprobe virtio_net
for interface in /sys/class/net/*; do
    interface=${{interface##*/}}
    [ "$interface" = lo ] || busybox ifconfig "$interface" {address} netmask 255.255.255.0 up
done
mkdir -p /run/sshd /run/drmbench/ssh
cd /run/drmbench/ssh
printf '%s\\n' {keys} > keys
# virtme-ng locks root's account, and sshd refuses a locked one even with a key; the host's file is not touched.
sed 's/^root:[^:]*:/root:*:/' /etc/shadow > shadow
chmod 600 shadow
mount --bind shadow /etc/shadow
ssh-keygen -q -t ed25519 -N '' -f host_key
{{
    printf '%s\\n' 'HostKey /run/drmbench/ssh/host_key' 'AuthorizedKeysFile /run/drmbench/ssh/keys' \\
        'StrictModes no' 'UsePAM no' 'PasswordAuthentication no' 'PermitRootLogin prohibit-password' \\
        'UseDNS no' 'PrintMotd no' 'Subsystem sftp internal-sftp'
    printf SetEnv
    env | grep -E '^(PATH|DRMBENCH_[A-Z_]*|PYTHON[A-Z]*|VIRTUAL_ENV|LANG|LC_ALL)=' | while IFS= read -r line; do
        printf ' "%s"' "$line"
    done
    echo
}} > config
echo 'SSH server ready'
exec /usr/sbin/sshd -D -e -f /run/drmbench/ssh/config
"""


def network_options(port: int) -> list[str]:
    """QEMU options that lead 127.0.0.1:`port` here to the guest's SSH server, and nothing else anywhere."""
    forward = f"hostfwd=tcp:127.0.0.1:{port}-{_GUEST_ADDRESS}:{_GUEST_PORT}"
    return ["-netdev", f"user,id=board,restrict=on,{forward}", "-device", "virtio-net-pci,netdev=board,romfile="]


def board_command(authorized_keys: Path) -> tuple[str, ...]:
    """What the guest runs; it ends with the machine. Raises DrmbenchError for keys that cannot be read."""
    try:
        keys = [line for line in authorized_keys.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DrmbenchError(str(authorized_keys), "read", errno=getattr(error, "errno", None),
                            reason=None if isinstance(error, OSError) else "this is no public key",
                            remedy="name a public key: --authorized-key ~/.ssh/id_ed25519.pub") from None
    return "sh", "-c", _SCRIPT.format(address=_GUEST_ADDRESS, keys=" ".join(shlex.quote(key) for key in keys))
