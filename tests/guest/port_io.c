/* SPDX-License-Identifier: BSD-2-Clause */
/* IN and OUT of all sizes, with the port in DX and in the instruction. */
#include "tests/guest/guest.h"

enum {
    ABSENT = 0xea, /* below 0x100, for the immediate forms */
    UART_SCRATCH = 0x3ff,
};

static const uint64_t pattern = 0x1122334455667788;

static void absent_reads_ones(void)
{
    uint64_t a = pattern;
    asm volatile("inb %%dx, %%al" : "+a"(a) : "d"(ABSENT));
    is_u64(a, 0x11223344556677ff, "IN AL, DX changes AL only");
    a = pattern;
    asm volatile("inw %%dx, %%ax" : "+a"(a) : "d"(ABSENT));
    is_u64(a, 0x112233445566ffff, "IN AX, DX changes AX only");
    a = pattern;
    asm volatile("inl %%dx, %%eax" : "+a"(a) : "d"(ABSENT));
    is_u64(a, 0xffffffff, "IN EAX, DX clears the upper half of RAX");
    a = pattern;
    asm volatile("inb %1, %%al" : "+a"(a) : "n"(ABSENT));
    is_u64(a, 0x11223344556677ff, "IN AL, imm8");
    a = pattern;
    asm volatile("inw %1, %%ax" : "+a"(a) : "n"(ABSENT));
    is_u64(a, 0x112233445566ffff, "IN AX, imm8");
    a = pattern;
    asm volatile("inl %1, %%eax" : "+a"(a) : "n"(ABSENT));
    is_u64(a, 0xffffffff, "IN EAX, imm8");
}

static void writes_vanish(void)
{
    is_no_fault(TRY("outb %%al, %%dx", : : "a"(0), "d"(ABSENT)), "OUT DX, AL to an absent port");
    is_no_fault(TRY("outw %%ax, %%dx", : : "a"(0), "d"(ABSENT)), "OUT DX, AX to an absent port");
    is_no_fault(TRY("outl %%eax, %%dx", : : "a"(0), "d"(ABSENT)), "OUT DX, EAX to an absent port");
    is_no_fault(TRY("outb %%al, %0", : : "n"(ABSENT), "a"(0)), "OUT imm8, AL to an absent port");
    is_u64(inb(ABSENT), 0xff, "an absent port keeps nothing");
}

static void device_port(void)
{
    outb(UART_SCRATCH, 0x5a);
    is_u64(inb(UART_SCRATCH), 0x5a, "a port with a register behind it keeps a byte");
    outb(UART_SCRATCH, 0xa5);
    is_u64(inb(UART_SCRATCH), 0xa5, "and another");
    uint64_t d = 0xffffffffffff0000 | UART_SCRATCH, a = 0;
    asm volatile("inb %%dx, %%al" : "+a"(a) : "d"(d));
    is_u64(a, 0xa5, "only DX counts, not the rest of RDX");
}

static void highest_ports(void)
{
    is_u64(inb(0xffff), 0xff, "a byte at port 0xffff");
    is_u64(inl(0xfffc), 0xffffffff, "four bytes at port 0xfffc");
    is_no_fault(TRY("inl %%dx, %%eax", : : "d"(0xffff) : "eax"), "four bytes beyond port 0xffff");
}

static void user_may_not(uintptr_t port)
{
    inb((uint16_t)port);
}

static void privilege(void)
{
    allow_user();
    is_fault(enter_user(user_may_not, ABSENT), GP, 0, "IN at CPL 3 without permission");
}

void test_main(void)
{
    absent_reads_ones();
    writes_vanish();
    device_port();
    highest_ports();
    privilege();
}
