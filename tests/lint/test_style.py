# SPDX-License-Identifier: LGPL-2.1-or-later
"""The style checks find what they are there for."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import style  # noqa: E402 pylint: disable=wrong-import-position

GOOD = """/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <openssl/evp.h>

/* goto and // in a comment are words */
static int one(void)
{
\treturn "goto // rc"[0];
}
"""
BAD = {
    "licence line": GOOD.replace("SPDX-", ""),
    "length of files": GOOD + "\n" * style.FILE_LINES,
    "length of functions": GOOD.replace("\treturn", "\t;\n" * style.FUNCTION_LINES + "\treturn"),
    "columns and blanks": GOOD.replace("goto and", "goto and " + "x" * style.COLUMNS),
    "words": GOOD.replace("\treturn", "\tgoto out;\n\treturn"),
    "foreign headers": GOOD.replace("openssl/evp.h", "libcryptsetup.h"),
}


def faults(check, text):
    code = style.without_comments_and_texts(text)
    return list(style.CHECKS[check]("src/crypto/sample.c", text, code))


@pytest.mark.parametrize("check", style.CHECKS)
def test_good_source_passes(check):
    assert not faults(check, GOOD)


@pytest.mark.parametrize("check", BAD)
def test_bad_source_is_found(check):
    assert len(faults(check, BAD[check])) == 1


@pytest.mark.parametrize("bad", ["\tint rc;\n", "\treturn 0; // why\n", "\t/* TODO */\n"])
def test_unwanted_words_are_found(bad):
    assert faults("words", GOOD.replace("\treturn", bad + "\treturn"))
