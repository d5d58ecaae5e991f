# SPDX-License-Identifier: BSD-2-Clause
# Set-up: before any rule runs, tools/setup gets what the named goals need and this machine lacks.
# $(SETUP_GOAL) are the jobs of one goal; a goal that is not named here needs "build".

SETUP_help = none
SETUP_clean = none
SETUP_host-tests = build host
SETUP_check-quick = build host
SETUP_image = build run
SETUP_esp = build run
SETUP_run = build run
SETUP_bench = build run
SETUP_test = build test
SETUP_test-long = build test
SETUP_test-nested = build nested
SETUP_format = lint
SETUP_lint = build lint

SETUP_JOBS := $(filter-out none,$(sort \
  $(foreach goal,$(or $(MAKECMDGOALS),all),$(or $(SETUP_$(goal)),build))))

# Not for "make -n" and "make -q": shells run those to complete a command line.
SETUP_DRY := $(findstring n,$(firstword -$(MAKEFLAGS)))$(findstring q,$(firstword -$(MAKEFLAGS)))

ifneq ($(SETUP_JOBS),)
ifeq ($(SETUP_DRY),)
SETUP_OUTPUT := $(shell EMU='$(EMU)' tools/setup $(SETUP_JOBS))
ifneq ($(.SHELLSTATUS),0)
$(error set-up failed, see above)
endif
endif
endif
