# SPDX-License-Identifier: MIT
"""`drmbench verify`: cases that hold a mapping to the kernel's own rules, each in its own process."""
