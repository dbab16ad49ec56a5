# SPDX-License-Identifier: MIT
"""`drmbench lava`: jobs and test definitions for a LAVA lab, on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")
_COMMANDS = ("fault-latency", "compare-populate", "verify")
_METHODS = ("u-boot", "grub", "ipxe", "barebox", "depthcharge", "qemu")


@click.group()
def command() -> None:
    """Write jobs and test definitions for a LAVA lab, as YAML.

    Each count, percentile and verdict becomes a test case with its units.
    """


def _definition_options(function: F) -> F:
    for option in reversed((
        click.option("--install", "package", default="", metavar="REQUIREMENT",
                     help="What pip installs on the board: the URL of a wheel, or of sources, which need a compiler "
                          "there. Required, but with --repository."),
        click.option("--device", "devices", multiple=True, metavar="SPEC", help="As for fault-latency; repeatable."),
        click.option("--command", "commands", multiple=True, type=click.Choice(_COMMANDS),
                     help="Run only this; repeatable.  [default: all three]"),
        click.option("--arguments", default="", metavar="WORDS",
                     help="Options for fault-latency and compare-populate, as in '--size 1MiB --runs 9'."),
    )):
        function = option(function)
    return function


@command.command(name="test-definition", epilog="Example: drmbench lava test-definition --device vkms > drmbench.yaml")
@_definition_options
def test_definition(**asked: Any) -> None:  # noqa: ANN401 (click's options)
    """Print a test definition that installs drmbench and runs it."""
    from drmbench.cli.lava_documents import print_definition  # noqa: PLC0415 (--help must stay quick)

    print_definition(asked)


@command.command(name="job", epilog="Example: drmbench lava job --device-type rk3399-rock-pi-4b --kernel URL --dtb URL "
                                    "--modules URL --rootfs URL > job.yaml")
@click.option("--device-type", required=True, metavar="TYPE", help="The lab's name for such boards.")
@click.option("--kernel", required=True, metavar="URL")
@click.option("--kernel-type", type=click.Choice(["image", "zimage", "uimage"]), help="For u-boot.")
@click.option("--modules", default="", metavar="URL", help="Tarball of /lib/modules.")
@click.option("--dtb", default="", metavar="URL", help="Device tree.")
@click.option("--rootfs", default="", metavar="URL", help="Tarball to boot over NFS; for qemu a disk image.")
@click.option("--ramdisk", default="", metavar="URL", help="Ramdisk, in place of --rootfs.")
@click.option("--boot-method", "method", default="u-boot", show_default=True, type=click.Choice(_METHODS),
              help="How the boards boot.")
@click.option("--os", default="debian", show_default=True, metavar="NAME", help="What the root file system is.")
@click.option("--prompt", "prompts", multiple=True, default=(r"root@[^ ]*:[^ ]*#", "/ #"), show_default=True,
              metavar="REGEX", help="The shell's prompt; repeatable.")
@click.option("--login", default="", metavar="USER", help="Log in as USER, without a password.")
@click.option("--timeout", "minutes", type=click.IntRange(1, 10_000), default=60, show_default=True,
              metavar="MINUTES", help="For the whole job.")
@click.option("--priority", type=click.Choice(["high", "medium", "low"]), default="medium", show_default=True)
@click.option("--visibility", type=click.Choice(["public", "personal"]), default="public", show_default=True)
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only devices with this tag; repeatable.")
@click.option("--context", multiple=True, metavar="KEY=VALUE", help="For the device's templates; repeatable.")
@click.option("--repository", default="", metavar="URL", help="Git repository that has the test definition.")
@click.option("--path", default="drmbench.yaml", show_default=True, help="Its file there.")
@click.option("--branch", default="", help="Its branch.")
@click.option("--skip-dependencies", is_flag=True, help="The root file system has all packages already.")
@_definition_options
def job(**asked: Any) -> None:  # noqa: ANN401 (click's options)
    """Print a job: boot a kernel, run the test definition, which is part of it."""
    from drmbench.cli.lava_documents import print_job  # noqa: PLC0415 (--help must stay quick)

    print_job(asked)
