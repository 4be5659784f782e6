/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boot_list.h"

#include <string.h>

#include "fstab.h"
#include "name_list.h"
#include "boot_unit.h"

#define WORD_WAIT "wait"
#define WORD_FOR  "for"
#define WORD_BARE "bare"
#define HEADING                                                                                    \
	"# Units that wait at boot until their file systems are mounted.\n"                        \
	"# Kept by `coffer boot add` and `coffer boot remove`.\n"

/* One line while it is read. */
struct line {
	struct span text;
	size_t start; /* offset in the file */
	size_t next;  /* of the line behind it */
	size_t number;
	size_t at; /* where the next word is looked for */
};

void boot_list_done(struct boot_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->waits[i].unit);
		name_list_free(list->waits[i].mounts);
	}
	free(list->waits);
	name_list_free(list->bare);
	*list = (struct boot_list){ 0 };
}

/* The line at *at; false at the end. */
static bool next_line(struct span text, size_t *at, struct line *line)
{
	const uint8_t *start = text.data + *at;
	const uint8_t *end;
	size_t len;

	if (*at >= text.len)
		return false;
	end = memchr(start, '\n', text.len - *at);
	len = end ? (size_t)(end - start) : text.len - *at;
	line->start = *at;
	line->next = *at + len + (end ? 1 : 0);
	line->text = SPAN(start, len);
	line->number++;
	line->at = 0;
	*at = line->next;
	return true;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of a line; empty at its end, and where a word begins with #: a comment. */
static struct span next_word(struct line *line)
{
	size_t start;

	while (line->at < line->text.len && is_blank(line->text.data[line->at]))
		line->at++;
	start = line->at;
	if (start < line->text.len && line->text.data[start] == '#')
		line->at = start = line->text.len;
	while (line->at < line->text.len && !is_blank(line->text.data[line->at]))
		line->at++;
	return SPAN(line->text.data + start, line->at - start);
}

/* A mount point as it is meant. Fails: COF_E_FORMAT */
static cof_result read_mount(struct span word, char out[static BOOT_PATH_MAX_CHARS + 1],
			     struct cof_error *err)
{
	ENSURE(fstab_decode(word, out, BOOT_PATH_MAX_CHARS + 1), err, COF_E_FORMAT, NULL,
	       "a mount point is longer than %d bytes", BOOT_PATH_MAX_CHARS);
	return boot_mount_check(out, err);
}

/* The rest of a line "wait UNIT for MOUNT...": the mount points. */
static cof_result read_mounts(struct line *line, struct boot_wait *wait, struct cof_error *err)
{
	char mount[BOOT_PATH_MAX_CHARS + 1];
	struct span word = next_word(line);

	if (word.len == 0)
		return COF_OK;
	ENSURE(fstab_is(word, WORD_FOR), err, COF_E_FORMAT, NULL,
	       "after the unit comes \"for\" and its mount points");
	word = next_word(line);
	ENSURE(word.len > 0, err, COF_E_FORMAT, NULL, "names no mount point after \"for\"");
	for (; word.len > 0; word = next_word(line)) {
		TRY(read_mount(word, mount, err));
		TRY(name_list_add(&wait->mounts, mount, err));
	}
	return COF_OK;
}

/* A unit's name. */
static cof_result read_unit(struct span word, char out[static BOOT_UNIT_MAX_CHARS + 1],
			    struct cof_error *err)
{
	ENSURE(word.len > 0, err, COF_E_FORMAT, NULL, "names no unit");
	ENSURE(word.len <= BOOT_UNIT_MAX_CHARS && !memchr(word.data, '\0', word.len), err,
	       COF_E_FORMAT, NULL, "has no unit's name");
	memcpy(out, word.data, word.len);
	out[word.len] = '\0';
	return boot_unit_check(out, err);
}

/* A line "wait UNIT [for MOUNT...]". The unit is in the list also where the mount points fail. */
static cof_result read_wait(struct line *line, struct boot_list *list, struct cof_error *err)
{
	char unit[BOOT_UNIT_MAX_CHARS + 1];
	struct boot_wait *waits;
	struct boot_wait *wait;
	cof_result read;

	TRY(read_unit(next_word(line), unit, err));
	ENSURE(!boot_list_find(list, unit), err, COF_E_FORMAT, NULL, "%s has a line already", unit);
	waits = reallocarray(list->waits, list->count + 1, sizeof(*waits));
	ENSURE(waits, err, COF_E_NOMEM, NULL, "no memory for the list");
	list->waits = waits;
	wait = &waits[list->count];
	*wait = (struct boot_wait){ .line = line->number };
	list->count++;
	TRY(text_copy(unit, &wait->unit, err));
	TRY(name_list_new(&wait->mounts, err));
	read = read_mounts(line, wait, err);
	wait->unsure = cof_failed(read);
	return read;
}

/* A line "bare MOUNT". */
static cof_result read_bare(struct line *line, struct boot_list *list, struct cof_error *err)
{
	char mount[BOOT_PATH_MAX_CHARS + 1];
	struct span word = next_word(line);

	ENSURE(word.len > 0, err, COF_E_FORMAT, NULL, "names no mount point");
	TRY(read_mount(word, mount, err));
	ENSURE(next_word(line).len == 0, err, COF_E_FORMAT, NULL,
	       "names more than one mount point");
	if (name_list_has(list->bare, mount))
		return COF_OK;
	return name_list_add(&list->bare, mount, err);
}

/* One line of any kind. */
static cof_result read_line(struct line *line, struct boot_list *list, struct cof_error *err)
{
	struct span word = next_word(line);

	if (word.len == 0)
		return COF_OK;
	if (fstab_is(word, WORD_WAIT))
		return read_wait(line, list, err);
	ENSURE(fstab_is(word, WORD_BARE), err, COF_E_FORMAT, NULL,
	       "begins with neither \"wait\" nor \"bare\"");
	return read_bare(line, list, err);
}

cof_result boot_list_parse(struct span text, const char *path, boot_mistake mistake, void *context,
			   struct boot_list *ret_list, struct cof_error *err)
{
	struct line line = { 0 };
	size_t at = 0;

	*ret_list = (struct boot_list){ 0 };
	TRY(name_list_new(&ret_list->bare, err));
	while (next_line(text, &at, &line)) {
		struct cof_error wrong = { 0 };
		struct cof_error found = { 0 };
		cof_result read = read_line(&line, ret_list, &wrong);

		if (!cof_failed(read))
			continue;
		ENSURE(read.code == COF_E_FORMAT, err, read.code, path, "%s", wrong.text);
		cof_ignore(cof_raise(&found, COF_E_FORMAT, path, "line %zu %s", line.number,
				     wrong.text));
		if (mistake) {
			mistake(&found, context);
			continue;
		}
		if (err)
			*err = found;
		return read;
	}
	return COF_OK;
}

const struct boot_wait *boot_list_find(const struct boot_list *list, const char *unit)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->waits[i].unit && strcmp(list->waits[i].unit, unit) == 0)
			return &list->waits[i];
	return NULL;
}

