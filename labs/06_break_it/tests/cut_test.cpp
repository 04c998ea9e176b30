// Task 2: Run::cut(), on a machine that the test itself writes to. No store is in it.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <string_view>

#include "harness/crash/run.h"
#include "harness/crash/timeline.h"
#include "labs/06_break_it/tests/planted.h"
#include "labs/06_break_it/tests/scripted.h"
#include "labs/06_break_it/tests/tests.h"
#include "labs/grader/bench.h"

namespace pagealloc::labs {

using crash::Bounds;
using crash::Left;
using os::sim::Tearing;

namespace {

constexpr std::uint64_t pages = 8;
constexpr const char* path = "/pages.pa";

/// A machine with a durable file of eight pages, and a life on it. It is not the first life, so
/// nothing but cut() itself adds to what is left.
struct Moments {
  explicit Moments(Test& t, Tearing tearing = Tearing::sector)
      : experiment{.kind = &kind, .weather = crash::Weather::calm, .tearing = tearing},
        run(experiment, t.other_seed() | 1, tally, true),
        kernel({.seed = t.seed(), .image = {{{path, file_of(pages)}}}}),
        life{.kernel = kernel, .depth = 1} {
    kernel.trace().keep();
    fd = kernel.open(path, O_RDWR | O_CLOEXEC, 0);
  }
  void write(PageId page, std::uint64_t version) {
    auto bytes = pattern(page, version);
    const iovec iov{bytes.data(), bytes.size()};
    (void)kernel.pwritev(fd, &iov, 1, page * bytes.size());
  }
  void sync() { (void)kernel.fdatasync(fd); }

