/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What changed from one header to another, in words; pure.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "header_area.h"
#include "header_copy.h"
#include "json.h"
#include "number.h"

#define JSON_AT	     DISK_HEADER_BLOCK_BYTES
#define AT_LABEL     24 /* LUKS2 on-disk format 1.1.0, section 2.1 */
#define AT_SUBSYSTEM 208
#define TEXT_ROOM    48

/* LUKS1 1.2.3, section 2.3. */
#define LUKS1_AT_DIGEST	   112 /* the volume key's digest, its salt and iterations */
#define LUKS1_DIGEST_BYTES 56
#define LUKS1_AT_SLOTS	   208
#define LUKS1_SLOTS	   8
#define LUKS1_SLOT_BYTES   48
#define LUKS1_SLOT_ON	   0x00ac71f3
#define LUKS1_AT_PLACE	   40 /* of a slot: its key material, in sectors of 512 bytes */
#define LUKS1_AT_STRIPES   44
#define LUKS1_AT_PAYLOAD   104
#define LUKS1_AT_KEY_BYTES 108
#define LUKS1_AT_CIPHER	   8
#define LUKS1_CIPHER_BYTES 96 /* cipher, mode and hash */

/* One of the two headers. */
struct view {
	struct header_copy about;
	struct buffer image;
	struct span area;  /* the metadata that count */
	struct json *json; /* of LUKS2 */
};

static void view_done(struct view *view)
{
	buffer_done(&view->image);
	json_free(view->json);
}

void luks_diff_done(struct luks_diff *diff)
{
	buffer_done(&diff->text);
	*diff = (struct luks_diff){ 0 };
}

/* The metadata of LUKS2: the newer of the two that are whole. */
static cof_result find_area(struct view *view, struct cof_error *err)
{
	_cleanup_(header_area_done) struct header_area first = { 0 };
	_cleanup_(header_area_done) struct header_area second = { 0 };
	struct span image = buffer_span(&view->image);
	struct luks_header_state state;
	uint64_t at = DISK_HEADER_AREA_MIN;

	TRY(header_area_judge(image, DISK_HEADER_FIRST, 0, &first, err));
	if (first.intact)
		at = first.header.area_bytes;
	for (; at <= DISK_HEADER_AREA_MAX && !second.intact && at < image.len; at *= 2) {
		header_area_done(&second);
		TRY(header_area_judge(SPAN(image.data + at, image.len - at), DISK_HEADER_SECOND, at,
				      &second, err));
		if (first.intact || second.intact)
			break;
	}
	state = header_areas_state(&first, &second);
	ENSURE(state.mendable && state.version == view->about.luks_version, err, COF_E_FORMAT,
	       "header copy", "its metadata are damaged");
	view->area = first.intact && first.header.sequence == state.sequence
			     ? SPAN(image.data, (size_t)first.header.area_bytes)
			     : SPAN(image.data + at, (size_t)second.header.area_bytes);
	return COF_OK;
}

/* Expands a copy and finds what it says. */
static cof_result view_init(struct span copy, struct view *view, struct cof_error *err)
{
	const char *text;

	TRY(header_copy_decode(copy, "header copy", &view->about, &view->image, err));
	TRY(find_area(view, err));
	if (view->about.luks_version != 2)
		return COF_OK;
	text = (const char *)view->area.data + JSON_AT;
	return json_parse(SPAN(text, strnlen(text, view->area.len - JSON_AT)), "header copy",
			  &view->json, err);
}

