/* SPDX-License-Identifier: BSD-2-Clause */
/* The packets, one function each. */
#include "core/gdb/command.h"

#include "core/bits.h"
#include "core/string.h"

enum {
    MEMORY_MAX = GDB_PACKET_MAX / 2,
    NAME_MAX = 32,
    SIGNAL_INTERRUPT = 2,
    SIGNAL_TRAP = 5,
    NO_SUCH = 1,    /* E01: no such thread, register or query */
    MALFORMED = 22, /* E16 */
    FAULT = 14,     /* E0e */
};

static bool put_error(struct gdb_reply *reply, unsigned error)
{
    uint8_t byte = (uint8_t)error;

    gdb_put(reply, "E");
    gdb_put_hex(reply, &byte, 1);
    return true;
}

static bool put_ok(struct gdb_reply *reply)
{
    gdb_put(reply, "OK");
    return true;
}

static bool put_outcome(struct gdb_reply *reply, bool good, unsigned error)
{
    return good ? put_ok(reply) : put_error(reply, error);
}

static uint32_t general_thread(const struct gdb_session *session)
{
    return gdb_target_has_thread(session->general) ? session->general : session->stop.thread;
}

/* -1 stands for all threads and 0 for any: both are 0 here. */
static bool take_thread(struct gdb_cursor *cursor, uint32_t *thread)
{
    uint64_t number = 0;

    if (!gdb_take(cursor, "-1") && !gdb_take_number(cursor, &number))
        return false;
    *thread = (uint32_t)number;
    return number == 0 || (number <= UINT32_MAX && gdb_target_has_thread((uint32_t)number));
}

static void put_thread(struct gdb_reply *reply, uint32_t thread)
{
    gdb_put(reply, "thread:");
    gdb_put_number(reply, thread);
    gdb_put(reply, ";");
}

void gdb_tell_stop(struct gdb_session *session, const struct gdb_stop *stop,
                   struct gdb_reply *reply)
{
    uint8_t signal = stop->kind == GDB_STOP_INTERRUPT ? SIGNAL_INTERRUPT : SIGNAL_TRAP;

    session->runs = false;
    session->stop = *stop;
    session->general = stop->thread;
    if (stop->kind == GDB_STOP_ENDED) {
        session->connected = false;
        gdb_put(reply, "W00");
        return;
    }
    gdb_put(reply, "T");
    gdb_put_hex(reply, &signal, 1);
    put_thread(reply, stop->thread);
    if (stop->kind == GDB_STOP_BREAKPOINT)
        gdb_put(reply, "swbreak:;");
}

/* ---- Registers and memory -------------------------------------------------------------------- */

static bool read_registers(const struct gdb_session *session, struct gdb_reply *reply)
{
    struct gdb_registers registers;

    gdb_target_get(general_thread(session), &registers);
    gdb_put_hex(reply, &registers, sizeof(registers));
    return true;
}

/* What GDB may not change stays as it is. */
static bool write_registers(const struct gdb_session *session, struct gdb_cursor *packet,
                            struct gdb_reply *reply)
{
    struct gdb_registers registers, wanted;
    size_t offset, size;

    if (!gdb_take_hex(packet, &wanted, sizeof(wanted)) || *packet->at != 0)
        return put_error(reply, MALFORMED);
    gdb_target_get(general_thread(session), &registers);
    for (unsigned i = 0; gdb_register_place(i, &offset, &size); i++)
        if (gdb_register_is_writable(i))
            memcpy((uint8_t *)&registers + offset, (uint8_t *)&wanted + offset, size);
    return put_outcome(reply, gdb_target_set(general_thread(session), &registers), FAULT);
}

static bool read_register(const struct gdb_session *session, struct gdb_cursor *packet,
                          struct gdb_reply *reply)
{
    struct gdb_registers registers;
    uint64_t number;
    size_t offset, size;

    if (!gdb_take_number(packet, &number) || *packet->at != 0)
        return put_error(reply, MALFORMED);
    if (number > UINT32_MAX || !gdb_register_place((unsigned)number, &offset, &size))
        return put_error(reply, NO_SUCH);
    gdb_target_get(general_thread(session), &registers);
    gdb_put_hex(reply, (uint8_t *)&registers + offset, size);
    return true;
}

static bool write_register(const struct gdb_session *session, struct gdb_cursor *packet,
                           struct gdb_reply *reply)
{
    struct gdb_registers registers;
    uint64_t number;
    size_t offset, size;

    if (!gdb_take_number(packet, &number) || !gdb_take(packet, "="))
        return put_error(reply, MALFORMED);
    if (number > UINT32_MAX || !gdb_register_place((unsigned)number, &offset, &size) ||
        !gdb_register_is_writable((unsigned)number))
        return put_error(reply, NO_SUCH);
    gdb_target_get(general_thread(session), &registers);
    if (!gdb_take_hex(packet, (uint8_t *)&registers + offset, size) || *packet->at != 0)
        return put_error(reply, MALFORMED);
    return put_outcome(reply, gdb_target_set(general_thread(session), &registers), FAULT);
}

