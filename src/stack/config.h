/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STACK_CONFIG_H
#define COF_STACK_CONFIG_H

/*
 * The configuration of a service as text: sections of "keyword = value" lines, pure.
 * doc/decisions/services.md says which dialect of INI this is.
 */

#include "buffer.h"
#include "cleanup.h"
#include "result.h"

#define CONFIG_MAX_BYTES       (1u << 20)
#define CONFIG_VALUE_MAX_BYTES 8192
#define CONFIG_DEFAULT	       "DEFAULT" /* the section of the service itself */
#define CONFIG_NAME_CHARS      64	 /* with the NUL: of a section or a keyword */

/** struct config_line - one keyword; @line: from 1; 0: it came from the command line */
struct config_line {
	char section[CONFIG_NAME_CHARS];
	char keyword[CONFIG_NAME_CHARS];
	char scope[CONFIG_NAME_CHARS]; /* behind the @: a node, "nodes", "drpnodes"; or "" */
	char *value;		       /* owned; lines that go on are joined by a blank */
	size_t line;
};

/** struct config_section - one section, in the order of the file */
struct config_section {
	char name[CONFIG_NAME_CHARS];
	size_t line;
};

/** struct config - what was read; { 0 } is empty */
struct config {
	struct config_line *lines;
	size_t count;
	struct config_section *sections;
	size_t section_count;
};
void config_done(struct config *config);

/** struct config_mistake - one mistake; @section, @keyword may be "" */
struct config_mistake {
	size_t line;
	char section[CONFIG_NAME_CHARS];
	char keyword[CONFIG_NAME_CHARS];
	char text[256];
	char remedy[256]; /* "" for none */
};

#define CONFIG_MISTAKES_MAX 50

/** struct config_mistakes - the first of them, in the order in which they were found */
struct config_mistakes {
	struct config_mistake items[CONFIG_MISTAKES_MAX];
	size_t count; /* may be more than are kept */
};

/** config_mistake_add() - one more; @text is printf's; all borrowed. Returns it, for a remedy */
struct config_mistake *config_mistake_add(struct config_mistakes *mistakes, size_t line,
					  const char *section, const char *keyword,
					  const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/** config_mistake_raise() - a mistake as an error: file, line, section and keyword, and what is
 * wrong. Fails: COF_E_USAGE, always */
cof_result config_mistake_raise(const struct config_mistake *mistake, const char *file,
				struct cof_error *err);

/**
 * config_parse() - read a configuration
 * @mistakes: what is wrong with it is added; the other lines are read all the same
 * Fails: COF_E_NOMEM
 */
cof_result config_parse(struct span text, struct config *ret_config,
			struct config_mistakes *mistakes, struct cof_error *err);

/**
 * config_set() - a keyword from the command line: "disk#0.size=2G", or "comment=text" for the
 * service itself; it takes the place of the one in the file, with the same scope
 * Fails: COF_E_USAGE, COF_E_NOMEM
 */
cof_result config_set(struct config *config, const char *assignment, struct cof_error *err);

/**
 * config_find() - the line that counts on @node: the one scoped to the node, else to "nodes", else
 * the one without a scope; NULL when there is none; borrowed
 */
const struct config_line *config_find(const struct config *config, const char *section,
				      const char *keyword, const char *node);
/** config_section_find() - NULL when there is none; borrowed */
const struct config_section *config_section_find(const struct config *config, const char *name);

/** config_format() - the configuration as text that config_parse() reads as the same.
 * @ret_text: appended. Fails: COF_E_NOMEM */
cof_result config_format(const struct config *config, struct buffer *ret_text,
			 struct cof_error *err);

#endif
