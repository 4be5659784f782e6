/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reencrypt_end.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "file.h"
#include "header_plan.h"
#include "json.h"
#include "kdf.h"
#include "number.h"

#define WIPE_BYTES (1u << 20)

void reencrypt_end_done(struct reencrypt_end *end)
{
	free(end->json);
	*end = (struct reencrypt_end){ 0 };
}

/* What the metadata say, borrowed from them. */
struct walk {
	const char *live; /* of the segments that are data now, the last; and how many there are */
	struct json *live_segment;
	size_t live_count;
	const char *final; /* what the data become */
	struct json *final_segment;
	struct json *aside;
	const char *scratch; /* the keyslot of the re-encryption */
	const char *digest;  /* of the live segment */
};

/* Whether an array has a text. */
static bool has_text(const struct json *array, const char *text)
{
	for (size_t i = 0; array && text && i < json_length(array); i++) {
		const char *item = json_text(json_at(array, i));

		if (item && strcmp(item, text) == 0)
			return true;
	}
	return false;
}

static bool visit_segment(const char *key, struct json *segment, void *context)
{
	struct json *flags = json_get(segment, "flags");
	struct walk *walk = context;

	if (has_text(flags, "backup-final")) {
		walk->final = key;
		walk->final_segment = segment;
	} else if (has_text(flags, "backup-moved-segment")) {
		walk->aside = segment;
	} else if (!has_text(flags, "backup-previous")) {
		walk->live = key;
		walk->live_segment = flags && json_length(flags) > 0 ? NULL : segment;
		walk->live_count++;
	}
	return true;
}

static bool visit_keyslot(const char *key, struct json *keyslot, void *context)
{
	const char *type = json_get_text(keyslot, "type");
	struct walk *walk = context;

	if (type && strcmp(type, "reencrypt") == 0)
		walk->scratch = key;
	return true;
}

/* Finds the digest that both the data as they are and as they become belong to. */
static bool visit_digest(const char *key, struct json *digest, void *context)
{
	struct json *segments = json_get(digest, "segments");
	struct walk *walk = context;

	if (has_text(segments, walk->live) && has_text(segments, walk->final))
		walk->digest = key;
	return true;
}

/* Whether two segments have the same text at @key. */
static bool same_text(const struct walk *walk, const char *key)
{
	const char *live = json_get_text(walk->live_segment, key);
	const char *final = json_get_text(walk->final_segment, key);

	return live && final && strcmp(live, final) == 0;
}

/* Whether the data are, as a whole, what they become. */
static bool is_done(const struct walk *walk)
{
	const char *type = json_get_text(walk->final_segment, "type");

	if (walk->live_count != 1 || !walk->live_segment || !walk->final_segment ||
	    !same_text(walk, "type") || !same_text(walk, "offset") || !same_text(walk, "size"))
		return false;
	/* Plain data have neither a key nor sectors. */
	if (strcmp(type, "linear") == 0)
		return true;
	return walk->digest && same_text(walk, "encryption") && same_text(walk, "iv_tweak") &&
	       json_get_uint(walk->live_segment, "sector_size", 0) ==
		       json_get_uint(walk->final_segment, "sector_size", 1);
}

/* Whether plain data were set aside: encrypting copies the beginning of them to the end of the
 * device. Decrypting sets encrypted ones aside, which have become data where they are. */
static bool is_plain_aside(const struct walk *walk)
{
	const char *aside = json_get_text(walk->aside, "type");
	const char *live = json_get_text(walk->live_segment, "type");

	return aside && strcmp(aside, "linear") == 0 && strcmp(live, "crypt") == 0;
}

/* What copying the metadata needs. */
struct copying {
	const struct walk *walk;
	struct json *to;
};

/* A value of its own; NULL where there is none. */
static struct json *copy_of(const struct json *value)
{
	_cleanup_free_ char *text = value ? json_format(value) : NULL;
	struct json *copy = NULL;

	if (text && cof_failed(json_parse(span_of_text(text), NULL, &copy, NULL)))
		return NULL;
	return copy;
}

/* The texts of an array but one, or with @only that one alone. */
static struct json *filtered(const struct json *array, const char *text, bool only)
{
	struct json *kept = json_new_array();

