// What the tests of lab 03 share.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "labs/grader/bench.h"
#include "pagealloc/open.h"

namespace pagealloc::labs {

inline constexpr const char* new_path = "/d/new.pa";

/// For opening the bench's file as `direct`; nullopt leaves Options::direct unset.
Options direct_options(const Bench& bench, std::optional<Direct> direct);
/// "direct = require".
std::string text_of(std::optional<Direct> direct);

/// The next open of a file ends with an error just after its descriptor was opened, so that no
/// function is needed that comes later.
void stop_after_opening(Bench& bench);
/// The calls, for a test that has stopped the open: whose doing the failed statx is.
std::string calls_until_stopped(const Bench& bench);
/// The calls that opened `path`, in order.
std::vector<conformance::Record> opens_of(const Bench& bench, const std::string& path = bench_path);
/// How many descriptors of `path` are open now, as far as the log goes.
std::size_t descriptors_open(const Bench& bench, const std::string& path = bench_path);

/// A file that must open: if it does not, `function` is to look at and `cause` why.
std::unique_ptr<PageFile> opened(Test& t, Bench& bench, const Options& options,
                                 const char* function, const std::string& cause);

/// One operation from start to end. One that never comes back is Engine::begin's fault.
Op run(Test& t, Bench& bench, PageFile& file, Op op);
/// Writes `page` in its `version`th form, from a staged frame.
Op write(Test& t, Bench& bench, PageFile& file, PageId page, std::uint64_t version);
/// The same, and it must succeed.
void write_well(Test& t, Bench& bench, PageFile& file, PageId page, std::uint64_t version);

/// The last so many lines.
std::string tail(const std::string& text, std::size_t lines);

}  // namespace pagealloc::labs