/* A mount point as a word: what would part it has the form that fstab(5) gives it. */
static cof_result add_word(struct buffer *out, const char *word, struct cof_error *err)
{
	for (; *word; word++) {
		if (strchr(" \t\r\n\\#", *word))
			TRY(buffer_add_text(out, err, "\\%03o", (unsigned int)(uint8_t)*word));
		else
			TRY(buffer_add_u8(out, (uint8_t)*word, err));
	}
	return COF_OK;
}

/* Whether a line is about @name. */
static bool is_about(struct line *line, const char *keyword, const char *name)
{
	char decoded[BOOT_PATH_MAX_CHARS + 1];
	struct span word = next_word(line);

	return fstab_is(word, keyword) && fstab_decode(next_word(line), decoded, sizeof(decoded)) &&
	       strcmp(decoded, name) == 0;
}

/* Copies the file, with @new_line in the place of the first line that is about @name, or at the
 * end, and without any other such line. */
static cof_result replace_line(struct span before, const char *keyword, const char *name,
			       struct span new_line, struct buffer *ret_after,
			       struct cof_error *err)
{
	struct line line = { 0 };
	bool there = new_line.len == 0;
	size_t at = 0;

	while (next_line(before, &at, &line)) {
		if (!is_about(&line, keyword, name)) {
			TRY(buffer_add(ret_after, before.data + line.start, line.next - line.start,
				       err));
			continue;
		}
		if (!there)
			TRY(buffer_add(ret_after, new_line.data, new_line.len, err));
		there = true;
	}
	/* The last line takes the heading with it. */
	if (new_line.len == 0 && ret_after->len == strlen(HEADING) &&
	    memcmp(ret_after->data, HEADING, strlen(HEADING)) == 0)
		ret_after->len = 0;
	if (there)
		return COF_OK;
	if (before.len == 0)
		TRY(buffer_add_text(ret_after, err, "%s", HEADING));
	else if (before.data[before.len - 1] != '\n')
		TRY(buffer_add_u8(ret_after, '\n', err));
	return buffer_add(ret_after, new_line.data, new_line.len, err);
}

cof_result boot_list_set(struct span before, const char *unit, const char *const mounts[],
			 struct buffer *ret_after, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer line = { 0 };

	if (mounts) {
		TRY(buffer_add_text(&line, err, WORD_WAIT " %s%s", unit,
				    mounts[0] ? " " WORD_FOR : ""));
		for (size_t i = 0; mounts[i]; i++) {
			TRY(buffer_add_u8(&line, ' ', err));
			TRY(add_word(&line, mounts[i], err));
		}
		TRY(buffer_add_u8(&line, '\n', err));
	}
	return replace_line(before, WORD_WAIT, unit, buffer_span(&line), ret_after, err);
}

cof_result boot_list_set_bare(struct span before, const char *mount, bool closed,
			      struct buffer *ret_after, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer line = { 0 };

	if (closed) {
		TRY(buffer_add_text(&line, err, WORD_BARE " "));
		TRY(add_word(&line, mount, err));
		TRY(buffer_add_u8(&line, '\n', err));
	}
	return replace_line(before, WORD_BARE, mount, buffer_span(&line), ret_after, err);
}
