#include "pagealloc/cache/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "pagealloc/cache/replacement.h"
#include "pagealloc/random.h"

namespace pagealloc::cache {

std::vector<std::uint32_t> sizes_of(const Trace& trace) {
  const std::uint64_t pages = std::unordered_set<PageId>(trace.begin(), trace.end()).size();
  std::vector<std::uint32_t> sizes;
  for (const std::uint64_t percent : {1U, 2U, 5U, 10U, 20U, 40U, 80U}) {
    const auto frames = static_cast<std::uint32_t>(pages * percent / 100);
    if (frames > 0 && (sizes.empty() || sizes.back() != frames)) sizes.push_back(frames);
  }
  return sizes;
}

std::string_view name_of(Eviction eviction) {
  switch (eviction) {
    case Eviction::clock:
      return "clock";
    case Eviction::lru:
      return "lru";
    case Eviction::s3_fifo:
      return "s3-fifo";
    case Eviction::two_q:
      return "2q";
  }
  return "unknown";
}

// --- As text ------------------------------------------------------------------------------------

Result<Trace> read_trace(std::istream& in, const std::string& name) {
  Trace trace;
  std::uint64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    line.resize(std::min(line.size(), line.find('#')));
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.pop_back();
    if (line.empty()) continue;
    PageId page = 0;
    const char* const end = line.data() + line.size();
    const auto [rest, error] = std::from_chars(line.data(), end, page);
    if (error != std::errc() || rest != end) {
      return std::unexpected(
          Error{.code = Errc::bad_argument,
                .path = name,
                .cause = fmt::format("line {}: '{}' is not a page number", number, line)});
    }
    trace.push_back(page);
  }
  return trace;
}

std::string text_of(const Trace& trace) {
  std::string text;
  for (const PageId page : trace) text += fmt::format("{}\n", page);
  return text;
}

namespace {

/// A call that strace saw succeed: 123 pread64(3</tmp/x.db>, "..."..., 4096, 8192) = 4096
struct SeenCall {
  std::string_view name;
  std::string_view descriptor;
  std::string_view path;
  std::string_view last_argument;
  std::uint64_t result;
};

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return number;
}

// Not with std::regex: its matching is recursive, and g++ 12 warns about its own header.
std::optional<SeenCall> call_of(std::string_view line) {
  // From the end, because what was read or written may look like anything.
  const std::size_t equals = line.rfind(" = ");
  if (equals == std::string_view::npos) return std::nullopt;
  const auto result = number_of(line.substr(equals + 3));
  const std::size_t close = line.rfind(')', equals);
  const std::size_t open = line.find('(');
  const std::size_t path = line.find('<', open);
  const std::size_t path_end = line.find(">, ", path);
  if (!result || close == std::string_view::npos || path_end == std::string_view::npos ||
      path_end > close) {
    return std::nullopt;
  }
  const std::size_t space = line.rfind(' ', open);
  const std::size_t name = space == std::string_view::npos ? 0 : space + 1;
  const std::size_t last = line.rfind(", ", close) + 2;
  return SeenCall{.name = line.substr(name, open - name),
                  .descriptor = line.substr(open + 1, path - open - 1),
                  .path = line.substr(path + 1, path_end - path - 1),
                  .last_argument = line.substr(last, close - last),
                  .result = *result};
}

}  // namespace

Trace trace_of_strace(std::istream& in, std::string_view path, std::uint32_t page_bytes) {
  std::unordered_map<std::string, std::uint64_t> position;  // by descriptor
  Trace trace;
  const auto add = [&](std::uint64_t first, std::uint64_t bytes) {
    const std::uint64_t end = first + bytes;
    for (PageId page = first / page_bytes; page * page_bytes < end; ++page) trace.push_back(page);
  };
  for (std::string line; std::getline(in, line);) {
    const auto call = call_of(line);
    if (!call || call->path != path) continue;
    std::uint64_t& at = position[std::string(call->descriptor)];
    if (call->name == "lseek") {
      at = call->result;
    } else if (call->name == "pread64" || call->name == "pwrite64") {
      const auto offset = number_of(call->last_argument);
      if (offset && call->result > 0) add(*offset, call->result);
    } else if (call->name == "read" || call->name == "write") {
      if (call->result > 0) add(at, call->result);
      at += call->result;
    }
  }
  return trace;
}

