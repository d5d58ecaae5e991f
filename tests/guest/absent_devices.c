/* SPDX-License-Identifier: BSD-2-Clause */
/* Probing for devices of a PC that this machine does not have finds nothing, and harms nothing. */
#include "tests/guest/guest.h"

enum {
    PCI_ADDRESS = 0xcf8,
    PCI_DATA = 0xcfc,
};

#define PCI_ENABLE (1u << 31)
#define HPET       0xfed00000ul

static void ports(void)
{
    static const struct {
        uint16_t port;
        const char *name;
    } absent[] = {
        {0x20, "first 8259"},
        {0x21, "first 8259's mask"},
        {0xa0, "second 8259"},
        {0x40, "8254"},
        {0x43, "8254's control"},
        {0x60, "keyboard data"},
        {0x80, "POST code"},
        {0x1f7, "first IDE disk"},
        {0x2fd, "second serial port"},
        {0x3ed, "third serial"},
        {0x2ed, "fourth serial"},
        {0x378, "parallel port"},
        {0x3f4, "floppy"},
        {0x3da, "VGA status"},
        {0x3d5, "VGA registers"},
        {0x278, "sound"},
        {0x388, "sound"},
        {0x511, "firmware configuration"},
        {0x5658, "backdoor"},
        {0xae, "hot plug"},
        {0xb2, "SMI command"},
    };
    for (unsigned i = 0; i < sizeof(absent) / sizeof(*absent); i++) {
        outb(absent[i].port, 0);
        is_u64(inb(absent[i].port), 0xff, "no %s at port 0x%x", absent[i].name, absent[i].port);
    }
}

static void pci(void)
{
    unsigned found = 0;
    for (unsigned function = 0; function < 256 * 8; function++) {
        outl(PCI_ADDRESS, PCI_ENABLE | function << 8);
        found += inl(PCI_DATA) != 0xffffffff;
    }
    is_u64(found, 0, "no PCI function on bus 0");
}

void test_main(void)
{
    ports();
    pci();
    is_u64(mmio_read32(HPET), 0xffffffff, "no HPET");
    mmio_write32(HPET + 0x10, 1);
    is_u64(mmio_read32(HPET + 0x10), 0xffffffff, "and it cannot be switched on");
}
