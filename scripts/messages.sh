# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Sourced by every script here: how they talk. The caller sets $topic.

say() {
    printf 'drmbench: %s: %s\n' "${topic:-setup}" "$*" >&2
}

fail() {
    say "$@"
    exit 1
}
