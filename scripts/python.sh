# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Sourced: the Python that the virtual environment is made with. Needs `fail`.

new_enough() {
    "$1" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# Prints the path of Python $1; for one in a virtual environment, which may be
# the very .venv that is about to be made anew, the Python that it stands on.
base_python() {
    "$1" -I -c 'import sys
print(getattr(sys, "_base_executable", "") or sys.executable)'
}

# Prints $PYTHON, or without it the first Python >= 3.11 of the usual names.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        new_enough "$PYTHON" || fail "PYTHON=$PYTHON: no Python 3.11 or newer"
        base_python "$PYTHON"
        return
    fi
    for name in python3 python3.14 python3.13 python3.12 python3.11 \
        /usr/bin/python3; do
        if new_enough "$name"; then
            base_python "$name"
            return
        fi
    done
    fail "no Python 3.11 or newer on PATH: install one," \
        "or name it: make PYTHON=/path/to/python3.12 ..."
}

# Prints "3.12" for such a Python.
python_version() {
    "$1" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])'
}
