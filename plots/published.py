"""Figures that others published, as data. `counterpart` names what is set beside them.

`standing` says how well a figure is known, because some are quoted from a second hand.
"""

import dataclasses

READ = "read in the source"
RECOMPUTED = "recomputed from the raw data"
SECOND_HAND = "second hand"
EARLIER = "measured earlier with fio and bare loops"

MMAPBENCH = ("Crotty, Leis, Pavlo: Are You Sure You Want to Use MMAP in Your DBMS? CIDR 2022;"
             " raw data of viktorleis/mmapbench")
NVME = "Haas, Leis: What Modern NVMe Storage Can Do, VLDB 2023"
AXBOE = "Axboe: Efficient IO with io_uring (io_uring.pdf)"
AXBOE_OPTANE = "Axboe, linux-block mailing list, 2020"
VMCACHE = "Leis and others: Virtual-Memory Assisted Buffer Management (vmcache), SIGMOD 2023"
SMALLDATUM = "Small Datum blog, 2026"
VIRTUAL = "a 2-core virtual machine, virtio disk, ext4, Linux 6.18"

ONE_DRIVE = "one PM1733 NVMe drive, 64 cores"
EIGHT_DRIVES = "eight PM1733 NVMe drives, 64 cores"
# The raw data of mmapbench names neither drive nor cores.
BENCH_DRIVE = "one PM1733 NVMe drive, 64 cores (hardware unverified)"
BENCH_DRIVES = "ten PM1733 NVMe drives, 64 cores (hardware unverified)"


@dataclasses.dataclass(frozen=True)
class Figure:
    system: str
    workload: str
    hardware: str
    text: str            # as published
    value: float         # for the quotient; None where a quotient would mean nothing
    kind: str            # "rate", "throughput", "duration" or "plain"
    source: str
    standing: str
    counterpart: str = ""
    cores: int = 0       # 0 where it is not known
    in_flight: int = 0
    note: str = ""       # what else makes the two differ


FIGURES = (
    Figure("fio psync, O_DIRECT, 100 threads", "4 KiB random read", BENCH_DRIVE, "898 K/s", 898e3,
           "rate", MMAPBENCH, RECOMPUTED, "fio_cold_peak", 64, 100),
    Figure("mmap, MADV_RANDOM, 100 threads", "4 KiB random read, cache full", BENCH_DRIVE,
           "395 to 430 K/s, after a stall near 0 of about 4 s", 412e3, "rate", MMAPBENCH,
           RECOMPUTED, "beyond_mmap", 64, 100, "evictions interrupt every core that reads"),
    Figure("mmap, MADV_NORMAL, 100 threads", "4 KiB random read, cache full", BENCH_DRIVE,
           "22 K/s", 22e3, "rate", MMAPBENCH, RECOMPUTED, "cold_mmap", 64, 100,
           "read-ahead fetched pages nobody asked for there; a random read here must advise"
           " against it, or the major faults per read show it"),
    Figure("fio libaio, 1 MiB, depth 256", "sequential read", BENCH_DRIVES, "57.3 GiB/s",
           57.3 * 2**30, "throughput", MMAPBENCH, RECOMPUTED, "sequential_best", 64, 256),
    Figure("mmap, 20 threads", "sequential read, cache full", BENCH_DRIVES, "2.6 GiB/s",
           2.6 * 2**30, "throughput", MMAPBENCH, RECOMPUTED, "sequential_mmap", 64, 20,
           "the cache was full there, so that every page read evicted another"),
    Figure("one drive at its peak", "4 KiB random read", ONE_DRIVE, "1.5 M/s", 1.5e6, "rate",
           NVME, SECOND_HAND, "cold_peak", 64, 0),
    Figure("one read at a time", "4 KiB random read", ONE_DRIVE, "about 10 K/s", 10e3, "rate",
           NVME, SECOND_HAND, "cold_one", 64, 1,
           "one read at a time measures latency, not cores or parallel drives"),
    Figure("io_uring polled / interrupts / libaio", "4 KiB random read",
           "the author's machine of 2019", "1.7 M/s / 1.2 M/s / 608 K/s", 1.2e6, "rate", AXBOE,
           SECOND_HAND, "uring_peak", 0, 0, "the quotient is to the figure with interrupts"),
    Figure("io_uring polled, one core, depth 128 / 16 / 1", "512-byte random read",
           "Gen2 Optane drive", "2.58 M/s / 2.06 M/s / 290 K/s", 2.58e6, "rate", AXBOE_OPTANE,
           READ, "uring_peak", 1, 128, "512 bytes a read there, and polled, not interrupted"),
    Figure("fsync, consumer drive", "latency of one sync", "Samsung 990 Pro", "2,974 µs",
           2974e3, "duration", SMALLDATUM, SECOND_HAND, "sync_latency", 0, 0,
           "a page is written before the sync here; how durable a virtual disk's flush is cannot"
           " be told from inside"),
    Figure("fsync, drive with power-loss protection", "latency of one sync", "Samsung PM9A3",
           "1.6 µs", 1.6e3, "duration", SMALLDATUM, SECOND_HAND, "sync_latency", 0, 0,
           "such a drive may acknowledge from its protected memory"),
)

