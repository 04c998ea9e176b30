"""`pagealloc cache-trace`: traces made, recorded and replayed. Run by cli_test.py."""

import itertools
import json
import random
from collections import OrderedDict

from case import PAGE, REFUSED, USAGE, CliTest


def lru_hits(trace, frames):
    cached, hits = OrderedDict(), 0
    for page in trace:
        if page in cached:
            hits += 1
            cached.move_to_end(page)
        else:
            if len(cached) == frames:
                cached.popitem(last=False)
            cached[page] = True
    return hits


def most_hits(trace, frames):
    """By trying every choice: no policy does better."""
    best = {frozenset(): 0}
    for page in trace:
        after = {}
        for cached, hits in best.items():
            if page in cached:
                choices = [(cached, hits + 1)]
            else:
                choices = [(cached, hits)]  # read, and not kept
                if len(cached) < frames:
                    choices.append((cached | {page}, hits))
                else:
                    choices += [(cached - {gone} | {page}, hits) for gone in cached]
            for state, count in choices:
                after[state] = max(after.get(state, 0), count)
        best = after
    return max(best.values())


def pages_of(text):
    return [int(line) for line in text.decode().splitlines() if not line.startswith("#")]


class CacheTrace(CliTest):
    def replay(self, trace, *args):
        text = "".join(f"{page}\n" for page in trace).encode()
        return json.loads(self.ok("cache-trace", "replay", "--json", *args, input=text))

    def test_a_seed_makes_the_same_trace_again(self):
        for pattern in ("uniform", "zipfian", "scan-mixed"):
            args = ("cache-trace", "make", pattern, "--pages", 500, "--accesses", 3000)
            first = self.ok(*args, "--seed", 7)
            self.assertEqual(self.ok(*args, "--seed", 7), first)
            self.assertNotEqual(self.ok(*args, "--seed", 8), first)
            pages = pages_of(first)
            self.assertEqual(len(pages), 3000)
            self.assertLess(max(pages), 500)

    def test_lru_is_what_it_is(self):
        pages = pages_of(self.ok("cache-trace", "make", "zipfian", "--pages", 300,
                                 "--accesses", 5000))
        for size in self.replay(pages, "--frames", "1,7,50,299,1000")["sizes"]:
            self.assertEqual(size["hits"]["lru"], lru_hits(pages, size["frames"]))

    def test_nothing_is_better_than_the_optimum_and_it_can_be_had(self):
        for seed in range(20):
            trace = random.Random(seed).choices(range(6), k=14)
            for frames in (1, 2, 3):
                hits = self.replay(trace, "--frames", frames)["sizes"][0]["hits"]
                self.assertEqual(hits["optimum"], most_hits(trace, frames), (seed, frames, trace))
                self.assertEqual(max(hits.values()), hits["optimum"])

    def test_sizes_are_chosen_from_the_trace(self):
        pages = pages_of(self.ok("cache-trace", "make", "uniform", "--pages", 1000,
                                 "--accesses", 20000))
        frames = [size["frames"] for size in self.replay(pages)["sizes"]]
        self.assertEqual(frames, [10, 20, 50, 100, 200, 400, 800])
        shown = self.ok("cache-trace", "replay", input=b"3 # three\n\n4\n3\n").decode()
        self.assertIn("optimum", shown)

    def test_accesses_are_taken_out_of_what_strace_wrote(self):
        file, other = self.dir / "x.db", self.dir / "y.db"
        calls = (f'12 pread64(3<{file}>, "SQLite"..., 100, 0) = 100\n'
                 f'12 pread64(4<{other}>, ""..., 4096, 40960) = 4096\n'
                 f'12 pwrite64(3<{file}>, ""..., {2 * PAGE}, {3 * PAGE}) = {2 * PAGE}\n'
                 f'12 pread64(3<{file}>, 0x1, 4096, 0) = -1 EIO (Input/output error)\n'
                 f'13 lseek(3<{file}>, {7 * PAGE}, SEEK_SET) = {7 * PAGE}\n'
                 f'13 read(3<{file}>, ""..., {PAGE}) = {PAGE}\n'
                 f'13 read(3<{file}>, ""..., {PAGE}) = {PAGE}\n'
                 f'13 read(3<{file}>, "", {PAGE}) = 0\n').encode()
        out = self.ok("cache-trace", "record", file, input=calls)
        self.assertEqual(pages_of(out), [0, 3, 4, 7, 8])
        self.fails(REFUSED, "no access to it", "cache-trace", "record", self.dir / "z.db",
                   input=calls)

    def test_what_cannot_be_understood(self):
        self.fails(REFUSED, r"line 2: 'x' is not a page number", "cache-trace", "replay",
                   input=b"1\nx\n")
        self.fails(REFUSED, "the trace is empty", "cache-trace", "replay", input=b"# nothing\n")
        self.fails(REFUSED, "--pages must not be 0", "cache-trace", "make", "uniform", "--pages", 0)
        self.fails(USAGE, "PATTERN", "cache-trace", "make", "sawtooth")
        self.fails(USAGE, "frames", "cache-trace", "replay", "--frames", "0", input=b"1\n")
        self.fails(USAGE, "subcommand", "cache-trace")


assert most_hits(list(itertools.islice(itertools.cycle(range(3)), 6)), 2) == 2
