# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Sourced: what drmbench is run with. vng finds its virtme-run on PATH, and an
# older virtme-ng of the distribution must not come first.

PATH=$(pwd)/.venv/bin:$PATH:/usr/sbin:/sbin
export PATH
