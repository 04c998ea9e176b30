// Task 1: look(), on a store that says what the test tells it to.
#include <fmt/format.h>

#include "harness/crash/two_page.h"
#include "labs/06_break_it/tests/scripted.h"
#include "labs/06_break_it/tests/tests.h"

namespace pagealloc::labs {

using crash::Bounds;
using crash::Wrong;

namespace {

/// What look() should say; nothing where all is well.
struct Wanted {
  char oracle;
  bool served;
};

void check(Test& t, const Script& says, const Bounds& bounds, std::optional<Wanted> wanted,
           const std::string& expected, const std::string& cause) {
  script() = says;
  const crash::StoreKind kind = scripted();
  const auto store = kind.make();
  const std::optional<Wrong> found = crash::look(kind, *store, "/store.pa", {}, bounds);
  const bool good = wanted ? found && found->oracle == wanted->oracle &&
                                 found->served == wanted->served && !found->found.empty()
                           : !found;
  if (t.holds(good)) return;
  t.fail({.expected = expected,
          .found = fmt::format("look() says: {}", text_of(found)),
          .cause = cause,
          .function = "look",
          .evidence =
              fmt::format("the store   {}\nthe bounds  {}\n", text_of(says), text_of(bounds))});
}

constexpr Wanted served_wrong_commit{'a', true};
constexpr Wanted served_wrong_bytes{'b', true};
const char* const nothing_of_commit_0 =
    "commit 0 stands for a store without any commit: there is nothing to read, and kind.contents() "
    "knows commits from 1 on";

/// A number of a commit that has others before and behind it.
std::uint64_t some_commit(Test& t) { return 3 + t.random().below(40); }

}  // namespace

void lost_commit_is_an_error(Test& t) {
  const std::uint64_t n = some_commit(t);
  const char* const cause = "last() is not compared with Bounds::acknowledged";
  check(t, holding(n - 1), {n, n + 1}, served_wrong_commit,
        fmt::format("commit {} was acknowledged, and the store comes back with commit {}: it has "
                    "lost one, oracle (a), served",
                    n, n - 1),
        cause);
  check(t, holding(0), {1, 1}, served_wrong_commit,
        "commit 1 was acknowledged, and the store comes back empty: oracle (a), served", cause);
  check(t, holding(n), {n, n}, {}, fmt::format("commit {} is there: nothing is wrong", n),
        "a store that has kept its word is condemned: both ends of the range are in it, "
        "acknowledged <= last <= submitted");
}

void invented_commit_is_an_error(Test& t) {
  const std::uint64_t n = some_commit(t);
  const char* const cause =
      "there is no upper bound: a store that invents commits is as wrong as one that loses them";
  check(t, holding(n + 2), {n, n + 1}, served_wrong_commit,
        fmt::format("commit {} was never submitted, nobody can have it: oracle (a), served", n + 2),
        cause);
  check(t, holding(1), {0, 0}, served_wrong_commit,
        "no commit was ever submitted, and the store comes back with commit 1: oracle (a), served",
        cause);
}

void bytes_are_compared(Test& t) {
  const std::uint64_t n = some_commit(t);
  const char* const cause =
      "the number of the commit was believed, and its bytes were not all looked into: compare them "
      "with kind.contents(), and with nothing at all for commit 0";
  const auto with = [&](std::vector<std::byte> bytes) {
    Script says = holding(n);
    says.bytes = std::move(bytes);
    return says;
  };
  const auto right = crash::TwoPage::contents(n);
  check(t, with(right), {n, n}, {}, fmt::format("these are the bytes of commit {}", n),
        "right bytes are condemned");
  for (const std::size_t at :
       {std::size_t{0}, std::size_t{1 + t.random().below(right.size() - 2)}, right.size() - 1}) {
    auto changed = right;
    const auto bit = static_cast<unsigned>(t.random().below(8));
    changed[at] ^= static_cast<std::byte>(1U << bit);
    check(t, with(changed), {n, n}, served_wrong_bytes,
          fmt::format("bit {} of byte {} is not what commit {} wrote: oracle (b), served", bit, at,
                      n),
          cause);
  }
  check(t, with({right.begin(), right.end() - 1}), {n, n}, served_wrong_bytes,
        fmt::format("the last byte of commit {} is missing: oracle (b), served", n), cause);
  check(t, with({}), {n, n}, served_wrong_bytes,
        fmt::format("commit {} wrote {} bytes, and none came back: oracle (b), served", n,
                    right.size()),
        cause);
  check(t, holding(0), {0, 0}, {},
        "nothing was ever committed, and nothing came back: that is right", nothing_of_commit_0);
  Script invented = holding(0);
  invented.bytes = std::vector<std::byte>(16);
  check(t, invented, {0, 0}, served_wrong_bytes,
        "nothing was ever committed, and 16 bytes came back: oracle (b), served", cause);
}

void under_way_may_be_there(Test& t) {
  const std::uint64_t n = some_commit(t);
  for (const std::uint64_t last : {n, n + 1, n + 2}) {
    check(t, holding(last), {n, n + 2}, {},
          fmt::format("commits {} to {} may be there, so commit {} is right", n, n + 2, last),
          "a commit that was submitted and not yet acknowledged may be there, and it may be "
          "missing; an equality stands where a range is meant");
  }
  check(t, holding(0), {0, 1}, {}, "commit 1 was not acknowledged, so an empty store is right",
        fmt::format(
            "if it is oracle (a): a commit that was submitted and not yet acknowledged may be "
            "missing. If it is (b): {}",
            nothing_of_commit_0));
}

void complaints_are_told_apart(Test& t) {
  const std::uint64_t n = some_commit(t);
  Script closed = holding(n);
  closed.opens = false;
  check(t, closed, {n, n}, Wanted{'a', false}, "the store cannot be opened: oracle (a), not served",
        "an error of open() is an answer of its own: what last() says then means nothing, and "
        "`served` is false, because nobody was told that all is well");
  Script unreadable = holding(n);
  unreadable.bytes.reset();
  check(t, unreadable, {n, n}, Wanted{'b', false},
        fmt::format("the bytes of commit {} cannot be read: oracle (b), not served", n),
        "the store says that the commit it promised cannot be read, so that commit is lost; and it "
        "says so itself, so `served` is false");
}

}  // namespace pagealloc::labs
