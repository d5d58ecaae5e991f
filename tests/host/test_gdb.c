/* SPDX-License-Identifier: BSD-2-Clause */
/* GDB's packets: framing, answers, and whatever a hostile line can bring.
 * links: core/gdb/packet.c core/gdb/command.c core/gdb/registers.c core/format.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/gdb/command.h"

enum { MEMORY = 0x1000, MEMORY_SIZE = 0x800, FUZZ_ROUNDS = 300000 };

/* ---- A target: threads 1, 4 and 5; memory from 1000h on ---- */

static struct gdb_registers registers[6];
static uint8_t memory[MEMORY_SIZE];
static bool broken[MEMORY_SIZE], broken_hard;
static uint32_t stepped, resumed_only, resumes, let_go, killed;
static bool cannot_step;

bool gdb_target_has_thread(uint32_t thread)
{
    return thread == 1 || thread == 4 || thread == 5;
}

uint32_t gdb_target_next_thread(uint32_t thread)
{
    return thread == 0 ? 1 : thread < 4 ? 4 : thread == 4 ? 5 : 0;
}

void gdb_target_thread_name(uint32_t thread, char *to, size_t size)
{
    assert_true(gdb_target_has_thread(thread));
    snprintf(to, size, "thread %u", thread);
}

void gdb_target_get(uint32_t thread, struct gdb_registers *to)
{
    assert_true(gdb_target_has_thread(thread));
    *to = registers[thread];
}

bool gdb_target_set(uint32_t thread, const struct gdb_registers *from)
{
    assert_true(gdb_target_has_thread(thread));
    if (from->rip >> 47 != 0)
        return false;
    registers[thread] = *from;
    return true;
}

size_t gdb_target_read(uint32_t thread, uint64_t address, void *to, size_t n)
{
    assert_true(gdb_target_has_thread(thread));
    if (address < MEMORY || address >= MEMORY + MEMORY_SIZE)
        return 0;
    n = n < MEMORY + MEMORY_SIZE - address ? n : MEMORY + MEMORY_SIZE - address;
    memcpy(to, memory + (address - MEMORY), n);
    return n;
}

bool gdb_target_write(uint32_t thread, uint64_t address, const void *from, size_t n)
{
    uint8_t there[MEMORY_SIZE];

    if (n > sizeof(there) || gdb_target_read(thread, address, there, n) != n)
        return false;
    memcpy(memory + (address - MEMORY), from, n);
    return true;
}

bool gdb_target_break(uint32_t thread, uint64_t address, bool hard, bool set)
{
    assert_true(gdb_target_has_thread(thread));
    if (address < MEMORY || address >= MEMORY + MEMORY_SIZE)
        return false;
    broken[address - MEMORY] = set;
    broken_hard = hard;
    return true;
}

bool gdb_target_resume(uint32_t step, uint32_t only)
{
    assert_true(step == 0 || gdb_target_has_thread(step));
    assert_true(only == 0 || gdb_target_has_thread(only));
    if (step != 0 && cannot_step)
        return false;
    stepped = step;
    resumed_only = only;
    resumes++;
    return true;
}

void gdb_target_let_go(bool kill)
{
    let_go++;
    killed += kill;
}

/* ---- Asking ---- */

static struct gdb_session session;
static struct gdb_reply reply;
static char text[GDB_PACKET_MAX + 1];

static int begin(void **state)
{
    (void)state;
    session = (struct gdb_session){.connected = true, .stop = {GDB_STOP_INTERRUPT, 1}};
    stepped = resumed_only = resumes = let_go = killed = 0;
    cannot_step = false;
    memset(registers, 0, sizeof(registers));
    memset(broken, 0, sizeof(broken));
    for (size_t i = 0; i < sizeof(memory); i++)
        memory[i] = (uint8_t)i;
    return 0;
}

/* The answer; NULL: none. */
static const char *ask(const char *packet)
{
    memset(&reply, 0, sizeof(reply));
    if (!gdb_carry_out(&session, packet, &reply))
        return NULL;
    assert_true(reply.length < sizeof(reply.bytes));
    memcpy(text, reply.bytes, reply.length);
    text[reply.length] = 0;
    return text;
}

static void answers(const char *packet, const char *answer)
{
    const char *seen = ask(packet);

    assert_non_null(seen);
    assert_string_equal(seen, answer);
}

static void goes_on(const char *packet, uint32_t step, uint32_t only)
{
    session.runs = false;
    resumes = 0;
    assert_null(ask(packet));
    assert_int_equal(resumes, 1);
    assert_int_equal(stepped, step);
    assert_int_equal(resumed_only, only);
    assert_true(session.runs);
}