// --- Made -------------------------------------------------------------------------------------

namespace {

double unit(Random& random) {
  return static_cast<double>(random.next() >> 11) / static_cast<double>(1ULL << 53);
}

/// A rank from 0 on, the r-th about as often as 1/(r + 1): the inverse of the logarithm.
std::uint64_t rank_of(double uniform, std::uint64_t ranks) {
  const double rank = std::pow(static_cast<double>(ranks) + 1, uniform) - 1;
  return std::min(ranks - 1, static_cast<std::uint64_t>(rank));
}

}  // namespace

Trace make_trace(Pattern pattern, std::uint64_t pages, std::uint64_t accesses, std::uint64_t seed) {
  Random random(seed);
  // Neighbours in rank are no neighbours in the file.
  std::vector<PageId> page_of_rank(pages);
  for (PageId page = 0; page < pages; ++page) page_of_rank[page] = page;
  for (std::uint64_t i = pages; i > 1; --i) {
    std::swap(page_of_rank[i - 1], page_of_rank[random.below(i)]);
  }
  const std::uint64_t hot = std::max<std::uint64_t>(1, pages / 10);
  Trace trace;
  trace.reserve(accesses);
  for (std::uint64_t i = 0; i < accesses; ++i) {
    if (pattern == Pattern::uniform) {
      trace.push_back(random.below(pages));
    } else if (pattern == Pattern::zipfian) {
      trace.push_back(page_of_rank[rank_of(unit(random), pages)]);
    } else {
      trace.push_back(i % 3 == 0 ? i / 3 % pages : page_of_rank[rank_of(unit(random), hot)]);
    }
  }
  return trace;
}

// --- Replayed -----------------------------------------------------------------------------------

std::uint64_t hits_of(const Trace& trace, Eviction eviction, std::uint32_t frames) {
  const auto policy = make_replacement(eviction, frames);
  std::unordered_map<PageId, FrameId> frame_of;
  std::vector<PageId> page_of(frames);
  std::uint64_t hits = 0;
  for (const PageId page : trace) {
    if (const auto found = frame_of.find(page); found != frame_of.end()) {
      ++hits;
      policy->touch(found->second);
      continue;
    }
    const bool remembered = policy->remembers(page);
    auto frame = static_cast<FrameId>(frame_of.size());
    if (frame == frames) {
      frame = policy->evict([](FrameId) { return true; });
      frame_of.erase(page_of[frame]);
    }
    policy->admit(frame, page, remembered);
    frame_of[page] = frame;
    page_of[frame] = page;
  }
  return hits;
}

std::uint64_t hits_of_optimum(const Trace& trace, std::uint32_t frames) {
  constexpr std::uint64_t never = UINT64_MAX;
  std::vector<std::uint64_t> next_use(trace.size(), never);
  std::unordered_map<PageId, std::uint64_t> seen;
  for (std::uint64_t i = trace.size(); i-- > 0;) {
    if (const auto later = seen.find(trace[i]); later != seen.end()) next_use[i] = later->second;
    seen[trace[i]] = i;
  }
  // Of a page that was used again meanwhile older entries stay behind; the newest is right.
  std::priority_queue<std::pair<std::uint64_t, PageId>> by_next_use;
  std::unordered_map<PageId, std::uint64_t> cached;
  std::uint64_t hits = 0;
  for (std::uint64_t i = 0; i < trace.size(); ++i) {
    if (cached.contains(trace[i])) {
      ++hits;
    } else if (cached.size() == frames) {
      // The page itself may be the one that is needed last: then it is not kept.
      while (cached.find(by_next_use.top().second) == cached.end() ||
             cached[by_next_use.top().second] != by_next_use.top().first) {
        by_next_use.pop();
      }
      if (by_next_use.top().first <= next_use[i]) continue;
      cached.erase(by_next_use.top().second);
      by_next_use.pop();
    }
    cached[trace[i]] = next_use[i];
    by_next_use.emplace(next_use[i], trace[i]);
  }
  return hits;
}

}  // namespace pagealloc::cache