	for (size_t i = 0; array && i < json_length(array); i++) {
		const char *item = json_text(json_at(array, i));

		if (item && (text && strcmp(item, text) == 0) == only)
			json_add_text(kept, item);
	}
	return kept;
}

static bool copy_keyslot(const char *key, struct json *keyslot, void *context)
{
	const struct copying *copying = context;
	const char *scratch = copying->walk->scratch;

	if (!scratch || strcmp(key, scratch) != 0)
		json_set(copying->to, key, copy_of(keyslot));
	return true;
}

/* A digest keeps the live segment and all keyslots but the scratch; one without any goes. */
static bool copy_digest(const char *key, struct json *digest, void *context)
{
	const struct copying *copying = context;
	struct json *segments = filtered(json_get(digest, "segments"), copying->walk->live, true);
	struct json *keyslots =
		filtered(json_get(digest, "keyslots"), copying->walk->scratch, false);
	struct json *copy = copy_of(digest);
	bool is_used = json_length(segments) > 0 || json_length(keyslots) > 0;

	json_set(copy, "segments", segments);
	json_set(copy, "keyslots", keyslots);
	if (is_used)
		json_set(copying->to, key, copy);
	else
		json_free(copy);
	return true;
}

/* Everything of "config" but the requirement to know of re-encryption. */
static bool copy_config(const char *key, struct json *value, void *context)
{
	const struct copying *copying = context;
	struct json *mandatory = json_get(value, "mandatory");
	struct json *kept;

	if (strcmp(key, "requirements") != 0) {
		json_set(copying->to, key, copy_of(value));
		return true;
	}
	kept = json_new_array();
	for (size_t i = 0; mandatory && i < json_length(mandatory); i++) {
		const char *item = json_text(json_at(mandatory, i));

		if (item && strncmp(item, "online-reencrypt", strlen("online-reencrypt")) != 0)
			json_add_text(kept, item);
	}
	if (json_length(kept) > 0) {
		struct json *requirements = json_new_object();

		json_set(requirements, "mandatory", kept);
		json_set(copying->to, key, requirements);
	} else {
		json_free(kept);
	}
	return true;
}

/* The members of one object as @copy leaves them. */
static struct json *copy_object(const struct json *root, const char *name, const struct walk *walk,
				bool (*copy)(const char *key, struct json *value, void *context))
{
	struct copying copying = { .walk = walk, .to = json_new_object() };

	json_each(json_get(root, name), copy, &copying);
	return copying.to;
}

/* The metadata as they are at the end. */
static char *end_json(const struct json *root, const struct walk *walk)
{
	_cleanup_json_ struct json *end = json_new_object();
	struct json *segments = json_new_object();
	struct json *tokens = copy_of(json_get(root, "tokens"));

	json_set(segments, walk->live, copy_of(walk->live_segment));
	json_set(end, "keyslots", copy_object(root, "keyslots", walk, copy_keyslot));
	json_set(end, "tokens", tokens ? tokens : json_new_object());
	json_set(end, "segments", segments);
	json_set(end, "digests", copy_object(root, "digests", walk, copy_digest));
	json_set(end, "config", copy_object(root, "config", walk, copy_config));
	return json_format(end);
}

/* A number that the metadata have as a text. */
static cof_result number_of(const struct json *segment, const char *key, const char *subject,
			    uint64_t *ret_number, struct cof_error *err)
{
	const char *text = json_get_text(segment, key);

	ENSURE(text && !cof_failed(uint_parse(text, INT64_MAX, ret_number, NULL)), err,
	       COF_E_FORMAT, subject, "the data that were set aside have no %s", key);
	return COF_OK;
}

cof_result reencrypt_end_parse(struct span json, const char *subject, struct reencrypt_end *ret_end,
			       struct cof_error *err)
{
	_cleanup_(reencrypt_end_done) struct reencrypt_end end = { 0 };
	_cleanup_json_ struct json *root = NULL;
	struct walk walk = { 0 };

