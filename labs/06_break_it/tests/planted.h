// Protocols drawn by a seed: the two-page store with one step done in another way. Most ways are
// mistakes; some only look like one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/crash/driver.h"
#include "pagealloc/random.h"
#include "pagealloc/ways.h"

namespace pagealloc::crash {

enum class Step : std::uint8_t {
  as_it_is,
  // Mistakes.
  no_sync_before_meta,
  no_sync_after_meta,
  late_page,
  meta_before_data,
  live_data_reused,
  one_meta_page,
  sum_not_checked,
  sync_error_ignored,
  retried_sync_trusted,
  sync_beside_write,
  acknowledged_at_submit,
  direct_trusted,
  directory_not_synced,
  recovered_not_synced,
  live_meta_rewritten,
  page_number_missing,
  damage_taken_for_empty,
  // Right, all of these.
  one_page_at_a_time,
  each_sync_twice,
  written_through,
  three_runs,
};

/// What is done differently, and in which commits.
struct Plan {
  Step step = Step::as_it_is;
  std::uint64_t every = 1;  ///< in commits n with n % every == rest
  std::uint64_t rest = 0;
  std::uint64_t variant = 0;  ///< which of several: the first page or the last, say
  bool in(std::uint64_t number) const { return number % every == rest; }
};

/// The plan of the stores that are made from now on. A test is a process of its own.
void set_plan(const Plan& plan);
/// A kind of store that follows the plan. It is called by this number, whatever the plan is, and
/// says nothing of mistakes.
StoreKind protocol(unsigned number);

/// A mistake that can be planted: in how many variants, where, and how soon it is found.
struct Family {
  Step step;
  std::string_view mistake;  ///< what a student reads
  std::uint64_t every_max = 1;
  std::uint64_t variants = 1;
  std::string_view ways;  ///< where it is one
  std::optional<Weather> weather = {};
  std::uint64_t seeds_max = 20;  ///< the reference finds it in so many, with much to spare
  std::string_view canary = {};  ///< the store in canaries.cpp that is most like it
};
std::span<const Family> families();

/// A family, a variant of it and a way, drawn.
struct Planted {
  const Family* family;
  Plan plan;
  const Way* way;
};
/// `count` of them in the order of the draw, no family twice. Equal seeds, equal plans.
std::vector<Planted> planted(std::uint64_t seed, std::size_t count);
/// All that the seed might draw of a family.
std::vector<Planted> variants_of(const Family& family);

/// One that only looks like a mistake.
struct Right {
  Step step;
  std::string_view ways;  ///< where it is tried
  std::string_view what;
  std::string_view why;  ///< it survives
};
std::span<const Right> rights();
/// The ways of a list such as "pread uring".
std::vector<const Way*> ways_in(std::string_view names);

/// "in every commit", "in commits 1, 4, 7 ...".
std::string text_of(const Plan& plan);

}  // namespace pagealloc::crash
