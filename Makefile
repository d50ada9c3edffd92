# SPDX-License-Identifier: LGPL-2.1-or-later
# A thin door to meson. The programs land in build/: build/musterd, build/muster.
#
#   make               build
#   sudo make demo     boot an OS container with stock systemd-nspawn and watch it in Muster
#   sudo make check    everything: sanitizer build, unit tests, fuzz corpora, lint, integration tests
#   sudo make bench    what we claim about speed, measured; BENCH= options of bench/run.py
#   sudo make install  PREFIX=/usr/local DESTDIR= INIT_SCRIPTS=systemd,openrc,...
#   make format        clang-format, in place
#   make clean

PREFIX ?= /usr/local
DESTDIR ?=
INIT_SCRIPTS ?= auto
PYTHON ?= /usr/bin/python3

.NOTPARALLEL:
.PHONY: all build demo check lint bench install clean format

all: build

build:
	@tools/install-deps build
	@tools/build build -Dprefix=$(PREFIX) -Dinit-scripts=$(INIT_SCRIPTS) -Dtests=false

demo:
	@tools/install-deps demo
	@tools/build build -Dprefix=$(PREFIX) -Dinit-scripts=$(INIT_SCRIPTS) -Dtests=false
	@tools/demo

check:
	@tools/install-deps check
	@$(PYTHON) tools/run-checks.py build/check

lint:
	@tools/install-deps check
	@$(PYTHON) tools/run-checks.py build/check lint

bench: build
	@tools/install-deps bench
	@ninja -C build bench/bench-client bench/floor
	@$(PYTHON) bench/run.py build $(BENCH)
	@$(PYTHON) bench/start.py build

install: build
	DESTDIR=$(abspath $(DESTDIR)) meson install -C build --no-rebuild

format:
	clang-format -i $$(find src tests bench include examples -name '*.[ch]' 2>/dev/null)

clean:
	rm -rf build
