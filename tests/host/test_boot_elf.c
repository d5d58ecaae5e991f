/* SPDX-License-Identifier: BSD-2-Clause */
/* links: boot/elf.c */
/* The plan for the hypervisor's own ELF file. */
#include "boot/elf.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/layout.h"

enum { SEGMENTS = 3 };

struct file {
    Elf64_Ehdr header;
    Elf64_Phdr segments[SEGMENTS];
    uint8_t contents[0x300];
};

static const Elf64_Phdr text = {
    .p_type = PT_LOAD,
    .p_flags = PF_R | PF_X,
    .p_offset = offsetof(struct file, contents),
    .p_vaddr = IMAGE_BASE,
    .p_filesz = 0x100,
    .p_memsz = 0x100,
};
static const Elf64_Phdr constants = {
    .p_type = PT_LOAD,
    .p_flags = PF_R,
    .p_offset = offsetof(struct file, contents) + 0x100,
    .p_vaddr = IMAGE_BASE + 0x1000,
    .p_filesz = 0x100,
    .p_memsz = 0x100,
};
static const Elf64_Phdr data = {
    .p_type = PT_LOAD,
    .p_flags = PF_R | PF_W,
    .p_offset = offsetof(struct file, contents) + 0x200,
    .p_vaddr = IMAGE_BASE + 0x3000,
    .p_filesz = 0x100,
    .p_memsz = 0x1234,
};

static struct file good(void)
{
    struct file file = {
        .header =
            {
                .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                .e_type = ET_EXEC,
                .e_machine = EM_X86_64,
                .e_entry = IMAGE_BASE + 0x10,
                .e_phoff = offsetof(struct file, segments),
                .e_phentsize = sizeof(Elf64_Phdr),
                .e_phnum = SEGMENTS,
            },
        .segments = {text, constants, data},
    };

    return file;
}

static void test_plan(void **state)
{
    struct file file = good();
    struct elf_plan plan;

    (void)state;
    assert_null(elf_plan(&file, sizeof(file), &plan));
    assert_int_equal(plan.n_segments, SEGMENTS);
    assert_int_equal(plan.entry, IMAGE_BASE + 0x10);
    assert_int_equal(plan.image_size, 0x5000);
    assert_int_equal(plan.segments[0].access, PAGE_READ_EXECUTE);
    assert_int_equal(plan.segments[1].access, PAGE_READ);
    assert_int_equal(plan.segments[2].access, PAGE_READ_WRITE);
    assert_int_equal(plan.segments[2].offset, 0x3000);
    assert_int_equal(plan.segments[2].size, 0x2000);
    assert_int_equal(plan.segments[2].file_size, 0x100);
    assert_int_equal(plan.segments[2].file_offset, data.p_offset);
}

static void test_other_headers_are_skipped(void **state)
{
    struct file file = good();
    struct elf_plan plan;

    (void)state;
    file.segments[1].p_type = PT_GNU_STACK;
    assert_null(elf_plan(&file, sizeof(file), &plan));
    assert_int_equal(plan.n_segments, 2);
}

static void refused(const struct file *file, uint64_t size, const char *why)
{
    struct elf_plan plan;
    const char *wrong = elf_plan(file, size, &plan);

    assert_non_null(wrong);
    assert_string_equal(wrong, why);
}

static void test_bad_headers(void **state)
{
    struct file file = good();

    (void)state;
    refused(&file, sizeof(Elf64_Ehdr) - 1, "shorter than an ELF header");
    refused(&file, offsetof(struct file, contents) - 1,
            "program headers beyond the end of the file");
    file.header.e_phoff = UINT64_MAX;
    refused(&file, sizeof(file), "program headers beyond the end of the file");
    file = good();
    file.header.e_ident[0] = 0;
    refused(&file, sizeof(file), "not a 64-bit ELF file");
    file = good();
    file.header.e_type = ET_DYN;
    refused(&file, sizeof(file), "not an x86-64 executable");
    file = good();
    file.header.e_phentsize++;
    refused(&file, sizeof(file), "program headers of an unknown size");
    file = good();
    file.header.e_entry = constants.p_vaddr;
    refused(&file, sizeof(file), "an entry point outside the code");
}

static void test_bad_segments(void **state)
{
    struct file file = good();

    (void)state;
    file.segments[0].p_vaddr = IMAGE_BASE - 0x1000;
    refused(&file, sizeof(file), "a segment that is not at a page of the image");
    file = good();
    file.segments[2].p_vaddr += 8;
    refused(&file, sizeof(file), "a segment that is not at a page of the image");
    file = good();
    file.segments[2].p_memsz = -IMAGE_BASE - 0x3000;
    refused(&file, sizeof(file), "a segment beyond the end of the address space");
    file = good();
    file.segments[1].p_vaddr = IMAGE_BASE;
    refused(&file, sizeof(file), "segments that overlap or are not in order");
    file = good();
    file.segments[2].p_filesz = file.segments[2].p_memsz + 1;
    refused(&file, sizeof(file), "a segment beyond the end of the file");
    file = good();
    file.segments[0].p_offset = UINT64_MAX;
    refused(&file, sizeof(file), "a segment beyond the end of the file");
    file = good();
    file.segments[2].p_flags |= PF_X;
    refused(&file, sizeof(file), "a segment both writable and executable");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_other_headers_are_skipped),
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_bad_segments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
