#!/usr/bin/env python3
"""Clause x implementation: is every clause of the contract kept, and would the suite notice?

Runs the conformance suite once as it is, and then once for every clause and variant with a mutant
that breaks the clause. A cell is full when the clause's tests pass without the mutant and fail
with it. Writes the table as Markdown; exits 1 unless every cell is full or says why it is not
available here.

usage: matrix.py CONFORMANCE_BINARY CONTRACT.md OUT.md
"""

import json
import os
import re
import subprocess
import sys
import tempfile

MUTANT_SECONDS_MAX = 120


def clauses_of(contract):
    """{number: title} from the headings of CONTRACT.md, "## 4. A read lends a frame"."""
    with open(contract, encoding="utf-8") as file:
        found = re.findall(r"^## (\d+)\. (.*)$", file.read(), re.MULTILINE)
    return {int(number): title for number, title in found}


def run_suite(binary, test_filter, mutant=None):
    """[(clause, variant, "passed" | "failed" | "skipped", reason)], and whether it crashed."""
    environment = dict(os.environ)
    environment.pop("PAGEALLOC_MUTANT", None)
    if mutant is not None:
        environment["PAGEALLOC_MUTANT"] = str(mutant)
    with tempfile.TemporaryDirectory() as directory:
        out = os.path.join(directory, "out.json")
        done = subprocess.run(
            [binary, f"--gtest_filter={test_filter}", f"--gtest_output=json:{out}"],
            env=environment, capture_output=True, text=True, timeout=MUTANT_SECONDS_MAX,
            check=False)
        if not os.path.exists(out):
            return [], done.stdout + done.stderr
        with open(out, encoding="utf-8") as file:
            report = json.load(file)
    results = []
    for suite in report["testsuites"]:
        for test in suite["testsuite"]:
            name, variant = test["name"].split("/")
            clause = int(re.match(r"C(\d+)_", name).group(1))
            results.append((clause, variant, *verdict_of(test, done.stdout)))
    return results, None


def verdict_of(test, output):
    if "failures" in test:
        return "failed", test["failures"][0]["failure"].splitlines()[-1]
    if test["result"] == "SKIPPED":
        name = re.escape(test["name"])
        found = re.search(rf"RUN .*{name}\n(?:.*Skipped\n)(.*)\n", output)
        return "skipped", found.group(1).strip() if found else "no reason given"
    return "passed", ""


def cell_of(binary, clause, variant, tests):
    """(text of the cell, is it full)"""
    if not tests:
        return "no test", False
    if any(result == "failed" for result, _ in tests):
        return "**FAILED**", False
    passed = sum(result == "passed" for result, _ in tests)
    if passed == 0:
        return tests[0][1], "not available here" in tests[0][1]
    mutated, crash = run_suite(binary, f"*.C{clause:02}_*/{variant}", mutant=clause)
    if crash is not None:
        return "**mutant crashed**", False
    if not any(result == "failed" for _, _, result, _ in mutated):
        return "**mutant survived**", False
    return f"{passed} passed, mutant caught", True


def main(binary, contract, out):
    clauses = clauses_of(contract)
    results, crash = run_suite(binary, "*/Contract.C*")
    if crash is not None:
        print(crash)
        sys.exit("matrix: the conformance suite ended without a report")
    variants = list(dict.fromkeys(variant for _, variant, _, _ in results))
    if not clauses or not variants:
        sys.exit("matrix: no clauses or no tests were found")
    lines = ["| clause | " + " | ".join(variants) + " |", "|---" * (len(variants) + 1) + "|"]
    holes = []
    for clause, title in sorted(clauses.items()):
        row = [f"{clause}. {title}"]
        for variant in variants:
            tests = [(result, reason) for number, name, result, reason in results
                     if number == clause and name == variant]
            text, full = cell_of(binary, clause, variant, tests)
            row.append(text)
            if not full:
                holes.append(f"clause {clause} on {variant}: {text}")
        lines.append("| " + " | ".join(row) + " |")
    with open(out, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    print("\n".join(lines))
    for hole in holes:
        print(hole)
    if holes:
        sys.exit(f"matrix: {len(holes)} cells are not full")
    print(f"matrix: {len(clauses) * len(variants)} cells, every clause kept, every mutant caught")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
