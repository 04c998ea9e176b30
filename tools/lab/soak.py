"""Joins the results of a soak's ways into one dated file, and says what they come to."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path


def state_of_the_tree(root: Path) -> str:
    """The commit that ran, with a mark when something was changed after it."""
    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", str(root), *arguments], check=True,
                              capture_output=True, text=True).stdout.strip()
    changed = git("status", "--porcelain", "--untracked-files=no")
    return git("rev-parse", "--short=12", "HEAD") + ("+changes" if changed else "")


def main() -> int:
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    rows = [row for path in sorted(source.glob("*.json"))
            for row in json.loads(path.read_text(encoding="utf-8"))]
    if not rows:
        print("soak: no way has a result", file=sys.stderr)
        return 1
    root = Path(__file__).resolve().parents[2]
    result = {
        "date": target.stem,
        "commit": state_of_the_tree(root),
        "machine": f"{os.cpu_count()} cores, Linux {platform.release().split('-')[0]}",
        "rows": rows,
    }
    target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{'way':<16} {'distinct media':>15} {'power cuts':>12} {'seeds':>9} "
          f"{'a second':>9}  verdict")
    for row in rows:
        verdict = "survived" if row["survived"] else "LOST SOMETHING"
        print(f"{row['way']:<16} {row['distinct_states']:>15} {row['power_cuts']:>12} "
              f"{row['seeds']:>9} {row['distinct_states_per_second']:>9.0f}  {verdict}")
    print(f"Result: {target}")
    return 0 if all(row["survived"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
