# SPDX-License-Identifier: MIT
"""LAVA jobs and test definitions that run drmbench on a lab's boards."""
