# SPDX-License-Identifier: MIT
"""`python -m drmbench` is `drmbench`."""

from drmbench.cli import main

main()
