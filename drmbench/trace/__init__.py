# SPDX-License-Identifier: MIT
"""The kernel's own call graph of a mapping: ftrace's function_graph, set up, put back, and read."""
