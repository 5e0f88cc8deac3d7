# Everything a newcomer needs. `make` alone lists it.
#
# Each target does its own set-up: what is missing is installed where we may (root on Debian or
# Ubuntu), and named exactly where we may not.

SHELL := /bin/sh
CARGO ?= cargo
# Always the whole workspace, so that nothing is built twice with other features.
ALL := --locked --workspace
# Many stories wait for a process or the disk: one more than there are cores.
export RUST_TEST_THREADS ?= $(shell expr $$(nproc) + 1)
# With LINTED=1 clippy stands in the compiler's place and a warning is an error, so that lints and
# tests share one compilation.
ifdef LINTED
export RUSTC_WORKSPACE_WRAPPER := clippy-driver
export RUSTFLAGS := --deny=warnings
TARGETS := --all-targets
endif
NPM_CACHE := target/npm
OPENAPI := $(NPM_CACHE)/node_modules/@octokit/openapi/generated/api.github.com.json
EXAMPLES_DIR := $(NPM_CACHE)/node_modules/@octokit/webhooks-examples
EXAMPLES := $(EXAMPLES_DIR)/api.github.com/index.json
EXCHANGES := target/exchanges
PAGES := target/npm-pages/node_modules/playwright-core/package.json
RUNNER := INSTA_UPDATE=no CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="$(CURDIR)/target/debug/gander unprivileged --show $(CURDIR) --" \
          CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="$(CURDIR)/target/debug/gander unprivileged --show $(CURDIR) --"

.PHONY: help demo test test-runners test-registries required test-pages crash survivors try-recipes try-metrics lint lint-rest deny lint-action setup-lint dist reproduce bench fmt setup setup-test

help:
	@echo "make demo   an issue becomes a release on a GitHub emulator: no network, key or account"
	@echo "make test   all tests, with real git, SQLite, HTTP and sandbox"
	@echo "make test-runners  what real test runners print, against what was recorded of them"
	@echo "make test-registries  what is published to real registries, and installed from them"
	@echo "make test-pages  the setup pages in Chromium; pictures in target/pages"
	@echo "make crash  200 kills at random moments, and before and after every write"
	@echo "make survivors  1,000 runs of the sandbox with daemons and fork bombs: nothing is left"
	@echo "make try-recipes  the guide's Caddy and nginx in front of a real Gander"
	@echo "make try-metrics  the alert rules and the dashboard, with a real Prometheus and Gander"
	@echo "make lint   formatting, lints, licences and banned crates"
	@echo "make required  the emulator's table of required members, from GitHub's description"
	@echo "make bench  the figures: webhook, cold start, memory, agent, delivery to pull request"
	@echo "make fmt    format the code"
	@echo "make dist   what is released: static programs in tarballs; DIST=x86_64 for one of them"
	@echo "make reproduce  whether the tarballs come out the same elsewhere: an hour"

demo: setup
	@$(CARGO) build --quiet --locked
	@target/debug/gander demo

# As root, tests run as a user without rights: the program is built first and starts them. What the
# journeys send is kept, and held against GitHub's description last: `gander` comes before
# `gander-contract`.
test: setup-test $(OPENAPI) $(EXAMPLES)
	$(CARGO) test $(ALL) $(TARGETS) --no-run
	@rm -rf $(EXCHANGES) && mkdir -p -m 1777 $(EXCHANGES)
	$(RUNNER) GANDER_WEBHOOK_EXAMPLES="$(CURDIR)/$(EXAMPLES_DIR)" GANDER_EXCHANGES="$(CURDIR)/$(EXCHANGES)" \
	  GANDER_OPENAPI="$(CURDIR)/$(OPENAPI)" $(CARGO) test $(ALL)

test-registries:
	@sh scripts/need.sh cargo cc curl node npm python3-venv docker-registry htpasswd skopeo
	@sh scripts/test-registries.sh

