# SPDX-License-Identifier: BSD-2-Clause
"""The emulated machines that the guest tests run on."""

from dataclasses import dataclass, field, replace

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
    lone_keys: dict = field(default_factory=dict)  # besides, of every guest of one processor
    machine_keys: dict = field(default_factory=dict)  # of the section [lapwing]
    only: tuple = ()  # the guests that run there; empty: all
    cpus: int = 2
    memory: int = 2048  # MiB

    def machine(self, image):
        """What its emulator is to make."""
        return emulators.Machine(image, self.cpu_model, self.cpus, self.memory)


# What Bochs does wrong (docs/errata.md) the guests stand, but for two things: virtual interrupts that
# come while interrupts are disabled, on the Haswell model and on 2.7, and, in guests of several
# processors, exits right after exceptions: an instruction that raised one ran again in its handler.
AS_IT_IS = {"intercept_exceptions": "off"}
BOCHS = (
    World("skylake_x", emulators.BOCHS_3_0, "corei7_skylake_x", 1, True,
          vm_keys={"virtual_interrupts": "on"}, lone_keys=AS_IT_IS),
    World("haswell", emulators.BOCHS_3_0, "corei7_haswell_4770", 1, processors_only=True,
          lone_keys=AS_IT_IS),
    World("sandy_bridge", emulators.BOCHS_3_0, "corei7_sandy_bridge_2600k", 1, lone_keys=AS_IT_IS),
    World("bochs_2.7", emulators.BOCHS_2_7, "corei7_skylake_x", 2, lone_keys=AS_IT_IS),
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


def for_guests(wanted):
    """The same, and once more the first with all measures against transient execution: for guests
    that notice when VM entries and exits, switches of levels or of processors go wrong."""
    here = available(wanted)
    first = here[0]
    # Of Bochs's processors Ice Lake has IA32_SPEC_CTRL, IA32_PRED_CMD and IA32_FLUSH_CMD.
    model = "corei7_icelake_u" if first.emulator is emulators.BOCHS_3_0 else first.cpu_model
    return (*here, replace(first, name="mitigated", cpu_model=model,
                           machine_keys={"mitigations": "on"},
                           only=("registers", "exceptions", "absent_memory", "smp_ipi",
                                 "sched_share", "vsm_state", "vsm_protect")))
