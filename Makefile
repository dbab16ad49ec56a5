# SPDX-License-Identifier: MIT
# Every target sets up what it needs by itself; see scripts/setup.
.POSIX:
.PHONY: help run test test-all test-unit test-vm test-formats matrix man wheelhouse lint bench clean

help: ## Show this
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 14

run: ## First-touch faults of this machine's GPU, or of vkms in a VM (ARGS=...)
	@scripts/main-job $(ARGS)

test: ## Lint, unit tests, tests in a VM
	@scripts/test lint unit vm lab

test-all: ## The same, and every other lane, two at a time (long)
	@scripts/test-all

test-unit: ## Unit tests, which need no GPU
	@scripts/test unit

test-vm: ## Tests on every lab device in a VM, and tests of the VM itself
	@scripts/test vm lab

test-formats: ## igt_runner, LAVA and others read what verify prints
	@scripts/test formats

matrix: ## Every kernel times every lab device, in one table (resumes; ARGS=...)
	@scripts/matrix $(ARGS)

wheelhouse: ## Wheels that `drmbench fleet run --wheelhouse` brings to boards
	@scripts/wheelhouse $(ARGS)

man: ## Man pages from the parser, into build/man
	@scripts/man-pages

lint: ## ruff and mypy --strict
	@scripts/test lint

bench: ## drmbench beside independent programs, and its own cost (ARGS=--vm)
	@scripts/bench $(ARGS)

clean: ## Remove .venv, build and caches (fetched kernels stay)
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