/* ---- Framing ---- */

static enum gdb_event receive(struct gdb_line *line, const char *bytes)
{
    enum gdb_event event = GDB_NOTHING;

    for (; *bytes; bytes++) {
        assert_int_equal(event, GDB_NOTHING);
        event = gdb_receive(line, *bytes);
    }
    return event;
}

static void packets_are_framed(void **state)
{
    static struct gdb_line line;

    (void)state;
    assert_int_equal(receive(&line, "+noise$g#67"), GDB_PACKET);
    assert_string_equal(line.packet, "g");
    assert_int_equal(receive(&line, "$#00"), GDB_PACKET);
    assert_string_equal(line.packet, "");
    assert_int_equal(receive(&line, "$g#66"), GDB_DAMAGED);
    assert_int_equal(receive(&line, "$g#6x"), GDB_DAMAGED);
    assert_int_equal(receive(&line, "$lost$?#3F"), GDB_PACKET);
    assert_string_equal(line.packet, "?");
    assert_int_equal(receive(&line, "\x03"), GDB_INTERRUPT);
    assert_int_equal(receive(&line, "-"), GDB_NOT_TAKEN);
    assert_int_equal(receive(&line, "$-\x03#30"), GDB_PACKET);
}

static void long_packets_are_refused(void **state)
{
    static struct gdb_line line;
    char tail[] = "#00";
    uint8_t sum = 0;

    (void)state;
    gdb_receive(&line, '$');
    for (int i = 0; i < GDB_PACKET_MAX; i++, sum = (uint8_t)(sum + 'a'))
        gdb_receive(&line, 'a');
    snprintf(tail, sizeof(tail), "#%02x", sum);
    assert_int_equal(receive(&line, tail), GDB_PACKET);
    assert_int_equal(strlen(line.packet), GDB_PACKET_MAX);
    gdb_receive(&line, '$');
    sum = 0;
    for (int i = 0; i <= GDB_PACKET_MAX; i++, sum = (uint8_t)(sum + 'a'))
        gdb_receive(&line, 'a');
    snprintf(tail, sizeof(tail), "#%02x", sum);
    assert_int_equal(receive(&line, tail), GDB_DAMAGED);
}

static void numbers_are_bounded(void **state)
{
    struct gdb_cursor cursor = {"fedcba9876543210,"};
    uint64_t number;

    (void)state;
    assert_true(gdb_take_number(&cursor, &number));
    assert_int_equal(number, 0xfedcba9876543210);
    assert_int_equal(*cursor.at, ',');
    assert_false(gdb_take_number(&cursor, &number));
    cursor.at = "10000000000000000";
    assert_false(gdb_take_number(&cursor, &number));
    memset(&reply, 0, sizeof(reply));
    gdb_put_number(&reply, 0);
    gdb_put_number(&reply, 0x10);
    gdb_put_number(&reply, UINT64_MAX);
    assert_memory_equal(reply.bytes, "010ffffffffffffffff", reply.length);
    assert_int_equal(reply.length, 19);
}

/* ---- Answers ---- */

static void registers_are_read_and_written(void **state)
{
    char packet[2 * sizeof(struct gdb_registers) + 8] = "G";

    (void)state;
    registers[1].gpr[0] = 0x1122334455667788;
    registers[1].rip = 0x100200;
    registers[1].segments[0] = 8;
    registers[4].gpr[7] = 0xabc;
    assert_memory_equal(ask("g"), "8877665544332211", 16);
    assert_int_equal(reply.length, 2 * sizeof(struct gdb_registers));
    answers("p10", "0002100000000000");
    answers("p12", "08000000");
    answers("p7", "0000000000000000");
    answers("Hg4", "OK");
    answers("p7", "bc0a000000000000");
    answers("P7=0100000000000000", "OK");
    assert_int_equal(registers[4].gpr[7], 1);
    answers("P10=0000000000000080", "E0e");
    answers("P12=10000000", "E01"); /* CS */
    answers("P7=01", "E16");
    answers("P7=010000000000000000", "E16");
    answers("Pffffffff=00", "E01");
    answers("p1000", "E01");
    answers("p", "E16");
    answers("p7x", "E16");
    strcpy(packet + 1, ask("g"));
    memcpy(packet + 1, "0807060504030201", 16);
    memcpy(packet + 1 + 2 * (17 * 8 + 4), "ffffffff", 8); /* CS again */
    answers(packet, "OK");
    assert_int_equal(registers[4].gpr[0], 0x0102030405060708);
    assert_int_equal(registers[4].segments[0], 0);
    packet[strlen(packet) - 1] = 0;
    answers(packet, "E16");
}

