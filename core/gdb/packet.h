/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GDB's remote serial protocol, byte by byte: packets with their checksums, and the hexadecimal
 * numbers in them. Pure. GDB manual, "Remote Protocol", "Overview".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GDB_PACKET_MAX = 4096 }; /* bytes between $ and #, either way */

struct gdb_line {
    enum { GDB_BETWEEN, GDB_IN_PACKET, GDB_CHECKSUM_1, GDB_CHECKSUM_2 } state;
    bool too_long;
    uint8_t sum, claimed;
    size_t length;
    char packet[GDB_PACKET_MAX + 1]; /* ends with a 0 */
};

enum gdb_event {
    GDB_NOTHING,
    GDB_PACKET,    /* `packet` holds one, until the next byte */
    GDB_DAMAGED,   /* one with a wrong checksum, or too long */
    GDB_NOT_TAKEN, /* the other side wants the last one again */
    GDB_INTERRUPT, /* Ctrl-C */
};

/* Takes a byte. *line is zero at first. */
enum gdb_event gdb_receive(struct gdb_line *line, char byte);

/* What is to be sent. What does not fit is left out. */
struct gdb_reply {
    size_t length;
    char bytes[GDB_PACKET_MAX];
};

void gdb_put(struct gdb_reply *reply, const char *text);
void gdb_put_hex(struct gdb_reply *reply, const void *bytes, size_t n);
void gdb_put_number(struct gdb_reply *reply, uint64_t number);
uint8_t gdb_checksum(const struct gdb_reply *reply);

/* Where in a packet reading goes on. */
struct gdb_cursor {
    const char *at;
};

/* Each moves behind what it found; false, and no move, when it is not there. */
bool gdb_take(struct gdb_cursor *cursor, const char *text);
bool gdb_take_number(struct gdb_cursor *cursor, uint64_t *number); /* up to 16 digits */
bool gdb_take_hex(struct gdb_cursor *cursor, void *bytes, size_t n);
