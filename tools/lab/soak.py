"""Joins the results of a soak's ways into one dated file, and says what they come to."""

import json
import os
import platform
import sys
from pathlib import Path


def rigs_of(source: Path) -> dict:
    """What each rig counted, by its name and file system; what could not run says why."""
    rigs = {}
    for text in sorted(source.glob("rig-*.txt")):
        counts = text.with_suffix(".json")
        absent = [line for line in text.read_text(encoding="utf-8").splitlines()
                  if "not available here" in line]
        rigs[text.stem.removeprefix("rig-")] = (
            json.loads(counts.read_text(encoding="utf-8")) if counts.exists()
            else {"not_available_here": absent})
    return rigs


def main() -> int:
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    rows = [row for path in sorted(source.glob("*.json")) if not path.stem.startswith("rig-")
            for row in json.loads(path.read_text(encoding="utf-8"))]
    wanted = (source / "runs").read_text(encoding="utf-8").splitlines()
    missing = sorted(set(wanted) - {f"{row['store']} {row['way']}" for row in rows})
    if missing:
        # Half a result would be read as a whole one.
        print(f"soak: no result of {', '.join(missing)}; nothing is written", file=sys.stderr)
        return 1
    result = {
        "date": target.stem,
        "commit": (source / "commit").read_text(encoding="utf-8").strip(),
        "machine": f"{os.cpu_count()} cores, Linux {platform.release().split('-')[0]}",
        "rows": rows,
        "rigs": rigs_of(source),
    }
    target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{'way':<16} {'store':<12} {'distinct media':>15} {'power cuts':>12} {'seeds':>9} "
          f"{'a second':>9}  verdict")
    for row in rows:
        verdict = "survived" if row["survived"] else "LOST SOMETHING"
        print(f"{row['way']:<16} {row['store']:<12} {row['distinct_states']:>15} {row['power_cuts']:>12} "
              f"{row['seeds']:>9} {row['distinct_states_per_second']:>9.0f}  {verdict}")
    print(f"Result: {target}")
    return 0 if all(row["survived"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