static void memory_is_read_and_written(void **state)
{
    (void)state;
    answers("m1010,4", "10111213");
    answers("m17fe,8", "feff");
    answers("m0,4", "E0e");
    answers("m1000,0", "");
    answers("m1000,801", "E16");
    answers("mffffffffffffffff,4", "E0e");
    answers("m1000", "E16");
    answers("m1000,4x", "E16");
    answers("M1000,2:beef", "OK");
    answers("m1000,3", "beef02");
    answers("M1000,2:be", "E16");
    answers("M1000,2:beefbe", "E16");
    answers("M1000,2:bexf", "E16");
    answers("M17ff,2:0102", "E0e");
    answers("m17ff,1", "ff");
    answers("M1000,ffffffffffffffff:00", "E16");
}

static void breakpoints_are_set(void **state)
{
    (void)state;
    answers("Z0,1004,1", "OK");
    assert_true(broken[4]);
    assert_false(broken_hard);
    answers("z0,1004,1", "OK");
    assert_false(broken[4]);
    answers("Z1,1005,1", "OK");
    assert_true(broken[5] && broken_hard);
    answers("z1,1005,1", "OK");
    assert_false(broken[5]);
    answers("Z0,4,1", "E0e");
    answers("Z0,1004", "E16");
    answers("Z0,1004,1;", "E16");
    answers("Z2,1004,1", ""); /* kinds that are not known */
}

static void threads_go_on(void **state)
{
    (void)state;
    goes_on("c", 0, 0);
    goes_on("s", 1, 1);
    goes_on("vCont;c", 0, 0);
    goes_on("vCont;s:4;c", 4, 0);
    goes_on("vCont;s:4", 4, 4);
    goes_on("vCont;c:5", 0, 5);
    goes_on("vCont;S05:1;C05:-1", 1, 0);
    goes_on("vCont;s", 1, 1);
    session.runs = false;
    answers("Hc4", "OK");
    goes_on("s", 4, 4);
    session.runs = false;
    resumes = 0;
    answers("vCont", "E16");
    answers("vCont;", "E16");
    answers("vCont;x", "E16");
    answers("vCont;s:2", "E01");
    answers("vCont;S", "E16");
    answers("vCont;c;zzz", "E16");
    answers("c1000", "E16");
    cannot_step = true;
    answers("s", "E0e");
    assert_int_equal(resumes, 0);
    assert_false(session.runs);
}

static void stops_are_told(void **state)
{
    struct gdb_stop stop = {GDB_STOP_BREAKPOINT, 4};

    (void)state;
    answers("?", "T02thread:1;");
    session.runs = true;
    memset(&reply, 0, sizeof(reply));
    gdb_tell_stop(&session, &stop, &reply);
    assert_memory_equal(reply.bytes, "T05thread:4;swbreak:;", 21);
    assert_false(session.runs);
    answers("qC", "QC4");
    stop.kind = GDB_STOP_ENDED;
    memset(&reply, 0, sizeof(reply));
    gdb_tell_stop(&session, &stop, &reply);
    assert_memory_equal(reply.bytes, "W00", 3);
    assert_false(session.connected);
}

static void questions_are_answered(void **state)
{
    (void)state;
    answers("qSupported:xmlRegisters=i386",
            "PacketSize=1000;QStartNoAckMode+;qXfer:features:read+;swbreak+;vContSupported+");
    answers("QStartNoAckMode", "OK");
    assert_true(session.no_acks);
    answers("vCont?", "vCont;c;C;s;S");
    answers("vMustReplyEmpty", "");
    answers("qfThreadInfo", "m1,4,5");
    answers("qsThreadInfo", "l");
    answers("qThreadExtraInfo,4", "7468726561642034");
    answers("qThreadExtraInfo,2", "E01");
    answers("qAttached", "1");
    answers("T4", "OK");
    answers("T3", "E01");
    answers("T0", "E01");
    answers("Hg-1", "OK");
    answers("Hg9", "E01");
    answers("Hx1", "E01");
    answers("qUnknown", "");
    answers("\xff", "");
    answers("", "");
    answers("D", "OK");
    assert_int_equal(let_go, 1);
    assert_null(ask("k"));
    assert_int_equal(killed, 1);
}

