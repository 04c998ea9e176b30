"""A grade's record as other systems read it.

Gradescope: gradescope-autograders.readthedocs.io, "Autograder Specifications". Classroom 50: the
schema classroom50/result/v1. JUnit: the XML that most continuous integration servers show.
"""

import base64
import html
import os
import xml.etree.ElementTree as xml

from course import record


def stopped(grade):
    """(what did not hold, how) where no test could be run; None: they were."""
    for key, name in (("refused", "the files are there"), ("compile_error", "the files compile")):
        if grade.get(key):
            return name, grade[key]
    return None


def gradescope(grade, plots=(), improved=None):
    """`plots`: (title, path of a PNG). `improved`: points more than the last submission had."""
    tests = [{"number": test["id"], "name": test["name"], "score": test["points"],
              "max_score": test["max"],
              "status": "passed" if test["state"] == "passed" else "failed",
              "output": record.text_of(test), "output_format": "text", "visibility": "visible"}
             for test in grade["tests"]]
    if stop := stopped(grade):
        tests = [{"number": "0", "name": stop[0], "score": 0, "status": "failed",
                  "max_score": grade["max"], "output": stop[1],
                  "output_format": "text", "visibility": "visible"}]
    if plots:
        tests.append({"number": "plots", "name": "your code, measured", "score": 0, "max_score": 0,
                      "status": "passed", "output": images(plots), "output_format": "html",
                      "visibility": "visible"})
    said = f"Lab {grade['lab']}: {grade['score']} of {grade['max']} points."
    if improved:
        said += f" {abs(improved)} points {'more' if improved > 0 else 'fewer'} than last time."
    started = sum(test["state"] != "not_started" for test in grade["tests"])
    return {"score": grade["score"], "output": said, "output_format": "text",
            "stdout_visibility": "hidden", "tests": tests,
            "leaderboard": [{"name": "points", "value": grade["score"]},
                            {"name": "tests begun", "value": started}],
            "extra_data": {"record": without_seed(grade)}}


def without_seed(grade):
    """What Gradescope stores of the record: enough to see that a grade made again is of the same
    files by the same grader. Neither the seed, which is hidden, nor the files, which it has."""
    return {**{key: grade[key] for key in ("schema", "lab", "grader", "datetime", "score")},
            "files": {name: file["sha256"] for name, file in grade["files"].items()}}


def images(plots):
    parts = []
    for title, path in plots:
        with open(path, "rb") as file:
            data = base64.b64encode(file.read()).decode()
        parts.append(f'<figure><img alt="{html.escape(title)}" style="max-width:100%" '
                     f'src="data:image/png;base64,{data}">'
                     f"<figcaption>{html.escape(title)}</figcaption></figure>")
    return "".join(parts)


def classroom50(grade):
    """What the environment says of assignment and commit is passed on."""
    tests = [{"test-name": f"{test['id']} {test['name']}", "passed": test["state"] == "passed",
              "score": test["points"], "max-score": test["max"],
              "output": record.text_of(test)} for test in grade["tests"]]
    if stop := stopped(grade):
        tests = [{"test-name": stop[0], "passed": False, "score": 0, "max-score": grade["max"],
                  "output": stop[1]}]
    named = {"classroom": "CLASSROOM", "assignment": "ASSIGNMENT", "submission": "SUBMISSION_TAG",
             "commit": "COMMIT_URL", "release": "RELEASE_URL", "review": "REVIEW_URL"}
    return {"schema": "classroom50/result/v1",
            **{key: os.environ.get(variable, "") for key, variable in named.items()},
            "datetime": grade["datetime"], "score": grade["score"], "max-score": grade["max"],
            "tests": tests}


def junit(grade):
    tests, stop = grade["tests"], stopped(grade)
    suite = xml.Element("testsuite", name=grade["lab"], tests=str(max(1, len(tests))),
                        failures=str(sum(test["state"] == "failed" for test in tests)),
                        skipped=str(sum(test["state"] in ("blocked", "not_started")
                                        for test in tests)),
                        errors="1" if stop else "0",
                        timestamp=grade["datetime"])
    if stop:
        case = xml.SubElement(suite, "testcase", classname=grade["lab"], name=stop[0])
        xml.SubElement(case, "error", message=printable(stop[1].strip().splitlines()[0])).text = \
            printable(stop[1])
    for test in tests:
        case = xml.SubElement(suite, "testcase", classname=grade["lab"],
                              name=f"{test['id']} {test['name']}", time=str(test["cpu_s"]))
        if test["state"] == "failed":
            xml.SubElement(case, "failure",
                           message=printable(test["explanation"]["found"])).text = \
                printable(record.text_of(test))
        elif test["state"] != "passed":
            xml.SubElement(case, "skipped", message=record.text_of(test))
    xml.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + xml.tostring(suite, encoding="unicode") + \
        "\n"


def printable(text):
    """Without what XML cannot hold."""
    return "".join(char for char in text if char in "\t\n" or char.isprintable())
