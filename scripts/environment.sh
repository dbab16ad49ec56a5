# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Sourced: what drmbench is run with. The programs of .venv come first: an
# older virtme-ng of the distribution must not be taken for ours.

PATH=$(pwd)/.venv/bin:$PATH:/usr/sbin:/sbin
export PATH