static bool take_range(struct gdb_cursor *packet, uint64_t *address, uint64_t *size)
{
    return gdb_take_number(packet, address) && gdb_take(packet, ",") &&
           gdb_take_number(packet, size) && *size <= MEMORY_MAX;
}

static bool read_memory(const struct gdb_session *session, struct gdb_cursor *packet,
                        struct gdb_reply *reply)
{
    static uint8_t bytes[MEMORY_MAX];
    uint64_t address, size;

    if (!take_range(packet, &address, &size) || *packet->at != 0)
        return put_error(reply, MALFORMED);
    size_t n = gdb_target_read(general_thread(session), address, bytes, size);
    if (n == 0 && size > 0)
        return put_error(reply, FAULT);
    gdb_put_hex(reply, bytes, n);
    return true;
}

static bool write_memory(const struct gdb_session *session, struct gdb_cursor *packet,
                         struct gdb_reply *reply)
{
    static uint8_t bytes[MEMORY_MAX];
    uint64_t address, size;

    if (!take_range(packet, &address, &size) || !gdb_take(packet, ":") ||
        !gdb_take_hex(packet, bytes, size) || *packet->at != 0)
        return put_error(reply, MALFORMED);
    return put_outcome(reply, gdb_target_write(general_thread(session), address, bytes, size),
                       FAULT);
}

/* Z0, Z1, z0 and z1; other kinds are unknown here, which an empty answer says. */
static bool set_breakpoint(const struct gdb_session *session, struct gdb_cursor *packet, bool set,
                           struct gdb_reply *reply)
{
    uint64_t address, kind;
    bool hard = gdb_take(packet, "1");

    if (!hard && !gdb_take(packet, "0"))
        return true;
    if (!gdb_take(packet, ",") || !gdb_take_number(packet, &address) || !gdb_take(packet, ",") ||
        !gdb_take_number(packet, &kind) || *packet->at != 0)
        return put_error(reply, MALFORMED);
    return put_outcome(reply, gdb_target_break(general_thread(session), address, hard, set), FAULT);
}

/* ---- Running --------------------------------------------------------------------------------- */

static bool resume(struct gdb_session *session, uint32_t step, uint32_t only,
                   struct gdb_reply *reply)
{
    if (!gdb_target_resume(step, only))
        return put_error(reply, FAULT);
    session->runs = true;
    return false;
}

/* vCont: the first action that fits a thread is its. One may step; the others go on, or stay. */
static bool resume_each(struct gdb_session *session, struct gdb_cursor *packet,
                        struct gdb_reply *reply)
{
    uint32_t step = 0, only = 0;
    bool all = false;

    while (gdb_take(packet, ";")) {
        char action = *packet->at;
        uint64_t signal;
        uint32_t thread = 0;

        if (action == 0)
            return put_error(reply, MALFORMED);
        packet->at++;
        if ((action == 'C' || action == 'S') && !gdb_take_number(packet, &signal))
            return put_error(reply, MALFORMED);
        if (gdb_take(packet, ":") && !take_thread(packet, &thread))
            return put_error(reply, NO_SUCH);
        if ((action == 's' || action == 'S') && step == 0)
            step = thread != 0 ? thread : session->stop.thread;
        else if (action != 'c' && action != 'C')
            return put_error(reply, MALFORMED);
        all |= (action == 'c' || action == 'C') && thread == 0;
        only = thread != 0 && only == 0 ? thread : only;
    }
    if (*packet->at != 0 || (step == 0 && only == 0 && !all))
        return put_error(reply, MALFORMED);
    return resume(session, step, all ? 0 : only != 0 ? only : step, reply);
}

/* c and s, without an address. */
static bool resume_all(struct gdb_session *session, struct gdb_cursor *packet, bool step,
                       struct gdb_reply *reply)
{
    uint32_t thread =
        gdb_target_has_thread(session->resumed) ? session->resumed : session->stop.thread;

    if (*packet->at != 0)
        return put_error(reply, MALFORMED);
    return resume(session, step ? thread : 0, step ? thread : 0, reply);
}

static bool let_go(struct gdb_session *session, bool kill)
{
    gdb_target_let_go(kill);
    session->connected = session->runs = false;
    return !kill;
}

/* ---- Questions ------------------------------------------------------------------------------- */

static bool list_threads(struct gdb_reply *reply)
{
    const char *before = "m";

    for (uint32_t t = 0; (t = gdb_target_next_thread(t)) != 0; before = ",") {
        gdb_put(reply, before);
        gdb_put_number(reply, t);
    }
    return true;
}

