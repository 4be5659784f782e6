# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks of the house style that a compiler does not make (HACKING.md has the rules).

usage: style.py [--results FILE] [SOURCE...]
"""

import argparse
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
LICENSE = "SPDX-License-Identifier: LGPL-2.1-or-later"
FILE_LINES = 600
FUNCTION_LINES = 60
COLUMNS = 100

# Each foreign library has one folder whose files include its headers.
OWNERS = {
    r"<json-c/|<json\.h>|<libsmartcols|<systemd/sd-journal|<ini\.h>": ("src/base",),
    r"<openssl/": ("src/crypto",),
    r"<libcryptsetup\.h>": ("src/luks",),
    r"<sqlite3\.h>": ("src/vault",),
    r"<systemd/sd-daemon": ("src/agent",),
    r"<blkid|<libmount|<libudev": ("src/block",),
    r"<scsi/": ("src/tape",),
    r"<fuse": ("src/block/engine",),
    r"<zstd\.h>": ("src/store",),
}


def sources():
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", TOP, "ls-files", "-co", "--exclude-standard"],
        capture_output=True, text=True, check=False)
    names = listed.stdout.split("\n") if listed.returncode == 0 else [
        str(path.relative_to(TOP)) for path in TOP.rglob("*") if "build" not in path.parts[0]]
    return [TOP / name for name in names
            if name.startswith(("src/", "tests/")) and name.endswith((".c", ".h"))
            and (TOP / name).is_file()]


def without_comments_and_texts(text):
    """The same lines with comments and string contents blanked, so that patterns see code only."""
    def blank(match):
        found = match.group(0)
        if found[0] == '"':
            return '"' + " " * (len(found) - 2) + '"'
        return re.sub(r"[^\n]", " ", found)
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def columns(line):
    return len(line.expandtabs(8))


def check_license(name, text, code):
    if LICENSE not in text.split("\n", 1)[0]:
        yield 1, "the first line does not name the licence"


def check_length(name, text, code):
    lines = text.count("\n")
    if lines > FILE_LINES:
        yield lines, f"{lines} lines, {FILE_LINES} are allowed"


def check_columns(name, text, code):
    for number, line in enumerate(text.split("\n"), 1):
        if columns(line) > COLUMNS:
            yield number, f"{columns(line)} columns, {COLUMNS} are allowed"
        if line != line.rstrip():
            yield number, "blanks at the end of the line"
        if re.match(r" {8}", line):
            yield number, "indented with blanks"


def check_functions(name, text, code):
    start = None
    for number, line in enumerate(code.split("\n"), 1):
        if line == "{":
            start = number
        elif line.startswith("}") and start:
            if number - start + 1 > FUNCTION_LINES:
                yield start, f"function of {number - start + 1} lines, {FUNCTION_LINES} are allowed"
            start = None


def check_words(name, text, code):
    for number, line in enumerate(code.split("\n"), 1):
        if re.search(r"\bgoto\b", line):
            yield number, "goto"
        if re.search(r"\brc\b", line):
            yield number, "a status called rc"
        if "//" in line:
            yield number, "a // comment"
    for number, line in enumerate(text.split("\n"), 1):
        if re.search(r"\b(TODO|FIXME|XXX)\b", line):
            yield number, "unfinished"


def check_includes(name, text, code):
    for number, line in enumerate(text.split("\n"), 1):
        if not line.startswith("#include"):
            continue
        for pattern, folders in OWNERS.items():
            if re.search(pattern, line) and not any(
                    name.startswith(folder + "/") for folder in folders):
                yield number, f"{line.split()[-1]} belongs to {', '.join(folders)} alone"


CHECKS = {
    "licence line": check_license,
    "length of files": check_length,
    "length of functions": check_functions,
    "columns and blanks": check_columns,
    "words": check_words,
    "foreign headers": check_includes,
}
ONLY_SOURCES = {"foreign headers"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--results", type=pathlib.Path)
    parser.add_argument("source", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    faults = {check: [] for check in CHECKS}
    for path in options.source or sources():
        name = str(path.resolve().relative_to(TOP))
        text = path.read_text()
        code = without_comments_and_texts(text)
        for check, function in CHECKS.items():
            if check in ONLY_SOURCES and not name.startswith("src/"):
                continue
            faults[check] += [f"{name}:{line}: {what}" for line, what in function(name, text, code)]
    rows = []
    for check, found in faults.items():
        print("".join(fault + "\n" for fault in found), end="")
        why = f"{len(found)} found, the first: {found[0]}" if found else ""
        rows.append(f"{'failed' if found else 'passed'}\t{check}\t{why}\n")
    if options.results:
        options.results.write_text("".join(rows))
    return 1 if any(faults.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
