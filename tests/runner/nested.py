# SPDX-License-Identifier: BSD-2-Clause
"""What "make test-nested" runs: Lapwing under QEMU with KVM, on this machine where it can, else on
a host that Bochs emulates (docs/nested.md). A boot takes minutes there, so this is a choice."""

from dataclasses import replace

from lapwing import emulators
from tests.runner import guests, linux, refusals
from tests.runner.report import Result
from tests.runner.worlds import World

# On one real processor.
ALONE = """
    apic_base cache_control compat_mode control_registers control_registers+intercepted cpuid
    debug_registers exceptions exceptions+intercepted hello hidden_instructions hlt
    interrupts ioapic lapic_timer mmio_forms msr nmi pm_paging pm_real_mode pm_task_switch pm_v86
    port_io port_string registers reinjection single_step time_limit_halted triple_fault tsc
    tsc_deadline vsm_enable vsm_msrs vsm_protect vsm_secure vsm_state
    x2apic x2apic+all=off xapic xapic+all=off xsave xsetbv
""".split()
# On two. Those that spin are slow where the two share the processor that Bochs is.
TOGETHER = ["hv_interrupts"]
# For these reasons those of one processor make exits.
EXITS = {
    "exception or NMI", "external interrupt", "triple fault", "NMI window", "task switch", "CPUID",
    "HLT", "INVD", "RDPMC", "VMCALL", "VMCLEAR", "VMLAUNCH", "VMPTRLD", "VMPTRST", "VMREAD",
    "VMRESUME", "VMWRITE", "VMXOFF", "VMXON", "CR access", "I/O instruction", "RDMSR", "WRMSR",
    "MWAIT", "monitor trap flag", "MONITOR", "APIC access", "GDTR or IDTR access",
    "LDTR or TR access", "EPT violation", "INVEPT", "preemption timer", "INVVPID", "WBINVD",
    "XSETBV", "APIC write",
}
WITHOUT_VIRTUAL_INTERRUPTS = {"interrupt window", "TPR below threshold"}

# A second of a guest's time is 3.5 G instructions there (docs/nested.md).
EMULATED = World("nested", emulators.NESTED, "", 2, memory=1024)
DIRECT = World("nested", emulators.QEMU, "", 1, memory=1024)
REFUSED = refusals.Refusal("no_unrestricted_guest",
                           "this processor's VMX lacks 'unrestricted guest'", "EFI_UNSUPPORTED")


def _world(wanted):
    """For this machine; wanted is the value of EMU."""
    if wanted:
        emulator, _ = emulators.choose(wanted)
        return EMULATED if emulator is emulators.NESTED else replace(DIRECT, emulator=emulator)
    return EMULATED if emulators.kvm_lacks_vmx() or emulators.QEMU.missing() else DIRECT


def _guests(world, wanted, names, selected):
    everyone = {guest.name: guest for guest in guests.all_guests(world)}
    return [everyone[name] for name in names if selected(f"{world.name}/{name}", wanted)]


def _run_guests(world, chosen, wanted, report):
    seen = guests.run(world, chosen, report)
    exits = EXITS
    if world.emulator is emulators.NESTED:
        exits = exits | WITHOUT_VIRTUAL_INTERRUPTS
    if not wanted:
        missing = [f"saw no exit for {reason}, expected some" for reason in sorted(exits - seen)]
        report.add(Result(f"{world.name}/exit_reasons", len(exits & seen), missing))


def jobs(emulator, wanted, selected):
    """As tests/run has them: (name, function taking the report)."""
    world = _world(emulator)
    alone, together = replace(world, cpus=1), replace(world, name=f"{world.name}_smp")
    found = []
    if chosen := _guests(alone, wanted, ALONE, selected):
        found.append((alone.name, lambda report: _run_guests(alone, chosen, wanted, report)))
    if others := _guests(together, wanted, TOGETHER, selected):
        others = guests.with_partners(others, guests.all_guests(together))
        found.append((together.name, lambda report: guests.run(together, others, report)))
    boot = linux.Boot(alone, f"{world.name}/linux")
    if selected(boot.name, wanted):
        found.append((boot.name, lambda report: linux.run(boot, report)))
    refusal = f"{world.name}/{REFUSED.name}"
    if selected(refusal, wanted):
        model = f"{world.emulator.default_model},-vmx-unrestricted-guest"
        lacking = replace(alone, cpu_model=model)
        found.append((refusal, lambda report: refusals.check(REFUSED, refusal, lacking, report)))
    return found