/* Adds one line of what changed. */
static void __attribute__((format(printf, 2, 3)))
say(struct luks_diff *diff, const char *format, ...)
{
	char line[256];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	/* A header is written by anybody; its texts must not reach a terminal as they are. */
	for (char *at = line; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	/* Without memory a line less is said; what was found stands beside it. */
	cof_ignore(buffer_add_text(&diff->text, NULL, "%s%s", diff->text.len ? "\n" : "", line));
}

/* Both headers, and what is compared of them. */
struct comparison {
	const struct view *before;
	const struct view *after;
	struct luks_diff *diff;
	const char *member; /* of LUKS2's metadata: "keyslots" */
	const char *word;   /* what one of its members is called */
};

/* Whether two values are the same, as text. */
static bool json_same(const struct json *a, const struct json *b)
{
	_cleanup_free_ char *a_text = a ? json_format(a) : NULL;
	_cleanup_free_ char *b_text = b ? json_format(b) : NULL;

	return a_text && b_text ? strcmp(a_text, b_text) == 0 : a_text == b_text;
}

/* The number that a member of the metadata holds as text. */
static bool number_in(const struct json *object, const char *key, uint64_t *ret_number)
{
	const char *text = json_get_text(object, key);

	return text && !cof_failed(uint_parse(text, UINT64_MAX, ret_number, NULL));
}

/* Whether the bytes of a part differ in two images; a part outside of one counts as not. */
static bool bytes_differ(const struct comparison *comparison, uint64_t offset_bytes,
			 uint64_t part_bytes)
{
	uint8_t *a;
	uint8_t *b;

	if (cof_failed(header_copy_part(&comparison->before->image, offset_bytes, part_bytes, NULL,
					&a, NULL)) ||
	    cof_failed(header_copy_part(&comparison->after->image, offset_bytes, part_bytes, NULL,
					&b, NULL)))
		return false;
	return memcmp(a, b, (size_t)part_bytes) != 0;
}

/* Notes a keyslot whose bytes differ though nothing says that it was changed. */
static void note_damaged(const struct comparison *comparison, uint64_t slot)
{
	if (slot >= LUKS_SLOTS_MAX)
		return;
	comparison->diff->damaged_slots |= (uint32_t)1 << slot;
	comparison->diff->altered = true;
	say(comparison->diff,
	    "keyslot %llu holds other bytes, though its metadata are the same: it is damaged",
	    (unsigned long long)slot);
}

/* Compares the key material of a keyslot of LUKS2 whose metadata are the same. */
static void compare_material(const struct comparison *comparison, const char *key,
			     const struct json *slot)
{
	const struct json *area = json_get(slot, "area");
	const char *type = json_get_text(slot, "type");
	uint64_t number;
	uint64_t offset;
	uint64_t length;

	/* The area of a re-encryption changes while its metadata stay. */
	if (!type || strcmp(type, "luks2") != 0 ||
	    cof_failed(uint_parse(key, LUKS_SLOTS_MAX - 1, &number, NULL)) ||
	    !number_in(area, "offset", &offset) || !number_in(area, "size", &length))
		return;
	if (bytes_differ(comparison, offset, length))
		note_damaged(comparison, number);
}

/* What kind of member it is, in brackets, or nothing. */
static const char *type_of(const struct json *value)
{
	const char *type = json_get_text(value, "type");

	return type ? type : "?";
}

/* A digest as it was, while its members are compared with what they are. */
struct digests {
	const struct json *other;
	bool same;
};

/* json_each()'s visitor: a member of a digest, but for the list of its keyslots. */
static bool visit_digest(const char *key, struct json *value, void *context)
{
	struct digests *digests = context;

	if (strcmp(key, "keyslots") != 0 && !json_same(value, json_get(digests->other, key)))
		digests->same = false;
	return digests->same;
}

/* Whether an array of texts holds @text. */
static bool array_has(const struct json *array, const char *text)
{
	for (size_t i = 0; i < json_length(array); i++) {
		const char *item = json_text(json_at(array, i));

		if (item && text && strcmp(item, text) == 0)
			return true;
	}
	return false;
}

/* Whether all that differs in a digest is that it is of more keyslots. */
static bool is_grown_digest(const struct comparison *comparison, const struct json *was,
			    const struct json *now)
{
	const struct json *slots = json_get(was, "keyslots");
	struct digests forth = { .other = now, .same = true };
	struct digests back = { .other = was, .same = true };

	if (strcmp(comparison->member, "digests") != 0)
		return false;
	json_each(was, visit_digest, &forth);
	json_each(now, visit_digest, &back);
	for (size_t i = 0; i < json_length(slots); i++)
		if (!array_has(json_get(now, "keyslots"), json_text(json_at(slots, i))))
			return false;
	return forth.same && back.same;
}

/* json_each()'s visitor: a member that is no more, or not the same. */
static bool visit_before(const char *key, struct json *value, void *context)
{
	const struct comparison *comparison = context;
	const struct json *now =
		json_get(json_get(comparison->after->json, comparison->member), key);

	if (!now || (!json_same(value, now) && !is_grown_digest(comparison, value, now)))
		comparison->diff->altered = true;
	if (!now)
		say(comparison->diff, "%s %.16s (%.48s) was removed", comparison->word, key,
		    type_of(value));
	else if (!json_same(value, now))
		say(comparison->diff, "%s %.16s (%.48s) was changed", comparison->word, key,
		    type_of(now));
	else if (strcmp(comparison->member, "keyslots") == 0)
		compare_material(comparison, key, now);
	return true;
}

/* Notes which member is new; a keyslot or a token is no change to what was there. */
static void note_added(const struct comparison *comparison, const char *key)
{
	struct luks_diff *diff = comparison->diff;
	uint64_t number;

	if (cof_failed(uint_parse(key, 31, &number, NULL)))
		diff->altered = true;
	else if (strcmp(comparison->member, "keyslots") == 0)
		diff->added_slots |= (uint32_t)1 << number;
	else if (strcmp(comparison->member, "tokens") == 0)
		diff->added_tokens |= (uint32_t)1 << number;
	else
		diff->altered = true;
}

/* json_each()'s visitor: a member that is new. */
static bool visit_after(const char *key, struct json *value, void *context)
{
	const struct comparison *comparison = context;

	if (!json_get(json_get(comparison->before->json, comparison->member), key)) {
		note_added(comparison, key);
		say(comparison->diff, "%s %.16s (%.48s) was added", comparison->word, key,
		    type_of(value));
	}
	return true;
}

/* Compares a text of fixed room in the binary header. */
static void compare_text(const struct comparison *comparison, size_t offset, const char *word)
{
	const char *a = (const char *)comparison->before->area.data + offset;
	const char *b = (const char *)comparison->after->area.data + offset;

	if (strncmp(a, b, TEXT_ROOM) == 0)
		return;
	comparison->diff->altered = true;
	say(comparison->diff, "the %s is \"%.*s\", it was \"%.*s\"", word,
	    (int)strnlen(b, TEXT_ROOM), b, (int)strnlen(a, TEXT_ROOM), a);
}

/* Compares one value of the metadata's "config". */
static void compare_config(const struct comparison *comparison, const char *key, const char *word)
{
	if (json_same(json_get(json_get(comparison->before->json, "config"), key),
		      json_get(json_get(comparison->after->json, "config"), key)))
		return;
	comparison->diff->altered = true;
	say(comparison->diff, "the %s were changed", word);
}

/* Compares two headers of LUKS2. */
static void compare_luks2(struct comparison *comparison)
{
	static const char *const members[][2] = { { "keyslots", "keyslot" },
						  { "tokens", "token" },
						  { "segments", "data segment" },
						  { "digests", "volume key digest" } };

	compare_text(comparison, AT_LABEL, "label");
	compare_text(comparison, AT_SUBSYSTEM, "subsystem");
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		comparison->member = members[i][0];
		comparison->word = members[i][1];
		json_each(json_get(comparison->before->json, comparison->member), visit_before,
			  comparison);
		json_each(json_get(comparison->after->json, comparison->member), visit_after,
			  comparison);
	}
	compare_config(comparison, "flags", "flags");
	compare_config(comparison, "requirements", "requirements");
}

