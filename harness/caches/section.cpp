#include "harness/caches/section.h"

#include <fmt/format.h>

#include "harness/caches/bench.h"
#include "harness/caches/policies.h"
#include "harness/machine.h"

namespace pagealloc::harness::caches {

namespace {

constexpr std::uint64_t mebibyte = 1U << 20;
constexpr std::uint64_t files_over_budget = 6;  // 4, 1 and 1/2, and a rest

Extent extent_of(Mode mode) {
  switch (mode) {
    case Mode::quick:
      return {.budget_bytes = 16 * mebibyte, .rounds = 2, .all = false};
    case Mode::standard:
      return {.budget_bytes = 16 * mebibyte, .rounds = 3, .all = true};
    case Mode::full:
      break;
  }
  return {.budget_bytes = 64 * mebibyte, .rounds = 5, .all = true};
}

/// Empty: it can be measured.
std::string why_not(const Plan& plan, std::uint64_t file_bytes) {
  if (plan.machine) {
    return "not available here: the simulated machine has no processor whose time a hit could "
           "cost, "
           "and its page cache never fills";
  }
  if (!plan.wants("caches")) return "left out by the filter, which 'caches' does not match";
  if (interrupted) return interrupted_text;
  if (disk_free_bytes(plan.directory) < 2 * file_bytes) {
    return fmt::format("not available here: less than {} bytes of disk are free", 2 * file_bytes);
  }
  return {};
}

}  // namespace

Section measure(const Plan& plan, const std::string& recorded) {
  Section section;
  const Extent extent = extent_of(plan.mode);
  const std::uint64_t file_bytes = files_over_budget * extent.budget_bytes;
  const auto refuse = [&](const std::string& reason) { section.document = {{"reason", reason}}; };
  const std::string reason = why_not(plan, file_bytes);
  if (!reason.empty()) {
    refuse(reason);
  } else if (auto directory = ScratchDirectory::make(plan.directory); !directory) {
    refuse(directory.error());
  } else {
    Progress progress(Bench::steps(extent));
    const auto files =
        make_files(directory->path(), extent.budget_bytes, plan.page_bytes, progress);
    if (!files) {
      refuse(files.error());
    } else {
      Bench bench(*files, extent, progress);
      section.document = bench.measure();
      section.wrong_bytes = bench.wrong_bytes();
    }
  }
  // What the filter leaves out may be somebody's exercise, not written yet.
  auto policies = plan.wants("caches") ? compare_policies(recorded)
                                       : nlohmann::json{{"traces", nlohmann::json::array()}};
  if (policies) section.document["policies"] = std::move(*policies);
  if (!policies && section.document["reason"] == "") section.document["reason"] = policies.error();
  return section;
}

}  // namespace pagealloc::harness::caches