static bool describe_thread(struct gdb_cursor *packet, struct gdb_reply *reply)
{
    char name[NAME_MAX];
    uint32_t thread;

    if (!take_thread(packet, &thread) || thread == 0)
        return put_error(reply, NO_SUCH);
    gdb_target_thread_name(thread, name, sizeof(name));
    gdb_put_hex(reply, name, strlen(name));
    return true;
}

/* No byte of the description needs an escape. */
static bool send_description(struct gdb_cursor *packet, struct gdb_reply *reply)
{
    static char text[MEMORY_MAX + 1];
    uint64_t offset, size;

    if (!gdb_take_number(packet, &offset) || !gdb_take(packet, ",") ||
        !gdb_take_number(packet, &size) || *packet->at != 0)
        return put_error(reply, MALFORMED);
    size = min(size, (uint64_t)MEMORY_MAX);
    size_t n = gdb_description(text, size, offset);
    text[n] = 0;
    gdb_put(reply, n == size ? "m" : "l");
    gdb_put(reply, text);
    return true;
}

static bool answer_question(struct gdb_session *session, struct gdb_cursor *packet,
                            struct gdb_reply *reply)
{
    if (gdb_take(packet, "Supported")) {
        gdb_put(reply, "PacketSize=");
        gdb_put_number(reply, GDB_PACKET_MAX);
        gdb_put(reply, ";QStartNoAckMode+;qXfer:features:read+;swbreak+;vContSupported+");
        return true;
    }
    if (gdb_take(packet, "Xfer:features:read:target.xml:"))
        return send_description(packet, reply);
    if (gdb_take(packet, "fThreadInfo"))
        return list_threads(reply);
    if (gdb_take(packet, "ThreadExtraInfo,"))
        return describe_thread(packet, reply);
    if (gdb_take(packet, "Attached"))
        gdb_put(reply, "1");
    else if (gdb_take(packet, "sThreadInfo"))
        gdb_put(reply, "l");
    else if (*packet->at == 'C') {
        gdb_put(reply, "QC");
        gdb_put_number(reply, general_thread(session));
    }
    return true;
}

static bool choose_thread(struct gdb_session *session, struct gdb_cursor *packet,
                          struct gdb_reply *reply)
{
    bool general = gdb_take(packet, "g");
    uint32_t thread;

    if ((!general && !gdb_take(packet, "c")) || !take_thread(packet, &thread) || *packet->at != 0)
        return put_error(reply, NO_SUCH);
    if (general)
        session->general = thread;
    else
        session->resumed = thread;
    return put_ok(reply);
}

static bool is_alive(struct gdb_cursor *packet, struct gdb_reply *reply)
{
    uint32_t thread;

    return put_outcome(reply, take_thread(packet, &thread) && thread != 0, NO_SUCH);
}

static bool answer_v(struct gdb_session *session, struct gdb_cursor *packet,
                     struct gdb_reply *reply)
{
    if (gdb_take(packet, "Cont?"))
        gdb_put(reply, "vCont;c;C;s;S");
    else if (gdb_take(packet, "Cont"))
        return resume_each(session, packet, reply);
    else if (gdb_take(packet, "Kill")) {
        let_go(session, true);
        return put_ok(reply);
    }
    return true;
}

bool gdb_carry_out(struct gdb_session *session, const char *text, struct gdb_reply *reply)
{
    struct gdb_cursor packet = {.at = text};
    char kind = *text;

    if (kind == 0)
        return true;
    packet.at++;
    switch (kind) {
    case '?':
        gdb_tell_stop(session, &session->stop, reply);
        return true;
    case 'g':
        return read_registers(session, reply);
    case 'G':
        return write_registers(session, &packet, reply);
    case 'p':
        return read_register(session, &packet, reply);
    case 'P':
        return write_register(session, &packet, reply);
    case 'm':
        return read_memory(session, &packet, reply);
    case 'M':
        return write_memory(session, &packet, reply);
    case 'Z':
    case 'z':
        return set_breakpoint(session, &packet, kind == 'Z', reply);
    case 'c':
    case 's':
        return resume_all(session, &packet, kind == 's', reply);
    case 'H':
        return choose_thread(session, &packet, reply);
    case 'T':
        return is_alive(&packet, reply);
    case 'q':
        return answer_question(session, &packet, reply);
    case 'Q':
        session->no_acks = gdb_take(&packet, "StartNoAckMode");
        return !session->no_acks || put_ok(reply);
    case 'v':
        return answer_v(session, &packet, reply);
    case 'D':
        return let_go(session, false) && put_ok(reply);
    case 'k':
        return let_go(session, true);
    default:
        return true; /* an empty answer: not known here */
    }
}
