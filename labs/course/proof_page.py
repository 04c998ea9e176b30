"""docs/grader-proof.md: what the proof has shown, and nothing that differs from run to run."""

from course.labs import ROOT

PAGE = ROOT / "docs" / "grader-proof.md"

HEAD = """# The grader's proof

Made by `./lab proof`, which fails when something of it does not hold; CI makes it anew and compares.
What a grade is worth, and what nobody has tried to prevent, is in [labs.md](labs.md).

- **Starters** compile without a warning and score 0: every test is NOT STARTED or waits for one that
  is.
- **References** score everything, {times} times in a row with the seeds 1 to {times}, while twice as
  many processes want the processors as there are. Each test makes as many checks with one seed as with
  another.
- **Wrong solutions** are the reference with one mistake. Each loses points through the test that is
  named beside it, and that test's text says what the sentence says. Every test catches at least one.
- **Right solutions** do the same in another way, and keep all points.
- **Hostile submissions** get what they have earned, which is nothing, and change nothing.
- **A student's repository** with nothing given builds by itself and grades each of its starters to 0,
  without a warning; no reference is in its files or in its history.

| lab | tests | points | wrong solutions | right ones |
|---|---|---|---|---|
{summary}
"""


def matrix(proof):
    """Which test fails for which wrong solution. A test that waits for one that failed is not run."""
    tests = [test.id for test in proof.lab.tests]
    lines = ["| | " + " | ".join(tests) + " |", "|---" * (len(tests) + 1) + "|"]
    signs = {"failed": "**X**", "blocked": "·", "passed": "", "not_started": "?"}
    for patched in proof.wrong:
        number = patched.name.split("-")[0]
        states = [patched.states.get(test, "not_started") for test in tests]
        lines.append(f"| {number} | " + " | ".join(signs[state] for state in states) + " |")
    return "\n".join(lines)


def solutions(proof):
    lines = ["| | wrong solution | test | what the student reads |", "|---|---|---|---|"]
    for patched in proof.wrong:
        number, _, name = patched.name.partition("-")
        lines.append(f"| {number} | {name.replace('-', ' ')} | {', '.join(patched.caught_by)} | "
                     f"{patched.head.get('sentence', '')} |")
    for patched in proof.right:
        name = patched.name.replace("-", " ")
        lines.append(f"| | right: {name} | none | {patched.head.get('sentence', '')} |")
    return "\n".join(lines)


def page(proofs, hostile):
    """The text of it."""
    summary = "\n".join(
        f"| {p.lab.number} {p.lab.title} | {len(p.lab.tests)} | {p.lab.points} | {len(p.wrong)} | "
        f"{len(p.right)} |" for p in proofs)
    parts = [HEAD.format(times=proofs[0].times, summary=summary)]
    for proof in proofs:
        parts.append(f"## Lab {proof.lab.number}: {proof.lab.title}\n\n{solutions(proof)}\n\n"
                     "X: the test fails; a point: it is not run, because one that it needs has "
                     f"failed.\n\n{matrix(proof)}\n")
    parts.append("## Hostile submissions\n\n| what it does | what it is told |\n|---|---|\n" +
                 "\n".join(f"| {each.what} | {each.told} |" for each in hostile) + "\n")
    return "\n".join(parts)
