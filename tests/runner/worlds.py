# SPDX-License-Identifier: BSD-2-Clause
"""The emulated machines that the guest tests run on."""

from dataclasses import dataclass, field

from lapwing import emulators


@dataclass(frozen=True)
class World:
    name: str
    emulator: object
    cpu_model: str
    slowness: int  # wall-clock limits are multiplied by this
    apic_keys_in_turn: bool = False  # has all of the hardware's APIC virtualization
    processors_only: bool = False  # runs guests that are not about that in "make test-long"
    vm_keys: dict = field(default_factory=dict)  # of every guest that does not say otherwise


BOCHS = (
    World("skylake_x", emulators.BOCHS_3_0, "corei7_skylake_x", 1, True),
    World("haswell", emulators.BOCHS_3_0, "corei7_haswell_4770", 1, processors_only=True,
          vm_keys={"virtual_interrupts": "off"}),  # delivers with IF clear: docs/errata.md
    World("sandy_bridge", emulators.BOCHS_3_0, "corei7_sandy_bridge_2600k", 1),
    World("bochs_2.7", emulators.BOCHS_2_7, "corei7_skylake_x", 2),
)
KVM = (World("kvm", emulators.QEMU, "host", 1, True),)


def available(wanted):
    """The worlds for this machine; wanted is the value of EMU."""
    emulator, _ = emulators.choose(wanted)
    if emulator is emulators.QEMU:
        return KVM
    if wanted:
        return tuple(world for world in BOCHS if world.emulator is emulator)
    return BOCHS
