// Accesses to pages, one after the other, and what a cache of some size would make of them.
#pragma once

#include <cstdint>
#include <istream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pagealloc/error.h"
#include "pagealloc/options.h"

namespace pagealloc::cache {

/// Pages in the order in which they were used.
using Trace = std::vector<PageId>;

/// Reads a trace: a page number on each line; what follows a '#' is a remark. `name` is for the
/// error, which names the line.
Result<Trace> read_trace(std::istream& in, const std::string& name);
std::string text_of(const Trace& trace);

/// The accesses to `path` in what `strace -f -y -e trace=pread64,pwrite64,read,write,lseek` wrote;
/// those of several pages are several. Calls that failed, and other files, are passed over.
Trace trace_of_strace(std::istream& in, std::string_view path, std::uint32_t page_bytes);

/// What policies are compared on: sizes of a cache from 1 % to 80 % of the trace's pages, rising.
inline constexpr Eviction policies[] = {Eviction::clock, Eviction::lru, Eviction::s3_fifo,
                                        Eviction::two_q};
std::vector<std::uint32_t> sizes_of(const Trace& trace);

enum class Pattern : std::uint8_t { uniform, zipfian, scan_mixed };
/// `accesses` of `pages` pages, from a seed. zipfian: the page of rank r about as often as 1/r,
/// ranks spread over the file. scan_mixed: two in three are zipfian in a tenth of the pages, one
/// goes on with a scan of all.
Trace make_trace(Pattern pattern, std::uint64_t pages, std::uint64_t accesses, std::uint64_t seed);

/// How many of the accesses are hits in an empty cache of `frames` frames, nothing read ahead: by
/// the same policy that a cached file uses.
std::uint64_t hits_of(const Trace& trace, Eviction eviction, std::uint32_t frames);
/// The most that any policy could have: what is needed again last goes first (Belady: A study of
/// replacement algorithms for a virtual-storage computer, 1966).
std::uint64_t hits_of_optimum(const Trace& trace, std::uint32_t frames);

/// clock, lru, s3-fifo, 2q
std::string_view name_of(Eviction eviction);

}  // namespace pagealloc::cache
