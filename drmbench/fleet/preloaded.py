# SPDX-License-Identifier: MIT
"""What every board's process needs, imported once before the first of them is forked."""

import labgrid.driver.sshdriver
import labgrid.resource.networkservice

import drmbench.fleet.board

__all__ = ["drmbench", "labgrid"]