/* The description as GDB gets it names every register of a g packet, in order. */
static void the_description_fits_the_registers(void **state)
{
    static char whole[16384];
    size_t length = 0, bytes = 0, offset, size;
    unsigned count = 0;
    char packet[64];

    (void)state;
    do {
        snprintf(packet, sizeof(packet), "qXfer:features:read:target.xml:%zx,1ff", length);
        assert_non_null(ask(packet));
        assert_true(length + reply.length < sizeof(whole));
        memcpy(whole + length, text + 1, reply.length - 1);
        length += reply.length - 1;
    } while (text[0] == 'm');
    assert_int_equal(text[0], 'l');
    for (const char *at = whole; (at = strstr(at, "bitsize=\"")) != NULL; count++) {
        unsigned bits = (unsigned)strtoul(at += 9, NULL, 10);

        assert_true(gdb_register_place(count, &offset, &size));
        assert_int_equal(offset, bytes);
        assert_int_equal(size * 8, bits);
        bytes += size;
    }
    assert_false(gdb_register_place(count, &offset, &size));
    assert_int_equal(bytes, sizeof(struct gdb_registers));
    assert_non_null(strstr(whole, "</target>"));
    answers("qXfer:features:read:target.xml:ffffff,10", "l");
    assert_int_equal(*ask("qXfer:features:read:target.xml:0,ffb"), 'm'); /* more than it gets */
    assert_memory_equal(text + 1, whole, reply.length - 1);
    assert_true(reply.length > 1000);
    answers("qXfer:features:read:target.xml:0,", "E16");
    answers("qXfer:features:read:other.xml:0,10", "");
}

/* ---- Hostile lines ---- */

static const char *const corpus[] = {
    "?",
    "g",
    "G00",
    "p10",
    "P7=0100000000000000",
    "m1000,10",
    "M1000,2:beef",
    "Z0,1004,1",
    "z0,1004,1",
    "vCont;s:4;c",
    "vCont?",
    "qXfer:features:read:target.xml:0,ff",
    "qfThreadInfo",
    "qThreadExtraInfo,4",
    "Hg4",
    "T5",
    "qSupported:multiprocess+",
    "c",
    "s",
    "D",
    "QStartNoAckMode",
};

static void any_packet_is_survived(void **state)
{
    (void)state;
    srand(1);
    for (int round = 0; round < FUZZ_ROUNDS; round++) {
        char *packet = strdup(corpus[(size_t)rand() % (sizeof(corpus) / sizeof(corpus[0]))]);
        size_t length = strlen(packet);

        for (int i = rand() % 3; i >= 0; i--) {
            static const char likely[] = "0f,:;=-1#$\x7f\xff";

            packet[(size_t)rand() % length] =
                rand() % 2 ? likely[(size_t)rand() % (sizeof(likely) - 1)] : (char)rand();
        }
        memset(&reply, 0, sizeof(reply));
        session.runs = false;
        gdb_carry_out(&session, packet, &reply);
        assert_true(reply.length < sizeof(reply.bytes));
        free(packet);
    }
}

static void any_bytes_are_survived(void **state)
{
    static struct gdb_line line;
    static const char likely[] = "$#+-\x03"
                                 "0aqvm";

    (void)state;
    srand(2);
    for (int round = 0; round < 10 * FUZZ_ROUNDS; round++) {
        char byte = rand() % 4 ? likely[(size_t)rand() % (sizeof(likely) - 1)] : (char)rand();

        if (gdb_receive(&line, byte) != GDB_PACKET)
            continue;
        assert_true(strlen(line.packet) <= GDB_PACKET_MAX);
        memset(&reply, 0, 16);
        reply.length = 0;
        gdb_carry_out(&session, line.packet, &reply);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(packets_are_framed, begin),
        cmocka_unit_test_setup(long_packets_are_refused, begin),
        cmocka_unit_test_setup(numbers_are_bounded, begin),
        cmocka_unit_test_setup(registers_are_read_and_written, begin),
        cmocka_unit_test_setup(memory_is_read_and_written, begin),
        cmocka_unit_test_setup(breakpoints_are_set, begin),
        cmocka_unit_test_setup(threads_go_on, begin),
        cmocka_unit_test_setup(stops_are_told, begin),
        cmocka_unit_test_setup(questions_are_answered, begin),
        cmocka_unit_test_setup(the_description_fits_the_registers, begin),
        cmocka_unit_test_setup(any_packet_is_survived, begin),
        cmocka_unit_test_setup(any_bytes_are_survived, begin),
    };
    return cmocka_run_group_tests_name("gdb", tests, NULL, NULL);
}
