# SPDX-License-Identifier: MIT
"""drmbench: what the first touch of a mapped GPU buffer costs, with the faults counted."""
