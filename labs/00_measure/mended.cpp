#include "labs/00_measure/mended.h"
#include "labs/not_started.h"

#include <fcntl.h>

#include <algorithm>

namespace pagealloc::labs::measure {

// --- Task 1: which lie, and the count by which it shows -----------------------------------------

std::array<Finding, 6> findings(std::uint64_t pages) {
  // Task 1.
  labs::not_started("findings", pages);
}

// --- Task 2: cold -------------------------------------------------------------------------------

int drop_cached(Bench& bench) {
  // Task 2.
  labs::not_started("drop_cached", bench);
}

Result<Report> read_all(Bench& bench, File& file, std::vector<std::uint64_t>* latencies) {
  // Task 2.
  labs::not_started("read_all", bench, file, latencies);
}

Result<Report> mended_a(Bench& bench) {
  // Task 2.
  labs::not_started("mended_a", bench);
}

// --- Task 3: written ----------------------------------------------------------------------------

Result<Report> mended_c(Bench& bench) {
  // Task 3.
  labs::not_started("mended_c", bench);
}

// --- Task 4: one number for one kind of operation -----------------------------------------------

std::vector<Group> groups_of(std::vector<std::uint64_t> ns) {
  // Task 4.
  labs::not_started("groups_of", ns);
}

Result<Report> mended_b(Bench& bench) {
  // Task 4.
  labs::not_started("mended_b", bench);
}

// --- Task 5: the same job on both sides ---------------------------------------------------------

Result<Report> mended_d(Bench& bench) {
  // Task 5.
  labs::not_started("mended_d", bench);
}

// --- Task 6: durable ----------------------------------------------------------------------------

Result<Report> mended_e(Bench& bench) {
  // Task 6.
  labs::not_started("mended_e", bench);
}

// --- Task 7: used -------------------------------------------------------------------------------

Result<Report> mended_f(Bench& bench) {
  // Task 7.
  labs::not_started("mended_f", bench);
}

// --- Task 8: the counts alone -------------------------------------------------------------------

std::optional<Lie> lie_of(const Claim& claim, const Counts& counts) {
  // Task 8.
  labs::not_started("lie_of", claim, counts);
}

}  // namespace pagealloc::labs::measure
