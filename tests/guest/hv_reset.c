// hyperv: on
// expect: reset
/* The RESET MSR resets the machine. */
#include "tests/guest/lib/hv.h"

void test_main(void)
{
    ok(true, "until the reset");
    plan(1);
    wrmsr(HV_MSR_RESET, 1);
    ok(false, "going on after it");
}
