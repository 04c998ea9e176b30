#!/usr/bin/env python3
"""What the rigs found: a table, the same as JSON, and whether it is as it must be.

usage: verdict.py DIR --seed N --fs FS [--json FILE] [--absent REASON]...

DIR has rows.tsv and probes.tsv. A row is EXPECT RIG WAY STORE CUTS LOST FIRST, EXPECT one of kept (with sync: nothing is lost), lost
(without: something is) and blind (whatever it is, this rig cannot be relied on to see it).
"""

import argparse
import json
import os
import sys

FIELDS = ("expect", "rig", "way", "store", "cuts", "lost", "first")


def read_rows(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            row = dict(zip(FIELDS, line.rstrip("\n").split("\t"), strict=True))
            yield row | {"cuts": int(row["cuts"]), "lost": int(row["lost"])}


def read_probes(path):
    with open(path, encoding="utf-8") as file:
        return [dict(zip(("rig", "probe", "answer"), line.rstrip("\n").split("\t"), strict=True))
                for line in file]


def faults_of(rows):
    """A rig that found nothing is only worth something beside a loss that it did find."""
    if not rows:
        yield "no rig has found anything"
    for row in rows:
        what = f"{row['rig']}: {row['way']}: {row['store']}"
        if row["cuts"] == 0:
            yield f"{what}: no cut was made"
        elif row["store"] == "poison" and row["lost"] > 0:
            yield f"{what}: {row['lost']} of {row['cuts']} calls after a failed block reported " \
                  f"success, first: {row['first']}"
        elif row["expect"] == "kept" and row["lost"] > 0:
            yield f"{what}: acknowledged commits were lost in {row['lost']} of {row['cuts']} " \
                  f"cuts, first: {row['first']}"
        elif row["expect"] == "lost" and row["lost"] == 0:
            yield f"{what}: nothing was lost in {row['cuts']} cuts, so this rig sees nothing"
    yield from missing(rows)


def missing(rows):
    """Each way must be there in each rig that ran, with its opposite; some rig must see each way."""
    there = {(row["rig"], row["way"], row["expect"]) for row in rows if row["store"] != "poison"}
    ways = {way for _, way, expect in there if expect == "kept"}
    for rig in {rig for rig, _, expect in there if expect == "kept"}:
        for way in sorted(ways):
            if (rig, way, "kept") not in there:
                yield f"{rig}: {way}: it was not tried with its syncs"
            if not {(rig, way, "lost"), (rig, way, "blind")} & there:
                yield f"{rig}: {way}: it was not tried without a sync"
    for way in sorted(ways):
        if not any((rig, way, "lost") in there for rig, _, _ in there):
            yield f"{way}: no rig that ran can see a missing sync of it"


def print_table(rows):
    head = ("rig", "way", "with sync", "lost", "without", "lost")
    lines = {}
    for row in rows:
        cell = lines.setdefault((row["rig"], row["way"]), {})
        side = "with" if row["expect"] == "kept" else "without"
        mark = "*" if row["expect"] == "blind" else ""
        cell[side] = (str(row["cuts"]), f"{row['lost']}{mark}")
    form = "{:<16} {:<15} {:>9} {:>6} {:>9} {:>6}"
    print(form.format(*head))
    for (rig, way), cell in lines.items():
        print(form.format(rig, way, *cell.get("with", ("", "")), *cell.get("without", ("", ""))))
    print("lost: cuts after which something acknowledged was gone; *: this rig cannot be relied on to "
          "see it;\nwhere blocks fail: calls that had to fail after that, and how many did not")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dir")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--fs", required=True)
    parser.add_argument("--json")
    parser.add_argument("--absent", action="append", default=[])
    arguments = parser.parse_args()
    rows = list(read_rows(os.path.join(arguments.dir, "rows.tsv")))
    probes = list(read_probes(os.path.join(arguments.dir, "probes.tsv")))
    faults = list(faults_of(rows))
    print_table(rows)
    for probe in probes:
        print("{rig:<16} {probe:<15} {answer}".format(**probe))
    for reason in arguments.absent:
        print(reason)
    for fault in faults:
        print(f"FAILED: {fault}")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"seed": arguments.seed, "file_system": arguments.fs, "rows": rows,
                       "probes": probes, "absent": arguments.absent, "faults": faults}, file, indent=1)
            file.write("\n")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
