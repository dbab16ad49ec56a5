/* SPDX-License-Identifier: MIT */
/*
 * A test binary of IGT, on IGT's own library, whose subtests have the names of
 * made_up_cases.py and end likewise: what drmbench-igt is compared with. The
 * package has no headers, so what is used of lib/igt_core.h is declared here.
 */
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>

void igt_subtest_init_parse_opts(int *argc, char **argv, const char *short_options,
				 const void *long_options, const char *help, void *handler, void *data);
bool __igt_run_subtest(const char *name, const char *file, int line);
void __igt_enter_dynamic_container(void);
bool __igt_run_dynamic_subtest(const char *name);
void igt_success(void);
void igt_skip(const char *format, ...);
void igt_fail(int exit_code);
void igt_exit(void) __attribute__((noreturn));
extern sigjmp_buf igt_subtest_jmpbuf;
extern sigjmp_buf igt_dynamic_jmpbuf;

#define SUBTEST(name) \
	for (; __igt_run_subtest(name, __FILE__, __LINE__) && \
	       sigsetjmp(igt_subtest_jmpbuf, 1) == 0; igt_success())
#define DYNAMIC(name) \
	for (; __igt_run_dynamic_subtest(name) && \
	       sigsetjmp(igt_dynamic_jmpbuf, 1) == 0; igt_success())

enum { PASSES, FAILS, SKIPS };

static void on_memfd(int how)
{
	__igt_enter_dynamic_container();
	DYNAMIC("memfd") {
		if (how == FAILS)
			igt_fail(98);
		if (how == SKIPS)
			igt_skip("it rains\n");
	}
}

int main(int argc, char **argv)
{
	igt_subtest_init_parse_opts(&argc, argv, "", NULL, NULL, NULL, NULL);
	SUBTEST("made-up_good")
		on_memfd(PASSES);
	SUBTEST("made-up_bad")
		on_memfd(FAILS);
	SUBTEST("made-up_not-now")
		on_memfd(SKIPS);
	SUBTEST("made-up_choice")
		on_memfd(PASSES);
	igt_exit();
}
