# SPDX-License-Identifier: MIT
"""Many boards: labgrid finds, reserves and reaches them; drmbench runs there and its reports come back."""
