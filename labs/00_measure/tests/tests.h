// The tests of lab 00, by the numbers of its table (lab.json), and what they share.
#pragma once

#include <functional>
#include <string>

#include "labs/00_measure/lies/lies.h"
#include "labs/00_measure/mended.h"
#include "labs/00_measure/tests/counted_bench.h"
#include "labs/grader/grader.h"
#include "pagealloc/conformance/test_kernel.h"

namespace pagealloc::labs {

// findings_test.cpp
void finding_a(Test& t);  // 1.1
void finding_b(Test& t);  // 1.2
void finding_c(Test& t);  // 1.3
void finding_d(Test& t);  // 1.4
void finding_e(Test& t);  // 1.5
void finding_f(Test& t);  // 1.6
// cold_test.cpp
void dirty_pages_are_dropped_too(Test& t);    // 2.1
void failure_to_drop_is_told(Test& t);        // 2.2
void cold_is_what_the_device_reads(Test& t);  // 2.3
void all_bytes_are_summed(Test& t);           // 2.4
void what_is_read_was_written(Test& t);       // 3.1
void past_the_page_cache(Test& t);            // 3.2
// groups_test.cpp
void groups_of_series(Test& t);                // 4.1
void hits_and_misses_are_two_groups(Test& t);  // 4.2
// job_test.cpp
void as_many_in_flight(Test& t);           // 5.1
void both_sides_read_the_device(Test& t);  // 5.2
void durable_when_done(Test& t);           // 6.1
void failed_sync_covers_nothing(Test& t);  // 6.2
void mapped_bytes_are_used(Test& t);       // 7.1
// counts_test.cpp
void counts_name_the_lie(Test& t);         // 8.1
void honest_counts_are_believed(Test& t);  // 8.2

namespace measure {

/// From now on the kernel takes no advice: it was built without posix_fadvise.
void refuse_advice(conformance::TestKernel& kernel);
/// Program 'a' to 'f'.
const Program& program_of(char letter);
/// Is this the lie of that program, and this the count that shows it? The table is of hashes:
/// who reads the tests is to find out nothing that the programs do not say.
bool is_lie_of(char letter, Lie lie);
bool is_count_of(char letter, Count count);

using Mended = Result<Report> (*)(Bench&);
/// Runs a mended program, which must give a report and have measured something. `section` is the
/// function in which start() and stop() are called, if that is another one.
Report run_mended(Test& t, CountedBench& bench, Mended mended, const char* function,
                  const char* section = nullptr);
/// Runs a mended program where the kernel does not drop what is in the page cache, and says so: it
/// must end with an error, unless its counts are `good` all the same.
void check_refused_advice(Test& t, Mended mended, const char* function, const Claim& claim,
                          const std::function<bool(const Counts&)>& good);
/// Runs a mended program where the device cannot read: it must end with an error. `reads` is the
/// function that is to pass it on.
void check_failing_reads(Test& t, Mended mended, const Claim& claim, const char* reads);
/// The counts, and the first things that happened between start() and stop().
std::string evidence_of(const Claim& claim, CountedBench& bench, const Report& report);

}  // namespace measure

}  // namespace pagealloc::labs
