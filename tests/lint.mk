# SPDX-License-Identifier: BSD-2-Clause
# "make lint": every finding fails it.

LINT_HV := $(HV_C) $(wildcard core/config/*.c)
LINT_BOOT := $(wildcard boot/*.c)
TIDY_HV = $(filter-out -Werror -MMD -MP $(REPRODUCIBLE),$(HV_CFLAGS))
TIDY_BOOT = $(filter-out -Werror -MMD -MP $(REPRODUCIBLE),$(BOOT_CFLAGS))
SHELL_SCRIPTS := .ci/run tools/setup tools/check-rooms

.PHONY: lint lint-format lint-tidy lint-cppcheck lint-scripts lint-rooms lint-docs
lint: lint-format lint-rooms lint-scripts lint-docs lint-cppcheck lint-tidy ## check format, style, rooms and scripts

lint-format: ## is the source formatted?
	$(Q)git ls-files '*.c' '*.h' | xargs $(CLANG_FORMAT) --dry-run -Werror

# Files that are only declared by the assembler or the linker confuse none of these.
lint-tidy: $(O)/gen/dsdt.inc ## what clang-tidy finds
	$(Q)printf '%s\n' $(LINT_HV) | xargs -P2 -I{} clang-tidy --quiet {} -- $(TIDY_HV)
	$(Q)printf '%s\n' $(LINT_BOOT) | xargs -P2 -I{} clang-tidy --quiet {} -- $(TIDY_BOOT)

lint-cppcheck: $(O)/gen/dsdt.inc ## what cppcheck finds
	$(Q)cppcheck -q -j2 --language=c --std=c11 --enable=warning,performance,portability \
	  --error-exitcode=1 --inline-suppr --suppressions-list=tests/cppcheck.txt -I. -I$(O)/gen \
	  boot core vmx apic drivers

lint-scripts: ## what shellcheck finds; do Python programs parse?
	$(Q)shellcheck $(SHELL_SCRIPTS)
	$(Q)python3 -c 'import ast, sys; [ast.parse(open(f).read(), f) for f in sys.argv[1:]]' \
	  tools/run tools/trace tools/image tools/emulator tools/initramfs tools/nested-host tools/extract-vmlinux tools/check-docs tests/run $(shell git ls-files '*.py')

lint-rooms: ## does a room include what it may not?
	$(Q)tools/check-rooms

lint-docs: $(CONFIG_DOCS) ## does the documentation name what exists?
	$(Q)tools/check-docs
	$(Q)$(CONFIG_DOCS) | cmp -s - docs/configuration.md || \
	  { echo 'docs/configuration.md is out of date: run "make docs"'; exit 1; }
