"""The course's commands; ./lab hands them on to this."""

import argparse
import dataclasses
import importlib.util
import os
import sys

from course import build, check, grade, guide, labs
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
    command.add_argument("--seed", type=labs.seed_of, default=1, help="another run of the same tests")
    command.add_argument("--all", action="store_true", help="explain every failure, not the first")
    command.add_argument("--keep", metavar="DIR", help="leave the linked programs there")
    command.add_argument("--watch", action="store_true", help="again whenever a file is saved")

    add("next", lambda options: guide.next_step(), "what to do now")

    command = add("show", run_show, "all labs and how far you are, or what is in one of them")
    command.add_argument("lab", nargs="?")

    command = add("hint", lambda options: guide.hint(labs.find(options.lab), options.task,
                                                     options.again),
                  "the next of three hints of a task",
                  "examples:\n  ./lab hint 01        for the task that you are at\n"
                  "  ./lab hint 01 2      for task 2")
    command.add_argument("lab")
    command.add_argument("task", nargs="?", type=int)
    command.add_argument("--again", action="store_true", help="those that you have read")

    command = add("predict", lambda options: guide.predict(labs.find(options.lab), options.again),
                  "write down what you expect before you measure; after a pass, what came out",
                  "examples:\n  ./lab predict 01       asks what is not answered yet, number by number\n"
                  "  ./lab predict 01 P3    asks this one again; the first answer is kept, too")
    command.add_argument("lab")
    command.add_argument("again", nargs="?", metavar="PREDICTION", help="one to answer again")

    command = add("reset", lambda options: guide.reset(labs.find(options.lab), options.yes),
                  "put the starter back; your files are kept in .lab/")
    command.add_argument("lab")
    command.add_argument("--yes", action="store_true")

    command = add("reveal", lambda options: guide.reveal(labs.find(options.lab)),
                  "the reference, once you have all the points")
    command.add_argument("lab")

    command = add("grade", grade.grade, "the score, for people or for other systems",
                  "examples:\n  ./lab grade\n  ./lab grade 01 --json -o record.json\n"
                  "  ./lab grade --replay record.json\n"
                  "  ./lab grade 01 --submission DIR --seed 4711 --hidden --gradescope")
    command.add_argument("lab", nargs="?", help="all labs if none is named")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="the record: all that makes it again")
    form.add_argument("--gradescope", action="store_true", help="results.json")
    form.add_argument("--classroom50", action="store_true", help="result.json")
    form.add_argument("--junit", action="store_true", help="XML")
    command.add_argument("-o", "--output", metavar="FILE",
                         help="where a format goes, instead of standard output")
    command.add_argument("--seed", type=labs.seed_of, help="another run of the same tests")
    command.add_argument("--hidden", action="store_true", help="the seed is told nobody")
    command.add_argument("--submission", metavar="DIR",
                         help="take the lab's files from there, and nothing else")
    command.add_argument("--plot", metavar="PNG", action="append",
                         help="a picture for --gradescope; may be repeated")
    command.add_argument("--metadata", metavar="FILE",
                         help="Gradescope's submission_metadata.json, for what has improved")
    command.add_argument("--replay", metavar="RECORD", help="make a stored grade again")

    command = add("bench", run_bench, "measure your code beside the reference's figures and fio",
                  "examples:\n  ./lab bench 01\n  ./lab bench 01 --simulated   in a second, and the "
                  "same figures every time")
    command.add_argument("lab")
    command.add_argument("--simulated", action="store_true", help="on a simulated disk, without fio")
    command.add_argument("--out", metavar="DIR", help="where the picture goes")
    command.add_argument("--submission", metavar="DIR", help="somebody else's files")
    command.add_argument("--build-only", action="store_true",
                         help="compile what measures, and measure nothing")
    command.add_argument("--record", action="store_true",
                         help="measure the reference, and keep its figures in labs/")

    # For other commands of ./lab: nothing for people, so the help has nothing of it.
    command = commands.add_parser("written")
    command.add_argument("program")
    command.add_argument("folder", nargs="+")
    command.set_defaults(function=lambda options: labs.require_written(options.program,
                                                                       *options.folder))

    if importlib.util.find_spec("course.proof"):
        add_for_teachers(add)
    return top


