// What mended.cpp is to define: your part of this lab.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "labs/00_measure/bench.h"
#include "labs/00_measure/counts.h"

namespace pagealloc::labs::measure {

/// Of the dishonest programs a to f, in this order, when they run on `pages` pages.
std::array<Finding, 6> findings(std::uint64_t pages);

/// Throws the file out of the page cache, what is dirty in it, too. 0, or -errno of the first call
/// that failed: then nobody knows whether it is cold.
int drop_cached(Bench& bench);
/// Reads all pages once, one at a time, in a measured section. Appends how long each took to
/// `latencies`, in the order of reading, if that is not nullptr. A read that fails is an error.
Result<Report> read_all(Bench& bench, File& file, std::vector<std::uint64_t>* latencies);
/// Latencies in two groups, the shorter ones first; in one group if the medians of the two are at
/// most a fifth of the lower one apart. Each group has at least a twentieth of all latencies: of
/// the gaps between neighbours in length that leave as many on either side, the widest parts the
/// groups. (The widest gap of all is often that before a few stragglers: four reads in 4096 that
/// took milliseconds.) The median of an even number is either of the two in the middle.
/// Precondition: at least two latencies.
std::vector<Group> groups_of(std::vector<std::uint64_t> ns);

/// The claims of lies/a.cpp to lies/f.cpp, honestly. What could not be done as claimed (the file is
/// not cold, a read failed, a sync failed) is an error in place of a report.
Result<Report> mended_a(Bench& bench);
Result<Report> mended_b(Bench& bench);
Result<Report> mended_c(Bench& bench);
Result<Report> mended_d(Bench& bench);
Result<Report> mended_e(Bench& bench);
Result<Report> mended_f(Bench& bench);

/// The first lie, in the order of Lie, that the counts of a benchmark with this claim show:
/// counts.h says what each claim needs. A count without a value shows no lie; mind that an empty
/// std::optional is less than every number, and equal to none.
std::optional<Lie> lie_of(const Claim& claim, const Counts& counts);

}  // namespace pagealloc::labs::measure