# No page file can stand beside these: they are whole stores, or need eight drives. For scale.
FOR_SCALE = (
    Figure("eight drives at their peak", "4 KiB read / 90 % read / write", EIGHT_DRIVES,
           "12.5 / 8.9 / 4.7 M/s, about 3,000 in flight", None, "plain", NVME, SECOND_HAND),
    Figure("LeanStore / RocksDB / WiredTiger", "random lookup, data 10 × memory", EIGHT_DRIVES,
           "13.2 / 2.8 / 1.8 M/s", None, "plain", NVME, SECOND_HAND),
    Figure("LeanStore", "TPC-C, data 10 × / 40 × memory", EIGHT_DRIVES,
           "1.1 M / 400 K transactions/s", None, "plain", NVME, SECOND_HAND),
    Figure("vmcache", "lookups / TPC-C in memory", "64 cores", "90 M/s / 3 M transactions/s",
           None, "plain", VMCACHE, SECOND_HAND),
    Figure("PostgreSQL 17", "1 / 10 / 100 orders per commit", "a 2-core virtual machine",
           "0.54 / 4.1 / 10.7 K orders/s", None, "plain", "an earlier measurement",
           SECOND_HAND),
    Figure("Esent / early Voron", "10⁶ items in 10⁴ transactions", "a Windows PC of 2013",
           "786,782 / about 23,000 items/s", None, "plain", "ravendb.net", READ),
)


@dataclasses.dataclass(frozen=True)
class Proportion:
    what: str
    text: str          # as published
    low: float         # and as a range, to say where this run's lies
    high: float
    source: str
    standing: str
    counterpart: str
    kind: str          # "percent", "factor" or "count"
    why: str           # where and why the two differ


# Proportions carry over between machines better than rates do.
PROPORTIONS = (
    Proportion("one read in flight, as a share of the peak", "0.7 % (10 K of 1.5 M/s)", 0.006,
               0.008, f"{NVME}; {ONE_DRIVE}", SECOND_HAND, "one_of_peak", "percent",
               "The share is a property of the device: a drive with many channels needs more in"
               " flight, a virtual disk saturates early."),
    Proportion("one read in flight, as a share of the peak", "17 to 22 %", 0.165, 0.225, VIRTUAL,
               EARLIER, "one_of_peak", "percent",
               "The same kind of disk should give the same share."),
    Proportion("io_uring depth 32 over depth 1, O_DIRECT", "about 5×", 4.5, 5.5, VIRTUAL, EARLIER,
               "depth_gain", "factor",
               "The load of a shared host moves depth 1 more than depth 32."),
    Proportion("mmap over pread, fully cached, one thread", "1.8×", 1.6, 2.0, VIRTUAL, EARLIER,
               "warm_mmap", "factor",
               "fio's mmap engine copies the page; a loop that sums it in place does not."),
    Proportion("mmap over O_DIRECT, file larger than memory, random", "0.44 to 0.48×",
               0.435, 0.485, f"{MMAPBENCH}; {BENCH_DRIVE}", RECOMPUTED, "beyond_ratio", "factor",
               "With 100 threads on 64 cores each eviction interrupts many cores; with few cores"
               " and one reader it interrupts few, and the gap should be smaller."),
    Proportion("TLB shootdowns per read, file larger than memory", "about 3 (1.2 M/s)", 2.5, 3.5,
               f"{MMAPBENCH}; {BENCH_DRIVE}", RECOMPUTED, "shootdowns", "count",
               "A shootdown is sent to each core that has run the process: there 64; one reading"
               " thread leaves hardly another core to interrupt."),
    Proportion("sequential mmap over fio, before / after the cache is full",
               "1.0 / 0.36 to 0.40×", 0.36, 1.0, f"{MMAPBENCH}; {BENCH_DRIVE}", RECOMPUTED,
               "sequential_ratio", "factor",
               "A file that fits in memory and is resident pays neither read nor eviction."),
    Proportion("64 random pages per sync over one", "5×", 4.5, 5.5, VIRTUAL, EARLIER,
               "batch_gain", "factor",
               "The device still pays for each page. The 50× often quoted needs small records"
               " appended to one log: those reached 63×."),
)