	TRY(json_parse(json, subject, &root, err));
	json_each(json_get(root, "segments"), visit_segment, &walk);
	json_each(json_get(root, "keyslots"), visit_keyslot, &walk);
	json_each(json_get(root, "digests"), visit_digest, &walk);
	end.done = is_done(&walk);
	if (end.done && is_plain_aside(&walk)) {
		TRY(number_of(walk.aside, "offset", subject, &end.aside_offset_bytes, err));
		TRY(number_of(walk.aside, "size", subject, &end.aside_bytes, err));
	}
	if (end.done)
		end.json = end_json(root, &walk);

	*ret_end = end;
	end = (struct reencrypt_end){ 0 };
	return COF_OK;
}

/* The place whose metadata count; NULL where none is a LUKS2 header. */
static struct header_area *newest(struct header_areas *areas)
{
	struct header_area *first = areas->first.intact ? &areas->first : NULL;
	struct header_area *second = areas->second.intact ? &areas->second : NULL;
	struct header_area *newer = first;

	if (!first || (second && second->header.sequence > first->header.sequence))
		newer = second;
	return newer && newer->header.version == 2 ? newer : NULL;
}

cof_result reencrypt_end_look(const char *header, bool *ret_done, struct cof_error *err)
{
	_cleanup_(header_areas_done) struct header_areas areas = { 0 };
	_cleanup_(reencrypt_end_done) struct reencrypt_end end = { 0 };
	struct header_area *area;

	*ret_done = false;
	TRY(header_areas_read(header, &areas, err));
	area = newest(&areas);
	if (area)
		TRY(reencrypt_end_parse(header_area_json(area), header, &end, err));
	*ret_done = end.done;
	return COF_OK;
}

/* Overwrites the data that were set aside. */
static cof_result wipe_aside(const char *device, const struct reencrypt_end *end,
			     struct cof_error *err)
{
	_cleanup_buffer_ struct buffer random = { 0 };
	_cleanup_fd_ int fd = open(device, O_WRONLY | O_CLOEXEC);
	uint64_t done = 0;

	if (fd < 0)
		return cof_raise_errno(err, errno, device, "cannot be opened for writing");
	TRY(buffer_reserve(&random, WIPE_BYTES, err));
	while (done < end->aside_bytes) {
		uint64_t left = end->aside_bytes - done;

		random.len = left < WIPE_BYTES ? (size_t)left : WIPE_BYTES;
		TRY(random_bytes(random.data, random.len, err));
		TRY(fd_pwrite_all(fd, buffer_span(&random), end->aside_offset_bytes + done, device,
				  err));
		done += random.len;
	}
	if (fsync(fd) < 0)
		return cof_raise_errno(err, errno, device, "cannot be made durable");
	return COF_OK;
}

/* Adds one place with the edited metadata. */
static cof_result add_place(const struct header_area *area, enum disk_header_place place,
			    struct luks_writes *writes, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer bytes = { 0 };
	uint8_t salt[HEADER_SALT_BYTES];
	bool second = place == DISK_HEADER_SECOND;

	TRY(random_bytes(salt, sizeof(salt), err));
	TRY(header_area_other(area, place, salt, &bytes, err));
	return luks_writes_add(
		writes, second ? area->header.area_bytes : 0, buffer_span(&bytes),
		second ? "the second header, at its end" : "the first header, at its end", err);
}

cof_result reencrypt_end_run(const char *device, const char *header, struct cof_error *err)
{
	_cleanup_(header_areas_done) struct header_areas areas = { 0 };
	_cleanup_(reencrypt_end_done) struct reencrypt_end end = { 0 };
	_cleanup_luks_writes_ struct luks_writes writes = { 0 };
	struct header_area *area;

	TRY(header_areas_read(header, &areas, err));
	area = newest(&areas);
	if (area)
		TRY(reencrypt_end_parse(header_area_json(area), header, &end, err));
	if (!end.done)
		return COF_OK;
	TRY(wipe_aside(device, &end, err));
	TRY(header_area_edit(area, end.json, err));
	TRY(add_place(area, DISK_HEADER_FIRST, &writes, err));
	TRY(add_place(area, DISK_HEADER_SECOND, &writes, err));
	return luks_writes_run(header, &writes, "reencrypt-end", err);
}
