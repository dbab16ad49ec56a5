# SPDX-License-Identifier: MIT
"""A HiKey's display engine in the device tree of QEMU's virt machine, enough of one for the kirin driver to bind.

Its registers are RAM that the kernel was told not to use: what the driver writes stays there, and what
it reads back is what it wrote. No pixel is ever sent. Bindings: Documentation/devicetree/bindings/display
of the kernel (hisilicon,hi6220-ade and -dsi, dumb-vga-dac, vga-connector).
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from drmbench.errors import DrmbenchError
from drmbench.vm.processes import run_whole

if TYPE_CHECKING:
    from pathlib import Path

# What is taken from the guest's memory for the registers of all nodes below.
HIDDEN_BYTES = 16 << 20
_TIMEOUT_S = 30

# The chain that the driver walks: display engine -> DSI host (with a panel on its bus) -> bridge -> connector.
_FRAGMENT = """\
	drmbench_clock: clock-drmbench {
		compatible = "fixed-clock";
		#clock-cells = <0>;
		clock-frequency = <150000000>;
	};

	drmbench_reset: reset@RESET {
		compatible = "snps,dw-low-reset";
		reg = <HIGH 0xRESET 0x0 0x1000>;
		#reset-cells = <1>;
	};

	drmbench_noc: syscon@NOC {
		compatible = "syscon";
		reg = <HIGH 0xNOC 0x0 0x1000>;
	};

	ade@ADE {
		compatible = "hisilicon,hi6220-ade";
		reg = <HIGH 0xADE 0x0 0x7800>;
		reg-names = "ade_base";
		hisilicon,noc-syscon = <&drmbench_noc>;
		resets = <&drmbench_reset 0>;
		interrupts = <0 100 4>;
		clocks = <&drmbench_clock>, <&drmbench_clock>, <&drmbench_clock>;
		clock-names = "clk_ade_core", "clk_codec_jpeg", "clk_ade_pix";
		dma-coherent;

		port {
			drmbench_ade_out: endpoint {
				remote-endpoint = <&drmbench_dsi_in>;
			};
		};
	};

	dsi@DSI {
		compatible = "hisilicon,hi6220-dsi";
		reg = <HIGH 0xDSI 0x0 0xc00>;
		clocks = <&drmbench_clock>;
		clock-names = "pclk";
		#address-cells = <1>;
		#size-cells = <0>;

		ports {
			#address-cells = <1>;
			#size-cells = <0>;

			port@0 {
				reg = <0>;
				drmbench_dsi_in: endpoint {
					remote-endpoint = <&drmbench_ade_out>;
				};
			};

			port@1 {
				reg = <1>;
				drmbench_dsi_out: endpoint {
					remote-endpoint = <&drmbench_bridge_in>;
				};
			};
		};

		panel@0 {
			compatible = "auo,b080uan01";
			reg = <0>;
		};
	};

	bridge-drmbench {
		compatible = "dumb-vga-dac";

		ports {
			#address-cells = <1>;
			#size-cells = <0>;

			port@0 {
				reg = <0>;
				drmbench_bridge_in: endpoint {
					remote-endpoint = <&drmbench_dsi_out>;
				};
			};

			port@1 {
				reg = <1>;
				drmbench_bridge_out: endpoint {
					remote-endpoint = <&drmbench_connector_in>;
				};
			};
		};
	};

	connector-drmbench {
		compatible = "vga-connector";
		label = "drmbench";

		port {
			drmbench_connector_in: endpoint {
				remote-endpoint = <&drmbench_bridge_out>;
			};
		};
	};
"""
_OFFSETS = {"RESET": 0x0, "NOC": 0x1000, "ADE": 0x10000, "DSI": 0x20000}


def kirin_fragment(base: int) -> str:
    """Nodes for the root of a device tree with two address and two size cells; registers from physical `base` on."""
    text = _FRAGMENT.replace("HIGH", f"{base >> 32:#x}")
    for word, offset in _OFFSETS.items():
        low = f"{(base + offset) & 0xFFFF_FFFF:x}"
        # The unit address is the whole number, or its two halves with a comma where it needs more than 32 bits.
        unit = f"{base >> 32:x},{low}" if base >> 32 else low
        text = text.replace(f"@{word} ", f"@{unit} ").replace(f"0x{word} ", f"0x{low} ")
    return text


def with_nodes(tree: str, nodes: str) -> str:
    """The device tree source `tree` with `nodes` appended to its root node."""
    head, end, _rest = tree.rpartition("};")
    if not end:
        raise DrmbenchError("vm", "device tree", errno=errno.EINVAL, reason="QEMU's tree has no root node",
                            remedy="is dtc a device tree compiler? apt-get install --reinstall device-tree-compiler")
    return f"{head}\n{nodes}}};\n"


def write_tree(machine: list[str], nodes: str, folder: Path) -> Path:
    """The tree that the QEMU command `machine` would make itself, with `nodes`, as a file in `folder`.

    `machine` begins with the program and "-machine KIND"; raises DrmbenchError where QEMU or dtc fails.
    """
    own, source, merged = folder / "own.dtb", folder / "merged.dts", folder / "merged.dtb"
    program, option, kind, *rest = machine
    _run([program, option, f"{kind},dumpdtb={own}", *rest])
    tree = _run(["dtc", "-q", "-I", "dtb", "-O", "dts", str(own)])
    source.write_text(with_nodes(tree, nodes), encoding="utf-8")
    _run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", str(merged), str(source)])
    return merged


def _run(command: list[str]) -> str:
    done = run_whole(command, timeout_s=_TIMEOUT_S)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise DrmbenchError("vm", f"device tree ({command[0].rpartition('/')[2]})", reason=lines[0],
                            remedy="are qemu-system-arm and device-tree-compiler complete?")
    return done.stdout
