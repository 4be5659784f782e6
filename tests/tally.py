# SPDX-License-Identifier: LGPL-2.1-or-later
"""Adds up the results of all suites in a folder; the last line is the sum.

Every failure and every reason for a skip is printed. Exits with 1 when something failed, and when
nothing ran at all. With --rounds it says before how often each loop went round.

usage: tally.py [--rounds] FOLDER
"""

import collections
import json
import pathlib
import re
import sys
import xml.etree.ElementTree

Result = collections.namedtuple("Result", "outcome test why")
TAP_LINE = re.compile(r"^(not )?ok \d+ *-? *(.*)$", re.M)


def from_tsv(path):
    for line in path.read_text().splitlines():
        outcome, test, why = (line + "\t\t").split("\t")[:3]
        yield Result(outcome, test, why)


def from_pytest(path):
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        name = case.get("classname", "").split(".")[-1] + "::" + case.get("name", "")
        children = {child.tag: child for child in case}
        if "failure" in children or "error" in children:
            child = children.get("failure", children.get("error"))
            yield Result("failed", name, first_line(child.get("message", "")))
        elif "skipped" in children:
            yield Result("skipped", name, first_line(children["skipped"].get("message", "")))
        else:
            yield Result("passed", name, "")


def from_meson(path):
    """One program each; its single tests are in its output as TAP."""
    for line in path.read_text().splitlines():
        yield from from_program(json.loads(line))


def from_program(program):
    name, output = program["name"], program.get("stdout", "")
    failed = False
    for match in TAP_LINE.finditer(output):
        skip = re.search(r"# *SKIP *(.*)", match.group(2), re.I)
        test = name + " " + re.sub(r" *# *SKIP.*", "", match.group(2), flags=re.I)
        if skip:
            yield Result("skipped", test + skip.group(1), skip_reason(output, match.start()))
        elif match.group(1):
            failed = True
            yield Result("failed", test, "")
        else:
            yield Result("passed", test, "")
    if program["result"] == "SKIP":
        yield Result("skipped", name, first_line(output))
    elif program["result"] != "OK" and not failed:
        # It crashed, ran too long, leaked, or was found fault with by a sanitizer.
        tail = (program.get("stderr") or output).strip().splitlines()
        yield Result("failed", name, program["result"] + ": " + (tail[-1] if tail else ""))


def skip_reason(output, end):
    """A unit test prints "skip: REASON" before it skips."""
    found = re.findall(r"skip: *(.*)", output[:end])
    return found[-1] if found else "gives no reason"


def first_line(text):
    return (text.strip().splitlines() or [""])[0][:200]


READERS = {".tsv": from_tsv, ".xml": from_pytest, ".json": from_meson}


def print_rounds(folder):
    """Loops leave how often they went round as a property of their test."""
    rounds = collections.Counter()
    for path in sorted(pathlib.Path(folder).glob("*.xml")):
        for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
            for entry in case.iter("property"):
                if entry.get("name") == "rounds":
                    rounds[case.get("name")] += int(entry.get("value"))
    for name, count in rounds.items():
        print(f"{count:>8} rounds of {name}")


def main(arguments):
    folder = arguments[-1]
    if "--rounds" in arguments:
        print_rounds(folder)
    return tally(folder)


def tally(folder):
    total = collections.Counter()
    print(f"{'suite':<16}{'passed':>8}{'failed':>8}{'skipped':>8}")
    details = []
    for path in sorted(pathlib.Path(folder).iterdir()):
        if path.suffix not in READERS:
            continue
        results = list(READERS[path.suffix](path))
        count = collections.Counter(result.outcome for result in results)
        total += count
        print(f"{path.stem:<16}{count['passed']:>8}{count['failed']:>8}{count['skipped']:>8}")
        details += [(path.stem, result) for result in results if result.outcome != "passed"]
    for suite, result in details:
        print(f"{result.outcome}: {suite}: {result.test}: {result.why}")
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
