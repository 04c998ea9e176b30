"""The course's commands; ./lab hands them on to this."""

import argparse
import sys

from course import check, labs, proof, starter
from course.labs import Trouble


def parser():
    top = argparse.ArgumentParser(prog="./lab", description="The course: exercises and their grader")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name, function, text, examples=""):
        command = commands.add_parser(
            name, help=text, description=text, epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter)
        command.set_defaults(function=function)
        return command

    command = add("check", run_check, "run a lab's tests on your files",
                  "examples:\n  ./lab check 01\n  ./lab check 01 --test 1.4 --seed 7\n"
                  "  ./lab check 01 --watch")
    command.add_argument("lab")
    command.add_argument("--test", metavar="ID", help="only this one, whatever it depends on")
    command.add_argument("--seed", type=int, default=1, help="another run of the same tests")
    command.add_argument("--all", action="store_true", help="explain every failure, not the first")
    command.add_argument("--watch", action="store_true", help="again whenever a file is saved")

    command = add("starters", run_starters, "make the starters from the references anew")
    command.add_argument("--check", action="store_true", help="only say which differ")
    command = add("proof", run_proof, "prove the grader: starters, reference, wrong solutions",
                  "examples:\n  ./lab proof 01 --solution 06-short-read-taken-for-whole --text")
    command.add_argument("lab", nargs="*", help="all labs if none is named")
    command.add_argument("--solution", help="one wrong or right solution alone, by its name")
    command.add_argument("--times", type=int, default=20, help="runs of the reference")
    command.add_argument("--text", action="store_true", help="show what the student would read")
    command.add_argument("--record", action="store_true",
                         help="write the reference's numbers of checks into the table")
    return top


def run_starters(options):
    different = False
    for lab in labs.all_labs():
        for file in lab.files:
            reference = labs.ROOT / file.reference
            if not reference.exists():
                continue
            text = starter.starter_of(reference.read_text(encoding="utf-8"), file.reference)
            path = lab.folder / file.name
            if path.exists() and path.read_text(encoding="utf-8") == text:
                continue
            different = True
            print(path.relative_to(labs.ROOT))
            if not options.check:
                path.write_text(text, encoding="utf-8")
    return 1 if options.check and different else 0


def run_proof(options):
    good = True
    for lab in [labs.find(each) for each in options.lab] or labs.all_labs():
        done = proof.prove(lab, options.times, options.solution)
        good = proof.show(done) and good
        if options.record:
            proof.record(lab, done.checks)
        if options.text:
            for patched in done.wrong:
                for test, text in patched.texts.items():
                    print(f"\n== {patched.name}, {test}\n{text}")
    return 0 if good else 1


def run_check(options):
    lab = labs.find(options.lab)
    if options.test:
        lab.test(options.test)  # or an error
    return 0 if check.check(lab, options.seed, options.test, options.all) else 1


def main():
    options = parser().parse_args()
    try:
        return options.function(options)
    except Trouble as trouble:
        print(f"lab: {trouble}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print()
        return 130


if __name__ == "__main__":
    sys.exit(main())
