// Task 1: CLOCK by itself, without pages.
#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "labs/04_cache/tests/cached.h"
#include "labs/04_cache/tests/tests.h"

namespace pagealloc::labs {

namespace {

constexpr FrameId ring_frames = 24;

/// A claim that answers from a set, and what it was asked.
struct Claims {
  std::vector<bool> may_go = std::vector<bool>(ring_frames);
  std::size_t asked = 0;
  std::vector<FrameId> given = {};

  bool operator()(FrameId frame) {
    ++asked;
    if (frame >= may_go.size() || !may_go[frame]) return false;
    given.push_back(frame);
    return true;
  }
  std::string text() const {
    std::string frames;
    for (FrameId frame = 0; frame < may_go.size(); ++frame) {
      if (may_go[frame]) frames += fmt::format("{}{}", frames.empty() ? "" : ", ", frame);
    }
    return frames.empty() ? "none may go" : "may go: frame " + frames;
  }
};

/// A turn is told in every failure.
std::string evidence_of(std::size_t turn, const std::vector<bool>& used, const Claims& claims) {
  std::string text = fmt::format("turn {}: {}\nused just before this turn:", turn, claims.text());
  for (FrameId frame = 0; frame < used.size(); ++frame) {
    if (used[frame]) text += fmt::format(" {}", frame);
  }
  return text + fmt::format("\nclaim was asked {} times\n", claims.asked);
}

template <typename Evidence>
void check_turn(Test& t, FrameId found, const Claims& claims, Evidence evidence) {
  const auto some = std::ranges::count(claims.may_go, true);
  if (!t.holds((found != no_frame) == (some > 0))) {
    t.fail({.expected = some > 0 ? fmt::format("a frame: {} of {} may go", some, ring_frames)
                                 : "no_frame: none may go",
            .found = found == no_frame
                         ? fmt::format("no_frame, after claim was asked {} times", claims.asked)
                         : fmt::format("frame {}", found),
            .cause = some > 0 ? "the first time around takes the second chances away; frames that "
                                "had one can go the second time only"
                              : "a frame was given up that claim() had not given",
            .function = "Clock::evict",
            .evidence = evidence()});
  }
  if (!t.holds(claims.given.size() == (some > 0 ? 1U : 0U))) {
    t.fail({.expected = "claim() says yes once: for the frame that goes",
            .found = fmt::format("it said yes {} times", claims.given.size()),
            .cause =
                "claim() takes the frame for the caller, so it is to be asked last, and only for a "
                "frame that will go: what was claimed and passed by is lost",
            .function = "Clock::evict",
            .evidence = evidence()});
  }
  if (!t.holds(some == 0 || claims.given.front() == found)) {
    t.fail({.expected = fmt::format("frame {}, which claim() gave", claims.given.front()),
            .found = fmt::format("frame {}", found),
            .cause = "the frame that evict() returns must be the one that claim() said yes to",
            .function = "Clock::evict",
            .evidence = evidence()});
  }
}

}  // namespace

void hand_finds_what_may_go(Test& t) {
  const auto clock = cache::make_clock(ring_frames);
  t.expect_trouble("the hand went on and on: twice around is enough, whatever claim() says");
  for (FrameId frame = 0; frame < ring_frames; ++frame) clock->admit(frame, frame, false);
  std::vector<bool> used(ring_frames);
  constexpr std::size_t turns = 20'000;
  for (std::size_t turn = 0; turn < turns; ++turn) {
    used.assign(ring_frames, false);
    for (std::uint64_t uses = t.random().below(30); uses > 0; --uses) {
      const auto frame = static_cast<FrameId>(t.random().below(ring_frames));
      clock->touch(frame);
      used[frame] = true;
    }
    Claims claims;
    for (FrameId frame = 0; frame < ring_frames; ++frame) {
      claims.may_go[frame] = t.random().one_in(1 + turn % ring_frames);
    }
    const FrameId found = clock->evict([&](FrameId frame) {
      if (claims.asked > 100U * ring_frames) {
        t.fail({.expected = "evict() comes to an end: twice around is enough",
                .found = fmt::format("claim was asked {} times for {} frames", claims.asked,
                                     ring_frames),
                .cause = "the hand goes on until claim() says yes, and it may never do that",
                .function = "Clock::evict",
                .evidence = evidence_of(turn, used, claims)});
      }
      return claims(frame);
    });
    check_turn(t, found, claims, [&] { return evidence_of(turn, used, claims); });
    if (found != no_frame) clock->admit(found, turn, false);
  }
  t.expect_trouble(
      "evict() was called while no frame was in the ring: then the ring has no oldest frame");
  Claims none;
  check_turn(t, cache::make_clock(ring_frames)->evict(std::ref(none)), none,
             [] { return std::string("the ring is empty\n"); });
}

namespace {

/// CLOCK as a row of frames; the hand is at the front.
struct Model {
  struct Entry {
    FrameId frame;
    bool used;
    FrameId was;  // renamed from it, or no_frame
  };
  std::deque<Entry> ring = {};

