# For people: what one does with a checkout, each in one command that asks nothing.
# The build itself is Meson's (meson.build); this installs what it needs and starts it.

BUILD  ?= build
PREFIX ?= /usr/local
DESTDIR ?=
# A folder for `make run` to take instead of the package catalogue.
DIR    ?=
# Arguments of the benchmark, and a name that goes before the closing line of the tests.
ARGS   ?=
LABEL  ?=
# How long each fuzz target runs.
SECONDS ?= 60

run_tests = tools/run_tests $(if $(LABEL),--label "$(LABEL)") $(BUILD)

.PHONY: help run test check-long fuzz bench install format style clean configure

help:
	@echo 'tarn: an embeddable key-value store for C'
	@echo
	@echo '  make run          build, and go on a tour on real records'
	@echo '  make run DIR=..   the same with the files of a folder'
	@echo '  make test         build, and run the tests'
	@echo '  make check-long   all tests with larger counts, and the long ones'
	@echo '  make fuzz         decode files at random, under the sanitizers (SECONDS=60 each)'
	@echo '  make bench        build, and measure (ARGS=.. for the benchmark; --help lists them)'
	@echo '  make install      install library, command and manual (PREFIX=/usr/local, DESTDIR=)'
	@echo '  make style        check layering, lengths and banned calls'
	@echo '  make format       format the code with clang-format'
	@echo '  make clean        remove the build'
	@echo
	@echo 'What is missing is installed from Debian'\''s packages: docs/dependencies.md lists them.'

run:
	@tools/setup run
	@$(MAKE) --no-print-directory configure
	@ninja -C $(BUILD) --quiet examples/tour cli/tarn
	@$(BUILD)/examples/tour $(if $(DIR),"$(DIR)")
	@echo
	@examples/tour_command.py $(BUILD)/cli/tarn $(if $(DIR),"$(DIR)")

test:
	@tools/setup test
	@$(MAKE) --no-print-directory configure
	@ninja -C $(BUILD) --quiet
	@$(run_tests) --no-suite long

check-long:
	@tools/setup test
	@$(MAKE) --no-print-directory configure
	@ninja -C $(BUILD) --quiet
	@TARN_HISTORIES=$${TARN_HISTORIES:-10000} TARN_TEST_SCALE=$${TARN_TEST_SCALE:-10} \
	    TARN_KILLS=$${TARN_KILLS:-1000} TARN_CUTS=$${TARN_CUTS:-100} \
	    $(run_tests) --timeout-multiplier 20 --suite unit --suite conformance \
	    --suite concurrency --suite crash --suite cli --suite long

fuzz:
	@tools/setup ci
	@tests/fuzz/run $(BUILD) $(SECONDS)

# Configured anew each time, because a peer may have been installed since.
bench:
	@tools/setup bench
	@$(MAKE) --no-print-directory configure
	@meson setup --reconfigure $(BUILD) >/dev/null
	@ninja -C $(BUILD) --quiet bench/tarn-bench
	@$(BUILD)/bench/tarn-bench $(ARGS)

install:
	@tools/setup run
	@$(MAKE) --no-print-directory configure
	@meson setup --reconfigure $(BUILD) -Dprefix='$(PREFIX)' >/dev/null
	@ninja -C $(BUILD) --quiet
	@DESTDIR='$(DESTDIR)' meson install -C $(BUILD) --no-rebuild --quiet
	@[ -n '$(DESTDIR)' ] || [ "$$(id -u)" -ne 0 ] || /sbin/ldconfig
	@echo "installed in $(DESTDIR)$(PREFIX)"

style:
	@tools/setup test
	@tools/check_style

format:
	@tools/setup format
	@find src include cli bench examples tests -name '*.[ch]' -o -name '*.cc' -o -name '*.cpp' \
	    | xargs clang-format -i

clean:
	rm -rf '$(BUILD)'

# Sets the build up where there is none yet, or where a set-up was broken off.
configure:
	@[ -f $(BUILD)/build.ninja ] || { \
	    log=$$(mktemp) && if meson setup $(BUILD) >"$$log" 2>&1; then rm -f "$$log"; \
	    else cat "$$log"; rm -f "$$log"; exit 1; fi; }
