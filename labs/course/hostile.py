"""Submissions that do not play by the rules, against lab 01: each gets the points that it has
earned, which are none, and harms nothing. `./lab proof` runs them."""

import os
import pathlib
import re
import tempfile
from dataclasses import dataclass

from course import build, labs, record, starter
from course.labs import ROOT
from course.run import Runner, calibrate

CANARY = "/tmp/pagealloc-hostile-canary"
MEMORY_BYTES = 1100 << 20  # of a test: its limit and what the program needs before it counts

SPOILED = "the program ended before the test began, or spoiled the test's report"


@dataclass(frozen=True)
class Hostile:
    name: str
    what: str            # for the table
    body: str = ""       # of SharedFile::admit, in front of its NOT STARTED
    top: str = ""        # at the top of the file
    says: str = ""       # what the student is told, each number as N; empty: it is NOT STARTED
    compiles: bool = True
    whole: str | None = None  # instead of the file

    @property
    def told(self):
        if not self.compiles:
            return f"does not compile: {self.says}"
        return self.says or "NOT STARTED, as if it had not tried"


ALL = (
    Hostile("loops", "loops for ever", "for (volatile int i = 0;; ++i) {}",
            says="the test did not end within N seconds of processor time"),
    Hostile("recurses", "calls itself without end",
            "volatile char page[4096] = {1}; if (page[0]) return admit(op);",
            says="the program ended by SIGSEGV: memory was touched that is not there"),
    Hostile("crashes", "writes to address 0", "*reinterpret_cast<volatile int*>(op.page * 0) = 1;",
            says="the program ended by SIGSEGV: memory was touched that is not there"),
    Hostile("waits", "waits for ever", "pause();", "#include <unistd.h>\n",
            says="the test did not end within N seconds, although it had taken only N seconds "
                 "of the processor: it waits for something that does not come"),
    Hostile("allocates", "allocates without end",
            "for (;;) std::memset(new char[1 << 20], 1, 4096);", "#include <cstring>\n",
            says="the program ended by SIGABRT: it was aborted"),
    Hostile("writes outside", "writes outside its folder, and over the lab's table",
            f'for (const char* path : {{"{CANARY}", "LAB/lab.json", "LAB/tests/table.cpp"}}) '
            "if (FILE* file = std::fopen(path, \"w\")) "
            "{ std::fputs(\"mine\", file); std::fclose(file); }",
            "#include <cstdio>\n"),
    Hostile("exit(0)", "calls exit(0)", "std::exit(0);", "#include <cstdlib>\n",
            says="the program ended in the middle of the test, with status N"),
    Hostile("forges", "writes a passing report to every descriptor",
            "for (int fd = 1; fd < 64; ++fd) dprintf(fd, \"{\\\"checks\\\": CHECKS, "
            "\\\"failure\\\": null, \\\"end\\\": \\\"\\\"}\\n\"); _exit(0);",
            "#include <cstdio>\n#include <unistd.h>\n", says=SPOILED),
    Hostile("before main", "writes a report and ends before main() begins",
            top="#include <cstdio>\n#include <unistd.h>\nnamespace { struct Early { Early() { "
                "dprintf(3, \"{\\\"checks\\\": CHECKS, \\\"failure\\\": null}\\n\"); _exit(0); } } "
                "early; }\n", says=SPOILED),
    Hostile("listens", "reads the parent's words before main() begins",
            top="#include <unistd.h>\nnamespace { struct Early { Early() { char byte; "
                "if (read(0, &byte, 1) == 1) for (;;) {} } } early; }\n"),
    *(Hostile(name, what, top=f"#include <unistd.h>\n{early}\n", says=says, compiles=False)
      for name, what, early, says in (
          ("before the grader", "reads the parent's words with the grader's own priority",
           "[[gnu::constructor(101)]] void early() { char byte; (void)!read(0, &byte, 1); }",
           "something in it runs before all initializers (.init_array.00101)"),
          ("before everybody", "reads the parent's words before the C library is ready",
           'void early() { char byte; (void)!read(0, &byte, 1); } [[gnu::section(".preinit_array"), '
           "gnu::used]] void (*const first)() = early;",
           "something in it runs before all initializers (.preinit_array)"),
          ("is the C runtime", "defines what the C library calls at its start",
           'extern "C" void __gmon_start__() { char byte; (void)!read(0, &byte, 1); }',
           "__gmon_start__ is defined here, but not in the starter"))),
    Hostile("no sandbox", "ends with the status of a sandbox that cannot be made",
            top="#include <unistd.h>\nnamespace { struct Early { Early() { _exit(125); } } "
                "early; }\n", says=SPOILED),
    *(Hostile(f"line {number}", f"reports {what}",
              f"for (int fd = 1; fd < 64; ++fd) {line} _exit(0);",
              "#include <cstdio>\n#include <string>\n#include <unistd.h>\n", says=SPOILED)
      for number, what, line in (
          (1, "an address that is no number", 'dprintf(fd, "{\\"signal\\": 1, \\"frames\\": [\\"x\\"]}\\n");'),
          (2, "more addresses than there are", 'dprintf(fd, "{\\"signal\\": 1, \\"frames\\": [1%s]}\\n", '
              '[] { std::string all; for (int i = 0; i < 100000; ++i) all += ",1"; return all; }()'
              '.c_str());'),
          (3, "brackets without end", 'dprintf(fd, "%s\\n", std::string(100000, \'[\').c_str());'))),
    Hostile("signal", "ends itself by a signal without a name", "raise(SIGRTMIN + 1);",
            "#include <csignal>\n", says="the program ended by signal N"),
    Hostile("digs", "makes folders too deep to walk",
            "for (int i = 0; i < 3000; ++i) { mkdir(\"d\", 0700); if (chdir(\"d\") != 0) break; }",
            "#include <sys/stat.h>\n#include <unistd.h>\n"),
    # What must be refused loops where it is not.
    *(Hostile(name, what, f"if ({call}) for (;;) {{}}", headers)
      for name, what, call, headers in (
          ("leaves a process", "forks", "fork() >= 0", "#include <unistd.h>\n"),
          ("connects", "opens a socket", "socket(AF_INET, SOCK_STREAM, 0) >= 0",
           "#include <sys/socket.h>\n"),
          ("rings", "makes a ring, which opens sockets by itself",
           "[] { char parameters[120] = {}; return syscall(SYS_io_uring_setup, 1, parameters); }() >= 0",
           "#include <sys/syscall.h>\n#include <unistd.h>\n"),
          ("kills", "sends a signal by a process's number", "kill(getpid(), 0) == 0",
           "#include <csignal>\n#include <unistd.h>\n"),
          ("keeps memory", "makes shared memory that stays", "shmget(IPC_PRIVATE, 4096, 0600) >= 0",
           "#include <sys/shm.h>\n"),
          ("changes rights", "changes the rights of a file",
           "fchmod(::open(\"mine\", O_CREAT | O_WRONLY, 0600), 0644) == 0",
           "#include <fcntl.h>\n#include <sys/stat.h>\n"),
          ("cuts off", "cuts a file off that it opens for reading",
           "::open(\"mine\", O_CREAT | O_RDONLY | O_TRUNC, 0600) >= 0", "#include <fcntl.h>\n"),
          ("limits another", "asks for limits by the number of a process",
           "[] { rlimit64 same; return prlimit64(getpid(), RLIMIT_FSIZE, nullptr, &same); }() == 0",
           "#include <sys/resource.h>\n#include <unistd.h>\n"),
          ("is polite", "changes the priority of all of its user's processes",
           "setpriority(PRIO_USER, 0, 19) == 0", "#include <sys/resource.h>\n"),
          ("keeps keys", "puts a key where it stays",
           "[] { return syscall(SYS_add_key, \"user\", \"mine\", \"1\", 1, -4); }() >= 0",
           "#include <sys/syscall.h>\n#include <unistd.h>\n"))),
    Hostile("is empty", "has nothing in it, and hopes for the library", whole="",
            says="a function of the starter is missing", compiles=False),
    Hostile("includes the reference", "includes what is to be written",
            whole="#include \"pagealloc/shared_file_durable.cpp\"\n",
            says="which is what is to be written", compiles=False),
    *(Hostile(f"includes it as {number}", "includes it by another name of the same file",
              whole=f"#include \"{path}\"\n", says="which is what is to be written", compiles=False)
      for number, path in ((1, "pagealloc/./shared_file_durable.cpp"),
                           (2, "pagealloc//shared_file_durable.cpp"))),
    Hostile("includes it as 3", "includes it as if it were a header of the system",
            whole="# 1 \"system.h\" 3\n#include \"pagealloc/shared_file_durable.cpp\"\n",
            says="which is what is to be written", compiles=False),
    Hostile("asks the grader", "calls the function that says that a test has passed",
            "labs::report_end(CHECKS, nullptr); _exit(0);",
            "#include \"labs/grader/report.h\"\n#include <unistd.h>\n",
            says="is the grader's: a solution does not call it", compiles=False),
    Hostile("is an inline function", "defines what the tests have as an inline function",
            top="#include <cstdint>\nextern \"C\" void mine(void*, void*) "
                "__asm__(\"_ZN9pagealloc4labs5BenchC1ERNS0_4TestE\");\n"
                "void mine(void*, void*) { __builtin_trap(); }\n",
            says="is defined here, but not in the starter", compiles=False),
    Hostile("is the grader", "defines the grader's own function",
            top="#include \"labs/grader/grader.h\"\nnamespace pagealloc::labs {\n"
                "void Test::fail(const Failure&) { __builtin_trap(); } }\n",
            says="is defined here, but not in the starter", compiles=False),
    Hostile("is the C library", "defines write(), which reports go through",
            top="#include <sys/types.h>\nextern \"C\" [[gnu::weak]] ssize_t write(int, const void*, "
                "size_t bytes) { return static_cast<ssize_t>(bytes); }\n",
            says="is defined here, but not in the starter", compiles=False),
    Hostile("prints", "prints without end",
            "for (;;) std::puts(\"all tests passed, 100 of 100\");", "#include <cstdio>\n",
            says="the test did not end within N seconds"),
    Hostile("reads secrets", "includes a file that only root may read",
            top="#include \"/etc/shadow\"\n", says="Permission denied", compiles=False),
    Hostile("includes for ever", "includes a file without end", top="#include \"/dev/zero\"\n",
            says="out of memory", compiles=False),
    Hostile("warns for ever", "includes itself, with a warning each time",
            whole="#warning again\n#include \"shared_file_durable.cpp\"\n", says="nested", compiles=False),
)