def add_for_teachers(add):
    """What needs all references: students' repositories have neither them nor these."""
    from course import export

    command = add("export", export.export, "a student's repository, or an autograder's zip",
                  "examples:\n  ./lab export --given 00-01 --into ../student\n"
                  "  ./lab export --gradescope 02")
    command.add_argument("--given", metavar="LABS", help="whose references are in it, e.g. 01-03")
    command.add_argument("--gradescope", metavar="LAB", help="the autograder of this lab")
    command.add_argument("--seed", type=labs.seed_of, help="of the autograder; drawn if not given")
    command.add_argument("--into", metavar="PATH", help="the new folder, or the zip")

    command = add("starters", run_starters, "make the starters from the references anew")
    command.add_argument("--check", action="store_true", help="only say which differ")
    command = add("proof", run_proof, "prove the grader: starters, reference, wrong solutions",
                  "examples:\n  ./lab proof 01 --solution 06-short-read-taken-for-whole --text\n"
                  "  ./lab proof --seed 20831   do other seeds catch them, too?")
    command.add_argument("lab", nargs="*", help="all labs if none is named")
    command.add_argument("--solution", help="one wrong or right solution alone, by its name")
    command.add_argument("--times", type=int, default=20, help="runs of the reference")
    command.add_argument("--seed", type=labs.seed_of, default=1,
                         help="of the solutions' runs; with another than 1 no page is written")
    command.add_argument("--text", action="store_true", help="show what the student would read")
    command.add_argument("--record", action="store_true",
                         help="write the reference's numbers of checks into the table")
    command.add_argument("--check", action="store_true",
                         help="compare docs/grader-proof.md with what comes out, and write nothing")

    command = add("costs", run_costs, "what grading costs here, in seconds and memory",
                  "examples:\n  ./lab costs --submissions 30     every lab: ten minutes\n"
                  "  ./lab costs 01 --submissions 200")
    command.add_argument("lab", nargs="*", help="all labs if none is named")
    command.add_argument("--submissions", type=int, default=30, metavar="N",
                         help="graded for each lab: starter, reference, right and wrong ones")


def run_costs(options):
    from course import costs
    if options.submissions < 1:
        raise Trouble("--submissions wants a number from 1 on")
    return costs.costs([labs.find(each) for each in options.lab] or labs.all_labs(),
                       options.submissions)


def run_bench(options):
    from course import bench  # needs matplotlib
    return bench.bench(labs.find(options.lab), options)


def run_show(options):
    return guide.show(labs.find(options.lab)) if options.lab else guide.show_all()


def run_starters(options):
    from course import starter
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
    from course import hostile, proof, proof_export
    whole = not options.lab and options.solution is None and options.seed == 1
    chosen = [labs.find(each) for each in options.lab] or labs.all_labs()
    if options.times < 1:
        raise Trouble("--times wants a number from 1 on")
    for lab in chosen:
        if options.solution is not None:
            proof.find(lab, options.solution)  # or an error
        build.prepare(lab)
    proofs, others = [], []
    with proof.workers() as pool:
        if whole:  # first what takes longest: minutes of an export's build, half of one of waiting
            others = [pool.submit(proof_export.faults_of_all), *hostile.begin(pool)]
        begun = [proof.Proving(pool, without_checks(lab) if options.record else lab, options.times,
                               options.solution, options.seed) for lab in chosen]
        for each in begun:
            proofs.append(each.proof())
            proof.show(proofs[-1])
            if options.record:
                proof.record(proofs[-1].lab, proofs[-1].checks)
            if options.text:
                proof.show_texts(proofs[-1])
        faults = [fault for job in others for fault in job.result()]
    for fault in faults:
        print(f"FAULT {fault}")
    faults += [fault for each in proofs for fault in each.faults]
    if whole and not write_page(proofs, faults, options.check):
        return 1
    return 1 if faults else 0


def without_checks(lab):
    """Its table before the reference's numbers of checks are known, whatever it says now."""
    return dataclasses.replace(lab, tests=tuple(dataclasses.replace(test, checks=0)
                                                for test in lab.tests))


def write_page(proofs, faults, only_check):
    """docs/grader-proof.md, unless there are faults. False: it was to be the same, and is not."""
    from course import hostile, proof_page
    text = proof_page.page(proofs, hostile.ALL)
    if only_check and proof_page.PAGE.read_text(encoding="utf-8") != text:
        print("FAULT docs/grader-proof.md is not what ./lab proof makes of it")
        return False
    if not only_check and not faults:
        proof_page.PAGE.write_text(text, encoding="utf-8")
        print(f"{proof_page.PAGE.relative_to(labs.ROOT)} written")
    return True


def run_check(options):
    lab = labs.find(options.lab)
    if options.test:
        lab.test(options.test)  # or an error
    if options.watch and options.keep:
        raise Trouble("--keep links once, and --watch checks again and again: one of them")
    if options.watch:
        check.watch(lab, options.seed, options.test, options.all)
    if options.keep:
        check.keep(lab, options.keep)
    return 0 if check.check(lab, options.seed, options.test, options.all) else 1


def main():
    # A terminal that has not all letters gets question marks, and no traceback.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        options = parser().parse_args()
        return options.function(options)
    except Trouble as trouble:
        print(f"lab: {trouble}", file=sys.stderr)
        return 2
    except build.CompileError as error:
        check.show_compile_error(error)
        return 1
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"lab: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print()
        return 130


if __name__ == "__main__":
    sys.exit(main())