# With RECORD=1 what they print is recorded anew.
test-runners:
	@sh scripts/need.sh cargo cc node npm python3-venv
	@sh scripts/test-runners.sh

# The table by which the emulator plays a server that sends only what GitHub's description requires,
# made anew from that description.
required: $(OPENAPI)
	GANDER_WRITE_REQUIRED=1 GANDER_OPENAPI="$(CURDIR)/$(OPENAPI)" $(CARGO) test $(ALL) --test emulator \
	  the_emulator_knows_which_members_the_description_requires

# The whole way of `gander setup` in a real browser without JavaScript, on a phone and a desktop.
test-pages: $(PAGES)
	@sh scripts/need.sh cargo cc git node npm chromium
	$(CARGO) test $(ALL) --no-run
	@rm -rf target/pages && mkdir -p -m 1777 target/pages
	$(RUNNER) GANDER_PAGES_MODULES="$(CURDIR)/target/npm-pages" GANDER_PAGES_PICTURES="$(CURDIR)/target/pages" \
	  $(CARGO) test $(ALL) --test it in_chromium

crash: setup-test
	$(CARGO) test $(ALL) --no-run
	$(CARGO) test $(ALL) --lib core::job::review -- --ignored
	$(RUNNER) GANDER_CRASH_ROUNDS=200 $(CARGO) test $(ALL) --test it -- --include-ignored crash:: crash_review::

survivors: setup-test
	$(CARGO) test $(ALL) --no-run
	$(RUNNER) GANDER_SANDBOX_RUNS=1000 $(CARGO) test $(ALL) --test it -- --nocapture survivors::

# By hand: it needs both servers, and installs none.
try-recipes:
	$(CARGO) build --locked
	@sh packaging/try-recipes.sh target/debug

# By hand: it needs Prometheus, and installs none.
try-metrics:
	$(CARGO) build --locked
	@sh packaging/try-metrics.sh target/debug

lint: lint-rest
	$(CARGO) clippy $(ALL) --all-targets -- --deny warnings

# All but clippy.
lint-rest: deny lint-action
	$(CARGO) fmt --all --check

# Advisories need a database from the internet; bans, licences and sources do not. Its dev profile
# builds in a third of the time, and runs as long.
deny: setup
	@command -v cargo-deny >/dev/null || test -x target/tools/bin/cargo-deny || \
	  CARGO_PROFILE_DEV_DEBUG=0 $(CARGO) install cargo-deny --version 0.20.2 --locked --debug --root target/tools
	PATH="$(CURDIR)/target/tools/bin:$$PATH" cargo-deny --workspace --all-features check bans licenses sources

# The Action, the example workflows and our own.
lint-action: setup-lint
	action/lint/run.sh

setup-lint:
	@sh scripts/need.sh node npm python3-venv


# What is released: static programs, and the container image.
dist:
	@sh packaging/dist.sh $(DIST)

reproduce:
	@sh packaging/reproduce.sh $(DIST)

bench: setup
	$(CARGO) bench --locked

fmt:
	$(CARGO) fmt --all

setup:
	@sh scripts/need.sh cargo cc git bwrap unshare

setup-test:
	@sh scripts/need.sh cargo cc git bwrap prlimit unshare initdb pytest node npm

# GitHub's own description of its API, and its recorded webhooks.
$(OPENAPI) $(EXAMPLES): tests/contract/package.json tests/contract/package-lock.json
	@mkdir -p $(NPM_CACHE)
	@cp tests/contract/package.json tests/contract/package-lock.json $(NPM_CACHE)/
	cd $(NPM_CACHE) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $(OPENAPI) $(EXAMPLES)

# What drives Chromium. It downloads no browser of its own.
$(PAGES): tests/pages/package.json tests/pages/package-lock.json
	@sh scripts/need.sh node npm
	@mkdir -p target/npm-pages
	@cp tests/pages/package.json tests/pages/package-lock.json target/npm-pages/
	cd target/npm-pages && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $(PAGES)
