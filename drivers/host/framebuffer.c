/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The screen is a grid of characters kept in memory; only characters that changed are drawn, and
 * the framebuffer, slow to read, is never read. Scrolling moves several lines at once, so that a
 * burst of output redraws the screen rarely.
 */
#include "drivers/host/framebuffer.h"

#include "core/bits.h"
#include "core/memory.h"
#include "core/string.h"

enum {
    GLYPH_WIDTH = 8,
    GLYPH_HEIGHT = 16,
    SCROLL_LINES = 8,
    TAB_COLUMNS = 8,
    FOREGROUND = 0x00c0c0c0, /* grey: the same in all pixel formats */
    BACKGROUND = 0x00000000,
    FIRST_PRINTABLE = 0x20,
    LAST_PRINTABLE = 0x7e,
    ESCAPE = 0x1b,
};

/* console-setup's font in PSF format, see drivers/host/font.asm; glyphs in the order of ASCII. */
extern const uint8_t font[];

enum {
    PSF1_MAGIC = 0x0436,
    PSF1_HEADER = 4,
    PSF1_GLYPH_SIZE = 3, /* offset */
};

enum escape_state { ESCAPE_NONE, ESCAPE_BEGUN, ESCAPE_CONTROL_SEQUENCE };

static struct {
    char *pixels;
    uint32_t stride;
    uint32_t columns, rows;
    uint32_t column, row;
    char *text;  /* rows * columns, what should be on the screen */
    char *drawn; /* the same, what is */
    enum escape_state escape;
} screen;

static void draw(uint32_t row, uint32_t column, char c)
{
    const uint8_t *glyph = font + PSF1_HEADER + (uint8_t)c * GLYPH_HEIGHT;
    char *line = screen.pixels + (uint64_t)row * GLYPH_HEIGHT * screen.stride +
                 column * GLYPH_WIDTH * sizeof(uint32_t);
    for (int y = 0; y < GLYPH_HEIGHT; y++, line += screen.stride) {
        volatile uint32_t *pixel = (volatile uint32_t *)line;
        for (int x = 0; x < GLYPH_WIDTH; x++)
            pixel[x] = glyph[y] & (0x80 >> x) ? FOREGROUND : BACKGROUND;
    }
}

static void update(uint32_t row, uint32_t column)
{
    uint32_t i = row * screen.columns + column;
    if (screen.drawn[i] == screen.text[i])
        return;
    screen.drawn[i] = screen.text[i];
    draw(row, column, screen.text[i]);
}

static void scroll(void)
{
    uint32_t lines = min(screen.rows, (uint32_t)SCROLL_LINES);
    uint32_t kept = (screen.rows - lines) * screen.columns;
    memmove(screen.text, screen.text + lines * screen.columns, kept);
    memset(screen.text + kept, ' ', lines * screen.columns);
    for (uint32_t row = 0; row < screen.rows; row++) {
        for (uint32_t column = 0; column < screen.columns; column++)
            update(row, column);
    }
    screen.row -= lines;
}

static void new_line(void)
{
    screen.column = 0;
    screen.row++;
    if (screen.row == screen.rows)
        scroll();
}

static void put_printable(char c)
{
    if (screen.column == screen.columns)
        new_line();
    screen.text[screen.row * screen.columns + screen.column] = c;
    update(screen.row, screen.column);
    screen.column++;
}

/* ECMA-48: ESC [ parameters final, with final bytes 0x40-0x7e; other escapes are two bytes. */
static bool swallow_escape(char c)
{
    switch (screen.escape) {
    case ESCAPE_NONE:
        if (c != ESCAPE)
            return false;
        screen.escape = ESCAPE_BEGUN;
        return true;
    case ESCAPE_BEGUN:
        screen.escape = c == '[' ? ESCAPE_CONTROL_SEQUENCE : ESCAPE_NONE;
        return true;
    default:
        if (c >= 0x40 && c <= 0x7e)
            screen.escape = ESCAPE_NONE;
        return true;
    }
}

void host_framebuffer_put(char byte)
{
    if (swallow_escape(byte))
        return;
    switch (byte) {
    case '\n':
        new_line();
        break;
    case '\r':
        screen.column = 0;
        break;
    case '\b':
        screen.column -= screen.column > 0;
        break;
    case '\t':
        screen.column = min(screen.columns, (uint32_t)align_up(screen.column + 1, TAB_COLUMNS));
        break;
    default:
        if (byte >= FIRST_PRINTABLE && byte <= LAST_PRINTABLE)
            put_printable(byte);
    }
}

static bool font_fits(void)
{
    return (font[0] | font[1] << 8) == PSF1_MAGIC && font[PSF1_GLYPH_SIZE] == GLYPH_HEIGHT;
}

bool host_framebuffer_init(void *pixels, uint32_t width, uint32_t height, uint32_t stride)
{
    uint32_t columns = width / GLYPH_WIDTH;
    uint32_t rows = height / GLYPH_HEIGHT;
    if (columns == 0 || rows < 2 || !font_fits())
        return false;
    size_t cells = (size_t)rows * columns;
    char *text = memory_alloc(2 * cells, MEMORY_GRANULE);
    if (!text)
        return false;
    memset(text, ' ', cells);
    screen.pixels = pixels;
    screen.stride = stride;
    screen.columns = columns;
    screen.rows = rows;
    screen.text = text;
    screen.drawn = text + cells; /* zeros: every cell differs */
    for (uint32_t row = 0; row < rows; row++) {
        for (uint32_t column = 0; column < columns; column++)
            update(row, column);
    }
    return true;
}
