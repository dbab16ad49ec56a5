# SPDX-License-Identifier: MIT
"""scale: the same faults taken by several workers at once, and by buffers of growing size."""
