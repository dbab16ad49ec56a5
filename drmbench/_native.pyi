# SPDX-License-Identifier: MIT
# The compiled extension, as cffi shapes it; drmbench/native.py gives it types.
from typing import Any

ffi: Any
lib: Any
