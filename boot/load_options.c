/* SPDX-License-Identifier: BSD-2-Clause */
/* The load options of the image: UEFI specification, "EFI_LOADED_IMAGE_PROTOCOL". */
#include "boot/load_options.h"

#include <stdbool.h>

struct output {
    char *word; /* where the current one begins */
    char *next;
    const char *end; /* room for the final NUL is behind it */
    unsigned words;
    bool has_equals;
    bool full;
};

static void put_byte(struct output *out, unsigned byte)
{
    if (out->next == out->end)
        out->full = true;
    else
        *out->next++ = (char)byte;
}

/* The Unicode Standard, "UTF-8 Bit Distribution". */
static void put(struct output *out, uint16_t c)
{
    out->has_equals |= c == '=';
    if (c < 0x80) {
        put_byte(out, c);
    } else if (c < 0x800) {
        put_byte(out, 0xc0 | c >> 6);
        put_byte(out, 0x80 | (c & 0x3f));
    } else {
        put_byte(out, 0xe0 | c >> 12);
        put_byte(out, 0x80 | (c >> 6 & 0x3f));
        put_byte(out, 0x80 | (c & 0x3f));
    }
}

static void end_word(struct output *out)
{
    if (out->next == out->word)
        return;
    out->words++;
    if (out->words == 1 && !out->has_equals)
        out->next = out->word;
    else
        put_byte(out, '\n');
    out->word = out->next;
    out->has_equals = false;
}

/* Neither a control character nor half of a surrogate pair: UCS-2 has none. */
static bool is_text(uint16_t c)
{
    return (c >= 0x20 || c == '\t') && c != 0x7f && (c < 0xd800 || c > 0xdfff);
}

enum load_options_result load_options_convert(const uint8_t *data, size_t bytes, char *lines,
                                              size_t size)
{
    struct output out = {.word = lines, .next = lines, .end = lines + size - 1};
    bool quoted = false;

    lines[0] = '\0';
    if (bytes % 2 != 0)
        return LOAD_OPTIONS_NO_TEXT;
    for (size_t i = 0; i < bytes; i += 2) {
        uint16_t c = (uint16_t)(data[i] | data[i + 1] << 8);

        if (c == 0)
            break;
        if (!is_text(c)) {
            lines[0] = '\0';
            return LOAD_OPTIONS_NO_TEXT;
        }
        if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == ' ' || c == '\t'))
            end_word(&out);
        else
            put(&out, c);
    }
    end_word(&out);
    *out.next = '\0';
    if (quoted)
        return LOAD_OPTIONS_OPEN_QUOTE;
    return out.full ? LOAD_OPTIONS_TOO_LONG : LOAD_OPTIONS_GOOD;
}
