/* SPDX-License-Identifier: BSD-2-Clause */
/* Framing of GDB's packets. */
#include "core/gdb/packet.h"

#include "core/string.h"

enum { CONTROL_C = 3, NUMBER_DIGITS_MAX = 16 };

static const char digits[] = "0123456789abcdef";

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* ---- In -------------------------------------------------------------------------------------- */

static void begin(struct gdb_line *line)
{
    line->state = GDB_IN_PACKET;
    line->too_long = false;
    line->sum = 0;
    line->length = 0;
}

static enum gdb_event between(struct gdb_line *line, char byte)
{
    if (byte == '$')
        begin(line);
    if (byte == '-')
        return GDB_NOT_TAKEN;
    return byte == CONTROL_C ? GDB_INTERRUPT : GDB_NOTHING;
}

static void in_packet(struct gdb_line *line, char byte)
{
    if (byte == '$') { /* what came before lost its end */
        begin(line);
        return;
    }
    if (byte == '#') {
        line->packet[line->length] = 0;
        line->state = GDB_CHECKSUM_1;
        return;
    }
    line->sum = (uint8_t)(line->sum + (uint8_t)byte);
    if (line->length == GDB_PACKET_MAX)
        line->too_long = true;
    else
        line->packet[line->length++] = byte;
}

static enum gdb_event end(struct gdb_line *line, char byte)
{
    int high = digit_value((char)line->claimed), low = digit_value(byte);

    line->state = GDB_BETWEEN;
    if (line->too_long || high < 0 || low < 0 || line->sum != high * 16 + low)
        return GDB_DAMAGED;
    return GDB_PACKET;
}

enum gdb_event gdb_receive(struct gdb_line *line, char byte)
{
    switch (line->state) {
    case GDB_BETWEEN:
        return between(line, byte);
    case GDB_IN_PACKET:
        in_packet(line, byte);
        return GDB_NOTHING;
    case GDB_CHECKSUM_1:
        line->claimed = (uint8_t)byte;
        line->state = GDB_CHECKSUM_2;
        return GDB_NOTHING;
    case GDB_CHECKSUM_2:
        break;
    }
    return end(line, byte);
}

bool gdb_take(struct gdb_cursor *cursor, const char *text)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++)
        if (cursor->at[i] != text[i])
            return false;
    cursor->at += n;
    return true;
}

bool gdb_take_number(struct gdb_cursor *cursor, uint64_t *number)
{
    uint64_t value = 0;
    unsigned n = 0;

    for (; digit_value(cursor->at[n]) >= 0; n++) {
        if (n == NUMBER_DIGITS_MAX)
            return false;
        value = value << 4 | (uint64_t)digit_value(cursor->at[n]);
    }
    if (n == 0)
        return false;
    cursor->at += n;
    *number = value;
    return true;
}

bool gdb_take_hex(struct gdb_cursor *cursor, void *bytes, size_t n)
{
    uint8_t *to = bytes;

    for (size_t i = 0; i < 2 * n; i++)
        if (digit_value(cursor->at[i]) < 0)
            return false;
    for (size_t i = 0; i < n; i++, cursor->at += 2)
        to[i] = (uint8_t)(digit_value(cursor->at[0]) * 16 + digit_value(cursor->at[1]));
    return true;
}

/* ---- Out ------------------------------------------------------------------------------------- */

static void put_byte(struct gdb_reply *reply, char byte)
{
    if (reply->length < sizeof(reply->bytes))
        reply->bytes[reply->length++] = byte;
}

void gdb_put(struct gdb_reply *reply, const char *text)
{
    while (*text != 0)
        put_byte(reply, *text++);
}

void gdb_put_hex(struct gdb_reply *reply, const void *bytes, size_t n)
{
    const uint8_t *from = bytes;

    for (size_t i = 0; i < n; i++) {
        put_byte(reply, digits[from[i] >> 4]);
        put_byte(reply, digits[from[i] & 0xf]);
    }
}

void gdb_put_number(struct gdb_reply *reply, uint64_t number)
{
    unsigned shift = 60;

    while (shift > 0 && number >> shift == 0)
        shift -= 4;
    for (; shift > 0; shift -= 4)
        put_byte(reply, digits[number >> shift & 0xf]);
    put_byte(reply, digits[number & 0xf]);
}

uint8_t gdb_checksum(const struct gdb_reply *reply)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < reply->length; i++)
        sum = (uint8_t)(sum + (uint8_t)reply->bytes[i]);
    return sum;
}
