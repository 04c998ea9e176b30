// What a hit costs, and what several threads that only hit get in each other's way.
#include <fmt/format.h>

#include <algorithm>

#include "harness/caches/bench.h"
#include "harness/caches/orders.h"
#include "harness/campaign.h"
#include "harness/workload.h"

namespace pagealloc::harness::caches {

using nlohmann::json;

// --- What a hit costs ---------------------------------------------------------------------------

json Bench::hit_cost() {
  const std::uint64_t pages = hot_pages();
  const std::uint64_t budget = extent_.budget_bytes;
  auto mapped = Reader::open(file_, options_of(System::mmap, file_, budget), 1);
  auto cached = Reader::open(file_, options_of(System::direct_cached, file_, budget), 1);
  for (const auto* reader : {&mapped, &cached}) {
    if (!*reader) return {{"reason", reader->error()}};
  }
  std::vector<double> peek_ns, cached_ns;
  for (std::uint32_t round = 0; round < std::max(3U, extent_.rounds) && !interrupted; ++round) {
    progress_.step("caches/hit cost");
    const auto orders = orders_of(Pattern::uniform, pages, 8 * pages, 1, round + 1);
    const std::vector<PageId> each = each_of(pages);
    std::uint64_t sum = 0;
    std::uint64_t expected = 0;
    for (const PageId page : each) sum += sum_of({mapped->file().peek(page), page_bytes_});
    if (auto warm = cached->read({each}); !warm) return {{"reason", warm.error()}};
    const auto reads = static_cast<double>(orders[0].size());
    os::Kernel& kernel = file_.kernel();
    std::uint64_t start_ns = kernel.now_ns();
    for (const PageId page : orders[0]) {
      sum += sum_of({mapped->file().peek(page), page_bytes_}) - page_sum(page, page_bytes_);
    }
    peek_ns.push_back(static_cast<double>(kernel.now_ns() - start_ns) / reads);
    for (const PageId page : each) expected += page_sum(page, page_bytes_);
    if (sum != expected) {
      wrong_bytes_ = true;
      return {{"reason", fmt::format("peek: {}", wrong_bytes_text)}};
    }
    start_ns = kernel.now_ns();
    for (const PageId page : orders[0]) {
      if (auto good = cached->read_one(page); !good) return {{"reason", good.error()}};
    }
    cached_ns.push_back(static_cast<double>(kernel.now_ns() - start_ns) / reads);
  }
  if (interrupted) return {{"reason", interrupted_text}};
  return {{"peek_ns", json(peek_ns)}, {"cached_ns", json(cached_ns)}};
}

// --- Many handles -------------------------------------------------------------------------------

struct Bench::Team {
  System system;
  std::size_t handles;
  std::optional<Reader> reader = {};
  std::vector<double> one = {}, many = {};  // reads per second
  std::string reason = {};
};

void Bench::open_team(Team& team) {
  Options options = options_of(team.system, file_, extent_.budget_bytes);
  // Eight times the cache may be more than may be locked.
  if (team.system == System::uring_cached) options.registered_buffers = false;
  auto reader = Reader::open(file_, options, team.handles);
  if (!reader) {
    team.reason = reader.error();
    return;
  }
  if (auto warm = reader->read({each_of(hot_pages())}); !warm) team.reason = warm.error();
  team.reader.emplace(std::move(*reader));
}

/// One thread, then all: the same number of reads, so that waking the threads costs both the same.
void Bench::measure_team(Team& team, std::uint32_t round) {
  const std::uint64_t reads = std::max<std::uint64_t>(64 * hot_pages(), 1U << 17);
  for (const std::size_t threads : {std::size_t{1}, team.handles}) {
    const auto orders =
        orders_of(Pattern::uniform, hot_pages(), reads / threads, threads, round + 1);
    const auto took = team.reader->read(orders);
    if (!took) team.reason = took.error();
    if (!took) return;
    (threads == 1 ? team.one : team.many).push_back(static_cast<double>(reads) / *took);
  }
}

json Bench::scaling() {
  std::vector<Team> teams;
  for (const std::size_t handles : {std::size_t{2}, std::size_t{8}}) {
    // A map's readers share nothing that is written: what they gain is what the processors can
    // give. That changes from second to second on a shared machine, so all are measured in turn.
    for (const System system : {System::mmap, System::direct_cached, System::uring_cached}) {
      teams.push_back({system, handles});
    }
  }
  for (Team& team : teams) open_team(team);
  for (std::uint32_t round = 0; round < 2 * extent_.rounds + 1; ++round) {
    progress_.step("caches/scaling");
    for (std::size_t i = 0; i < teams.size(); ++i) {
      Team& team = teams[(i + round) % teams.size()];
      if (interrupted && team.reason.empty()) team.reason = interrupted_text;
      if (team.reason.empty()) measure_team(team, round);
    }
  }
  json list = json::array();
  for (const Team& team : teams) {
    note(team.reason);
    const bool measured = team.reason.empty();
    list.push_back({{"system", name_of(team.system)},
                    {"handles", team.handles},
                    {"one", measured ? json(team.one) : json::array()},
                    {"many", measured ? json(team.many) : json::array()},
                    {"reason", team.reason}});
  }
  return list;
}

}  // namespace pagealloc::harness::caches
