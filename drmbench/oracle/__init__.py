# SPDX-License-Identifier: MIT
"""Which way of mapping explains what was seen? A table of mechanisms, and what is concluded with it.

The oracle reads results and never changes a measured number. It decides by counts, flags and answers of the
kernel, never by driver name or kernel version, so that a driver which changes its ways is noticed.
"""

from drmbench.oracle.conclusion import conclude, explain_objections
from drmbench.oracle.counts import mechanism_of, objections, populate_objections

__all__ = ["conclude", "explain_objections", "mechanism_of", "objections", "populate_objections"]
