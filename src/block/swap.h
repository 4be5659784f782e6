/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_SWAP_H
#define COF_BLOCK_SWAP_H

/*
 * Swap that is encrypted with a key of its own at every boot, which nobody ever sees: lines of
 * crypttab and fstab, and the same at once without a restart.
 */

#include "device.h"
#include "paths.h"

#define SWAP_OPTIONS_512  "swap,cipher=aes-xts-plain64,size=512"
#define SWAP_OPTIONS_4096 SWAP_OPTIONS_512 ",sector-size=4096"
#define SWAP_KEY	  "/dev/urandom" /* a new key at each boot: crypttab(5), "swap" */

/* ---- text, pure (swap_text.c) ---- */

/** struct swap_area - a line of /proc/swaps; @path: decoded */
struct swap_area {
	char path[256];
	bool is_file;
	bool is_zram;
	uint64_t size_bytes;
	uint64_t used_bytes;
	int priority;
};

/** swap_table_parse() - the lines of /proc/swaps; caller frees. Fails: COF_E_NOMEM */
cof_result swap_table_parse(struct span text, struct swap_area **ret_areas, size_t *ret_count,
			    struct cof_error *err);

/**
 * swap_resume_next() - the next value of `resume=` (a kernel's command line) or `RESUME=` (a
 * shell's assignment) in a text; commented lines are passed over
 * @at: offset to go on from, 0 at first
 * Returns false when there is no other. Quotes around the value are left out.
 */
bool swap_resume_next(struct span text, const char *key, size_t *at, char *out,
		      size_t out_size_bytes);
/** swap_resume_none() - a text whose RESUME= lines say none. Fails: COF_E_NOMEM */
cof_result swap_resume_none(struct span before, struct buffer *ret_after, struct cof_error *err);

/** swap_options_random() - whether a crypttab line makes swap with a random key at each boot */
bool swap_options_random(const char *key, const char *options);

/* ---- what is there (swap_find.c) ---- */

/** enum swap_how - what keeps an area's content from being read on the medium */
enum swap_how {
	SWAP_PLAIN,  /* nothing */
	SWAP_RANDOM, /* dm-crypt with a key that is gone when it is closed */
	SWAP_LUKS,   /* lies on a LUKS volume, with whatever is between */
	SWAP_ENGINE, /* lies on a volume of the user-space engine */
	SWAP_MEMORY, /* zram: compressed memory */
};

/** struct swap_state - one area for `swap status` */
struct swap_state {
	struct swap_area area; /* path of the device or file; sizes 0 where not active */
	bool active;
	enum swap_how how;
	char source[256];    /* the device below a random key's mapping, or "" */
	const char *at_boot; /* "encrypted", "plain", "unused": as fstab and crypttab have it */
	char line_name[128]; /* crypttab's name for it, or "" */
};

/** swap_areas() - the active areas; caller frees. Fails: COF_E_IO, COF_E_NOMEM */
cof_result swap_areas(struct swap_area **ret_areas, size_t *ret_count, struct cof_error *err);
/** swap_find_how() - what protects the area, file or device, at @path. Fails: COF_E_NOMEM,
 * COF_E_FAILED, COF_E_IO */
cof_result swap_find_how(const struct paths *paths, const char *path, enum swap_how *ret_how,
			 struct cof_error *err);
/** swap_states() - active areas, then those of crypttab and fstab that are not; caller frees */
cof_result swap_states(const struct paths *paths, struct swap_state **ret_states, size_t *ret_count,
		       struct cof_error *err);

#define SWAP_RESUME_CHARS 256

/** swap_find_resume() - where the machine is told to wake from hibernation on @device, in words;
 * @ret_resumes is "" where it is not. Fails: COF_E_NOMEM */
cof_result swap_find_resume(const struct paths *paths, struct device *device,
			    char ret_resumes[static SWAP_RESUME_CHARS], struct cof_error *err);

/* ---- swap encrypt (swap_plan.c, swap_run.c) ---- */

/** struct swap_spec - options of `swap encrypt` */
struct swap_spec {
	bool now;
	bool no_resume;
};

/**
 * struct swap_job - one area
 * @typed:    as named, or the active area's path; owned
 * @device:   below; NULL where it is no device, or refused before that; owned
 * @name:     of the mapping
 * @source:   crypttab's second field
 * @options:  crypttab's fourth field, static
 * @fstab_options: of a new line of fstab
 * @specs:    what fstab calls the device now, NULL-terminated; owned
 * @area:     where it is active
 * @skip:     there is nothing to do, and why, or NULL
 * @known:    crypttab has its line already
 * @resume_file: of initramfs-tools, which names it; "" where none does
 * @resumes:  where it is named for hibernation, or ""
 */
struct swap_job {
	char *typed;
	struct device *device;
	char name[128];
	char source[256];
	const char *options;
	char fstab_options[32];
	char **specs;
	struct swap_area area;
	bool active;
	bool known;
	const char *skip;
	char resume_file[256];
	char resumes[SWAP_RESUME_CHARS];
	bool changed;
	bool on;		/* encrypted and in use now */
	struct cof_error error; /* COF_E_NONE where nothing failed */
};

/** struct swap_plan - all areas of one run, and the files as they are and would be */
struct swap_plan {
	struct swap_job *jobs;
	size_t count;
	struct buffer crypttab[2]; /* before, after */
	struct buffer fstab[2];
};
void swap_plan_done(struct swap_plan *plan);

/**
 * swap_plan() - look at each area and decide; changes nothing
 * @names: devices; none: all that are active or in fstab, with spec.now also those of crypttab
 * Refusals are in the jobs. Fails: COF_E_IO, COF_E_NOMEM, COF_E_FORMAT, COF_E_UNSUPPORTED (--now
 * without dm-crypt)
 */
cof_result swap_plan(const struct paths *paths, const char *const names[], size_t count,
		     const struct swap_spec *spec, struct swap_plan *ret_plan,
		     struct cof_error *err);

/**
 * swap_run() - crypttab, then fstab, then initramfs-tools; with spec.now also swapoff, mapping,
 * mkswap and swapon. Fault points "crypttab/...", "fstab/...", "swap/...". A rerun after a crash
 * at any step converges. What fails for one area is in its job; an area that is skipped or was
 * refused is left alone. Fails: what failed for all: COF_E_BUSY (another run), as tab_edit()
 */
cof_result swap_run(const struct paths *paths, struct swap_plan *plan, const struct swap_spec *spec,
		    struct cof_error *err);

/** swap_set_crypttab(), swap_set_fstab() - the plan's edits of either file, pure; for plan, run */
cof_result swap_set_crypttab(struct span before, const struct swap_plan *plan,
			     struct buffer *ret_after, struct cof_error *err);
cof_result swap_set_fstab(struct span before, const struct swap_plan *plan,
			  struct buffer *ret_after, struct cof_error *err);

#endif
