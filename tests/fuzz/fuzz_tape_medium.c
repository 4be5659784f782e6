/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a drive says of its tape and of a failure: attributes, log page 17h, sense; and what a
 * changer script lists. */

#include "changer.h"
#include "fuzz.h"
#include "mam.h"
#include "sense.h"

/* Attributes and their texts. */
static void try_attributes(struct span input)
{
	struct mam_attribute attribute;
	uint64_t object;
	bool found;
	char text[33];

	if (cof_failed(mam_find(input, MAM_BARCODE, &attribute, &found, NULL)) || !found)
		return;
	FUZZ_CHECK(attribute.value.data >= input.data &&
		   attribute.value.data + attribute.value.len <= input.data + input.len);
	mam_text(attribute.value, text, sizeof(text));
	for (const char *at = text; *at; at++)
		FUZZ_CHECK(*at >= ' ' && *at < 0x7f);
	(void)mam_object(attribute.value, &object);
}

void fuzz_one(struct span input)
{
	_cleanup_free_ char *text = fuzz_text(input);
	struct volume_log log;
	struct sense sense;
	char code[12];
	char barcode[33];

	try_attributes(input);
	cof_ignore(volume_log_decode(input, &log, NULL));
	if (changer_barcode(input, 3, barcode, sizeof(barcode)))
		FUZZ_CHECK(barcode[0] && strlen(barcode) < sizeof(barcode));
	sense = sense_decode(input);
	FUZZ_CHECK(sense_explain(sense).cause);
	if (!cof_failed(sense_parse(text, &sense, NULL)))
		FUZZ_CHECK(strlen(sense_format(sense, code)) >= 5 && sense_explain(sense).cause);
}
