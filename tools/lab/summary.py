"""Print the short form of a results.json: for each workload, each implementation at its best.

Standard library only; docs/measuring.md has the format.
"""
import json
import sys


def speed(row):
    return ((row or {}).get("median") or {}).get("ops_per_second") or 0.0


def label(row):
    parts = [row["impl"], row.get("variant") or ""]
    for name in ("depth", "threads", "batch"):
        if (row.get(name) or 0) > 1:
            parts.append(f"{name} {row[name]}")
    return " ".join(part for part in parts if part)


def against_peer(row, ratios):
    keys = ("workload", "impl", "variant", "depth", "threads", "batch")
    for ratio in ratios:
        if all(ratio.get(key) == row.get(key) for key in keys) and ratio.get("ratio_median"):
            low, high = ratio.get("ci95") or (None, None)
            spread = "" if low is None or high is None else f" [{low:.2f}, {high:.2f}]"
            return f"{ratio['ratio_median']:.2f}{spread} x {ratio.get('peer', 'fio')}"
    return "-"


def main(path):
    with open(path, encoding="utf-8") as file:
        results = json.load(file)
    rows, ratios = results.get("rows", []), results.get("ratios", [])
    for workload in dict.fromkeys(row["workload"] for row in rows):
        print(f"{workload.replace('_', ' ')}, pages/s, each at its best:")
        mine = [row for row in rows if row["workload"] == workload]
        for impl in dict.fromkeys(row["impl"] for row in mine):
            best = max((row for row in mine if row["impl"] == impl), key=speed)
            if speed(best):
                print(f"  {label(best):34} {speed(best):>14,.0f}   {against_peer(best, ratios)}")
            else:
                reason = best.get("reason") or "not measured"
                print(f"  {label(best):34} not available here: {reason}")


if __name__ == "__main__":
    main(sys.argv[1])