  FrameId evict() {
    while (!ring.empty()) {
      Entry entry = ring.front();
      ring.pop_front();
      if (!entry.used) return entry.frame;
      entry.used = false;
      ring.push_back(entry);
    }
    return no_frame;
  }
  std::string text() const {
    std::string text = "the ring from the hand on, before this eviction:\n";
    for (const Entry& entry : ring) {
      text += fmt::format("  frame {:>2}{}{}\n", entry.frame, entry.used ? ", used" : "",
                          entry.was != no_frame ? fmt::format(", renamed from {}", entry.was) : "");
    }
    return text;
  }
};

void check_gone(Test& t, FrameId found, const Model& before) {
  Model after = before;
  const FrameId expected = after.evict();
  if (t.holds(found == expected)) return;
  const auto entry_of = [&](FrameId frame) {
    return std::ranges::find(before.ring, frame, &Model::Entry::frame);
  };
  const auto wanted = entry_of(expected);
  const auto got = entry_of(found);
  const bool got_renamed = got != before.ring.end() && got->was != no_frame;
  std::string cause =
      "the new frame was put at the new end of the ring, and not where the old one stood: a page "
      "that is written again and again would count as new each time";
  if (got_renamed && got->used && !wanted->used) {
    cause = "the new frame did not get what the old one had earned: that it had been used";
  }
  t.fail({.expected = fmt::format("frame {} goes{}", expected,
                                  wanted->was != no_frame
                                      ? fmt::format(": it stands where frame {} stood", wanted->was)
                                      : ""),
          .found = found == no_frame ? "no_frame" : fmt::format("frame {} went", found),
          .cause = cause,
          .function = "Clock::rename",
          .evidence = before.text()});
}

}  // namespace

void renamed_keeps_its_standing(Test& t) {
  constexpr FrameId frames = 16;
  t.expect_trouble("the ring is not in order any more after a frame was renamed");
  const auto clock = cache::make_clock(frames);
  Model model;
  std::vector<FrameId> outside;
  for (FrameId frame = 0; frame < frames; ++frame) outside.push_back(frame);
  const auto any = [&](std::size_t count) { return t.random().below(count); };
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t what = any(8);
    const bool full = model.ring.size() >= frames - 2;
    if (model.ring.size() < 4 || (what == 0 && !full)) {
      std::swap(outside[any(outside.size())], outside.back());
      clock->admit(outside.back(), static_cast<PageId>(step), false);
      model.ring.push_back({outside.back(), false, no_frame});
      outside.pop_back();
    } else if (what < 4) {
      Model::Entry& entry = model.ring[any(model.ring.size())];
      clock->touch(entry.frame);
      entry.used = true;
    } else if (what < 7) {
      Model::Entry& entry = model.ring[any(model.ring.size())];
      std::swap(outside[any(outside.size())], outside.back());
      const FrameId old = std::exchange(entry.frame, outside.back());
      entry.was = old;
      clock->rename(old, entry.frame);
      outside.back() = old;
    } else {
      const FrameId found = clock->evict([](FrameId) { return true; });
      check_gone(t, found, model);
      (void)model.evict();
      outside.push_back(found);
      continue;
    }
    if (!t.holds(true)) return;  // as many checks as steps
  }
}

}  // namespace pagealloc::labs