/* A big-endian number of four bytes. */
static uint32_t be32_at(struct span bytes, size_t offset)
{
	return (uint32_t)bytes.data[offset] << 24 | (uint32_t)bytes.data[offset + 1] << 16 |
	       (uint32_t)bytes.data[offset + 2] << 8 | bytes.data[offset + 3];
}

/* Compares one keyslot of LUKS1. */
static void compare_luks1_slot(const struct comparison *comparison, size_t slot)
{
	size_t at = LUKS1_AT_SLOTS + slot * LUKS1_SLOT_BYTES;
	struct span a = comparison->before->area;
	struct span b = comparison->after->area;
	bool was_on = be32_at(a, at) == LUKS1_SLOT_ON;
	bool is_on = be32_at(b, at) == LUKS1_SLOT_ON;

	if (was_on != is_on)
		say(comparison->diff, "keyslot %zu was %s", slot, is_on ? "added" : "removed");
	else if (!is_on)
		return;
	else if (memcmp(a.data + at, b.data + at, LUKS1_SLOT_BYTES) != 0)
		say(comparison->diff, "keyslot %zu was changed", slot);
	else if (bytes_differ(comparison, (uint64_t)be32_at(b, at + LUKS1_AT_PLACE) * 512,
			      (uint64_t)be32_at(b, LUKS1_AT_KEY_BYTES) *
				      be32_at(b, at + LUKS1_AT_STRIPES)))
		note_damaged(comparison, slot);
}