  crash::StoreKind kind = crash::protocol(0);
  crash::Experiment experiment;
  crash::Tally tally;
  crash::Run run;
  os::sim::SimKernel kernel;
  crash::Life life;
  int fd = -1;
};

std::vector<std::byte> page_of(const Left& left, PageId page) {
  const auto file = left.image.files.find(path);
  if (file == left.image.files.end() || file->second.bytes.size() < (page + 1) * 4096) return {};
  const auto first = file->second.bytes.begin() + static_cast<std::ptrdiff_t>(page * 4096);
  return {first, first + 4096};
}

void check_draws(Test& t, Moments& at, std::uint64_t wanted, const std::string& when) {
  const std::uint64_t before = at.tally.cuts;
  at.run.cut(at.life);
  const std::uint64_t drawn = at.tally.cuts - before;
  if (t.holds(drawn >= wanted)) return;
  t.fail({.expected = fmt::format("{} or more media drawn at a moment when {}", wanted, when),
          .found = fmt::format("{} drawn (is_new() counts them)", drawn),
          .cause = wanted == 1
                       ? "cut() came back without a look: also where everything is durable the "
                         "power may go, and a file that should be there may be missing"
                       : "one draw for each moment: a cut keeps, drops or tears each write by "
                         "chance, and of several writes the harmful combination is one of many",
          .function = "Run::cut",
          .evidence = crash::timeline_of(at.kernel)});
}

void check_kept(Test& t, const Moments& at) {
  const bool whole = std::ranges::all_of(at.life.left, [](const Left& left) {
    return left.image.files.contains(path) && left.hash == left.image.hash();
  });
  if (t.holds(!at.life.left.empty() && whole)) return;
  t.fail({.expected = "each medium that is kept is the one that was drawn, beside its own hash",
          .found = at.life.left.empty() ? "nothing was kept"
                                        : "a medium without a file, or with another one's hash",
          .cause = "Left wants the bounds, the image and the image's hash, and keep() adds it; an "
                   "image that was moved away before its hash was taken has none",
          .function = "Run::cut"});
}

}  // namespace

void a_cut_is_drawn_often(Test& t) {
  Moments at(t);
  check_draws(t, at, 1, "everything is durable");
  const PageId first = t.random().below(pages - 2);
  at.write(first, 1);
  check_draws(t, at, crash::cuts_per_point, "one write is not durable");
  at.write(first + 1, 1);
  check_draws(t, at, crash::cuts_per_point, "two writes are not durable");
  at.sync();
  check_draws(t, at, 1, "everything is durable again");
  at.write(first + 2, 1);
  check_draws(t, at, crash::cuts_per_point, "one write is not durable");
  check_kept(t, at);
}

namespace {

/// What a medium has of a page that was overwritten: 'o'ld, 'n'ew or 't'orn.
char state_of(const Left& left, PageId page) {
  const auto found = page_of(left, page);
  if (found == pattern(page, 0)) return 'o';
  return found == pattern(page, 1) ? 'n' : 't';
}

/// Two pages next to each other that were written and are on no medium, cut 80 times.
struct TwoWrites : Moments {
  TwoWrites(Test& t, Tearing tearing) : Moments(t, tearing), page(t.random().below(pages - 1)) {
    write(page, 1);
    write(page + 1, 1);
    constexpr int moments = 80;
    for (int i = 0; i < moments; ++i) run.cut(life);
  }
  /// The states of both on all media, such as "no": the first is new, the second is old.
  std::set<std::string> states() const {
    std::set<std::string> states;
    for (const Left& left : life.left) {
      states.insert({state_of(left, page), state_of(left, page + 1)});
    }
    return states;
  }
  const PageId page;
};

/// What is wrong with the end of a medium's history: each of the two writes stands there once, and
/// what became of it is what the medium shows. Empty: nothing is.
std::string wrong_in_history(const Left& left, PageId first) {
  const std::size_t end = left.timeline.rfind("==== the power goes\n");
  if (end == std::string::npos) return "no line of it says that the power goes";
  std::istringstream lines(left.timeline.substr(end));
  std::string line;
  std::getline(lines, line);
  unsigned times[2] = {};
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string fate;
    std::string skipped;
    std::uint64_t offset = 0;
    // "dropped  write of file 2  offset   4096   4096 bytes"
    if (!(words >> fate >> skipped >> skipped >> skipped >> skipped >> skipped >> offset)) continue;
    const PageId page = offset / 4096;
    if (page < first || page > first + 1) continue;
    ++times[page - first];
    const char state = state_of(left, page);
    if ((fate == "kept" && state != 'n') || (fate == "dropped" && state != 'o')) {
      return fmt::format("it says \"{}\" of page {}, which is {} on the medium", fate, page,
                         state == 'n'   ? "new"
                         : state == 'o' ? "old"
                                        : "torn");
    }
  }
  for (PageId page = first; page <= first + 1; ++page) {
    const unsigned found = times[page - first];
    if (found != 1) return fmt::format("{} lines of it are about page {}", found, page);
  }
  return {};
}

void check_histories(Test& t, const TwoWrites& at) {
  const auto strange = std::ranges::find_if(
      at.life.left, [&](const Left& left) { return !wrong_in_history(left, at.page).empty(); });
  if (t.holds(strange == at.life.left.end())) return;
  t.fail({.expected = fmt::format("the history of a medium ends with what became of the writes of "
                                  "pages {} and {} in this cut: one line for each",
                                  at.page, at.page + 1),
          .found = wrong_in_history(*strange, at.page),
          .cause =
              "SimKernel::cut() appends to the vector of fates that it is given. It wants an "
              "empty one for each draw, declared inside of the loop, and keep() wants it beside "
              "the medium of that draw",
          .function = "Run::cut",
          .evidence = strange->timeline});
}

std::string list_of(const std::set<std::string>& states) {
  std::string text;
  for (const std::string& each : states) {
    const auto word = [](char c) { return c == 'o' ? "old" : c == 'n' ? "new" : "torn"; };
    text += fmt::format("{}{} and {}", text.empty() ? "" : ", ", word(each[0]), word(each[1]));
  }
  return text.empty() ? "none" : text;
}

}  // namespace

