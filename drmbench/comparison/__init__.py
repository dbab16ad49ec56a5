# SPDX-License-Identifier: MIT
"""Two reports -> what changed. A file for each kind of report says what of it can be compared (subjects of it)."""
