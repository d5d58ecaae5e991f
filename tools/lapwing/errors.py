# SPDX-License-Identifier: BSD-2-Clause
"""The one exception for what a person can mend: tools print it and exit with status 2."""

import sys


class UsageError(Exception):
    pass


def run_main(main):
    """Runs main() as a program: its result is the exit status."""
    try:
        sys.exit(main())
    except UsageError as error:
        print(f"{sys.argv[0]}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
