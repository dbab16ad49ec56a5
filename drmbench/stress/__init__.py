# SPDX-License-Identifier: MIT
"""`drmbench stress`: seeded random programs of buffer and mapping calls, each step held against a model."""