/* Compares two headers of LUKS1. */
static void compare_luks1(const struct comparison *comparison)
{
	struct span a = comparison->before->area;
	struct span b = comparison->after->area;

	if (memcmp(a.data + LUKS1_AT_CIPHER, b.data + LUKS1_AT_CIPHER, LUKS1_CIPHER_BYTES) != 0 ||
	    be32_at(a, LUKS1_AT_KEY_BYTES) != be32_at(b, LUKS1_AT_KEY_BYTES))
		say(comparison->diff, "the cipher was changed");
	if (be32_at(a, LUKS1_AT_PAYLOAD) != be32_at(b, LUKS1_AT_PAYLOAD))
		say(comparison->diff, "the data begin at another place");
	if (memcmp(a.data + LUKS1_AT_DIGEST, b.data + LUKS1_AT_DIGEST, LUKS1_DIGEST_BYTES) != 0)
		say(comparison->diff, "the volume key's digest was changed");
	for (size_t slot = 0; slot < LUKS1_SLOTS; slot++)
		compare_luks1_slot(comparison, slot);
}

cof_result luks_copies_diff(struct span before, struct span after, struct luks_diff *ret_diff,
			    struct cof_error *err)
{
	_cleanup_luks_diff_ struct luks_diff diff = { 0 };
	_cleanup_(view_done) struct view a = { 0 };
	_cleanup_(view_done) struct view b = { 0 };
	struct comparison comparison = { .before = &a, .after = &b, .diff = &diff };

	TRY(view_init(before, &a, err));
	TRY(view_init(after, &b, err));
	diff.same = luks_copies_equal(before, after);
	diff.went_back = b.about.sequence < a.about.sequence;
	if (a.about.luks_version != b.about.luks_version)
		say(&diff, "it is a header of LUKS%d, it was one of LUKS%d", b.about.luks_version,
		    a.about.luks_version);
	if (strcmp(a.about.uuid, b.about.uuid) != 0)
		say(&diff, "its UUID is %s, it was %s", b.about.uuid, a.about.uuid);
	if (a.image.len != b.image.len)
		say(&diff, "its header area has %zu bytes, it had %zu", b.image.len, a.image.len);
	diff.other_header = diff.text.len > 0;
	diff.altered = diff.other_header;
	if (a.about.sequence != b.about.sequence)
		say(&diff, "the sequence id is %llu, it was %llu",
		    (unsigned long long)b.about.sequence, (unsigned long long)a.about.sequence);
	if (a.about.luks_version == 2 && b.about.luks_version == 2)
		compare_luks2(&comparison);
	else if (a.about.luks_version == b.about.luks_version)
		compare_luks1(&comparison);
	*ret_diff = diff;
	diff = (struct luks_diff){ 0 };
	return COF_OK;
}

bool luks_copy_is(struct span bytes)
{
	static const char magic[] = "CofHdrCp";

	return bytes.len >= sizeof(magic) - 1 && memcmp(bytes.data, magic, sizeof(magic) - 1) == 0;
}
