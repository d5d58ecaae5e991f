// SPDX-License-Identifier: BSD-2-Clause
// What a guest cannot find out by itself: the value that powers off, and the devices at fixed ports.
// The numbers are those of core/guest/layout.h; tests/host/test_guest_acpi.c compares them.
DefinitionBlock ("", "DSDT", 2, "LAPWNG", "LAPWING ", 1)
{
    // SLP_TYPa, SLP_TYPb and two reserved numbers (ACPI, "\_Sx (System States)").
    Name (\_S5, Package () { 0, 0, 0, 0 })

    Scope (\_SB)
    {
        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 1)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x03F8, 0x03F8, 1, 8)
                IRQNoFlags () { 4 }
            })
        }

        Device (RTC)
        {
            Name (_HID, EisaId ("PNP0B00"))
            Name (_STA, 0x0F) // 0 with "cmos = off"
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0070, 0x0070, 1, 2)
                IRQNoFlags () { 8 }
            })
        }
    }
}
