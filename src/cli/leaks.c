/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Leaks that are not ours, for LeakSanitizer: built into programs with a sanitizer alone. Programs
 * that coffer starts with a clean environment cannot be told by a variable.
 */

const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	/* tpm2-tss 3.2.1 keeps its copy of the address of a software TPM. */
	return "leak:libtss2-tcti-swtpm\n";
}
