/* SPDX-License-Identifier: Apache-2.0 */
/* The tote-init program, to be run from a sealed memfd. */
	.section .rodata
	.globl tote_init_blob, tote_init_blob_end
	.balign 16
tote_init_blob:
	.incbin TOTE_INIT_FILE
tote_init_blob_end:
	.section .note.GNU-stack,"",%progbits