def source_of(hostile, lab, file):
    text = starter.starter_of((ROOT / file.reference).read_text(encoding="utf-8"), file.reference)
    if file.name != "shared_file_durable.cpp":
        return text
    if hostile.whole is not None:
        return hostile.whole
    test = lab.tests[0]

    def fill(code):
        return code.replace("LAB/", f"{lab.folder}/").replace("CHECKS", str(test.checks))
    mark = '  labs::not_started("SharedFile::admit"'
    assert mark in text
    return fill(hostile.top) + text.replace(mark, f"  {fill(hostile.body)}\n{mark}")


def faults_of(hostile, lab, calibration_s):
    """What this submission has got away with."""
    before = record.grader_hash(lab)
    faults = []
    with tempfile.TemporaryDirectory(prefix="pagealloc-hostile-") as folder, \
            Runner(lab, calibration_s) as runner:
        files = {}
        for file in lab.files:
            files[file.name] = pathlib.Path(folder) / file.name
            files[file.name].write_text(source_of(hostile, lab, file), encoding="utf-8")
        # It brings tests of its own, which nobody takes.
        (pathlib.Path(folder) / "lab.json").write_text('{"tests": []}', encoding="utf-8")
        try:
            runner.take(record.take_submission(lab, pathlib.Path(folder)), untrusted=True)
        except build.CompileError as error:
            if hostile.compiles or hostile.says not in str(error):
                faults.append(f"does not compile: {str(error)[:500]}")
            return faults
        if not hostile.compiles:
            faults.append("compiles")
        outcomes = runner.run(1)
    points = sum(outcome.points for outcome in outcomes)
    if points:
        faults.append(f"got {points} points")
    first = outcomes[0]
    trouble = re.sub(r"\d+(\.\d+)?", "N", first.trouble)
    if hostile.says and (first.state != "failed" or hostile.says not in trouble):
        faults.append(f"{first.test.id} is {first.state}: '{first.trouble}', and not "
                      f"'{hostile.says}'")
    if not hostile.says and first.state != "not_started":
        faults.append(f"{first.test.id} is {first.state}: {first.trouble}")
    for outcome in outcomes:
        if outcome.raw and outcome.raw.memory_bytes > MEMORY_BYTES:
            faults.append(f"{outcome.test.id} took {outcome.raw.memory_bytes >> 20} MiB")
    if os.path.exists(CANARY):
        faults.append(f"wrote {CANARY}")
        os.unlink(CANARY)
    if record.grader_hash(lab) != before:
        faults.append("changed the grader's files")
    return faults


def named_faults_of(hostile, lab, calibration_s):
    return [f"hostile submission '{hostile.name}': {fault}"
            for fault in faults_of(hostile, lab, calibration_s)]


def begin(pool):
    """All of them, handed to the workers; a result is what went wrong. Call build.prepare() first."""
    lab, calibration_s = labs.find("01"), calibrate()
    return [pool.submit(named_faults_of, hostile, lab, calibration_s) for hostile in ALL]
