# SPDX-License-Identifier: BSD-2-Clause
# Sums up gcov's summary of apic/*.c; fails below `min` percent.
/^File / { split($0, part, "'"); file = part[2] }
/^Lines executed:/ && file ~ /^apic\/.*\.c$/ {
    split($0, part, /[:% ]+/)
    percent = part[3]
    lines = part[5]
    printf "%6.2f%% of %4d lines  %s\n", percent, lines, file
    total += lines
    hit += percent * lines / 100
    file = ""
}
END {
    covered = total ? 100 * hit / total : 0
    printf "%6.2f%% of %4d lines  apic/\n", covered, total
    exit covered < min
}