void each_write_by_itself(Test& t) {
  const TwoWrites sectors(t, Tearing::sector);
  const auto torn = sectors.states();
  const std::set<std::string> wanted = {"oo", "on", "no", "nn", "tn", "nt"};
  if (!t.holds(std::ranges::includes(torn, wanted))) {
    t.fail({.expected = fmt::format(
                "two pages that are not durable, the first and the second, among 80 cuts: {}",
                list_of(wanted)),
            .found = list_of(torn),
            .cause = "the media are not those of this moment, drawn as the experiment wants them "
                     "torn (experiment_.tearing), each anew, or not all of them are kept",
            .function = "Run::cut"});
  }
  check_histories(t, sectors);
  const auto whole = TwoWrites(t, Tearing::none).states();
  const bool is_torn = std::ranges::any_of(
      whole, [](const std::string& each) { return each.find('t') != std::string::npos; });
  if (!t.holds(!is_torn)) {
    t.fail({.expected = "an experiment without torn writes has none",
            .found = list_of(whole),
            .cause = "the experiment says how writes are torn: experiment_.tearing",
            .function = "Run::cut"});
  }
}

namespace {

/// Cuts, and looks at what it has added.
void check_bounds(Test& t, Moments& at, const Bounds& now, bool adds) {
  const std::size_t before = at.life.left.size();
  at.life.bounds = now;
  at.run.cut(at.life);
  const auto& left = at.life.left;
  if (!t.holds(left.size() >= before)) {
    t.fail({.expected = fmt::format("the {} media of earlier moments are still there", before),
            .found = fmt::format("{} media", left.size()),
            .cause = "media of earlier cuts were thrown away: every moment counts, not only the "
                     "last one",
            .function = "Run::cut"});
  }
  const auto other = std::find_if(left.begin() + static_cast<std::ptrdiff_t>(before), left.end(),
                                  [&](const Left& each) {
                                    return each.bounds.acknowledged != now.acknowledged ||
                                           each.bounds.submitted != now.submitted;
                                  });
  if (!t.holds(other == left.end())) {
    t.fail(
        {.expected = fmt::format("media of this moment are kept with its bounds: {}", text_of(now)),
         .found = text_of(other->bounds),
         .cause = "a medium is judged by the bounds of the moment at which the power went",
         .function = "Run::cut",
         .evidence = other->timeline});
  }
  if (!t.holds((left.size() > before) == adds)) {
    t.fail({.expected = adds ? "with more acknowledged than before, the same medium is kept again: "
                               "more may be demanded of it now"
                             : "a medium that was kept with as much acknowledged is not kept again",
            .found = fmt::format("{} media before, {} after", before, left.size()),
            .cause = "is_new() says which ones are worth keeping",
            .function = "Run::cut"});
  }
}

}  // namespace

void bounds_are_of_the_moment(Test& t) {
  Moments at(t);
  std::uint64_t commit = t.random().below(20);
  const PageId page = t.random().below(pages);
  for (std::uint64_t version = 1; version <= 4; ++version) {
    const Bounds under_way{commit, commit + 1};
    ++commit;
    at.write(page, version);
    at.life.bounds = under_way;
    at.run.cut(at.life);
    at.sync();
    check_bounds(t, at, {commit, commit}, true);
    check_bounds(t, at, {commit, commit}, false);
    check_bounds(t, at, {commit, commit + 1}, false);
  }
  // The first moment's media must still say what they said.
  const auto& first = at.life.left.front();
  if (!t.holds(first.bounds.acknowledged + 4 == commit)) {
    t.fail({.expected =
                fmt::format("the first medium still has its bounds: {} acknowledged", commit - 4),
            .found = text_of(first.bounds),
            .cause = "a medium is judged by the bounds of the moment at which the power went, not "
                     "by those of the end of the run",
            .function = "Run::cut",
            .evidence = first.timeline});
  }
}

}  // namespace pagealloc::labs
