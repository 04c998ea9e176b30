// One open file and what all its handles share: descriptor, length, poison, and in debug builds
// the operations in flight.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "pagealloc/in_flight.h"
#include "pagealloc/options.h"
#include "pagealloc/page_file.h"
#include "pagealloc/sync_group.h"

namespace pagealloc {

/// Thread safe unless a function says otherwise.
class SharedFile {
 public:
  /// Checks the options, opens (and perhaps creates) the file, finds its geometry out, and unless
  /// told not to makes its existence durable (clause 12). `direct` is what the implementation asks
  /// for when the options leave it open.
  static Result<std::shared_ptr<SharedFile>> open(std::string_view path, const Options& options,
                                                  Direct direct);
  /// Are these options that any file could be opened with? No system call.
  static Result<void> check(std::string_view path, const Options& options);
  ~SharedFile();
  SharedFile(const SharedFile&) = delete;
  SharedFile& operator=(const SharedFile&) = delete;

  os::Kernel& kernel() const noexcept { return kernel_; }
  int fd() const noexcept { return fd_; }
  const std::string& path() const noexcept { return path_; }
  const Options& options() const noexcept { return options_; }
  const Geometry& geometry() const noexcept { return geometry_; }
  std::uint64_t pages() const noexcept { return pages_.load(std::memory_order_acquire); }
  std::uint64_t bytes() const noexcept { return pages() * geometry_.page_bytes; }
  std::uint64_t offset_of(PageId page) const noexcept { return page * geometry_.page_bytes; }
  std::size_t bytes_of(const Op& op) const noexcept {
    return std::size_t{op.run} * geometry_.page_bytes;
  }
  Errc failed() const noexcept;

  /// May this operation be started? ok, or the reason why it is refused.
  Errc admit(const Op& op) const noexcept;
  /// What a failed transfer means. A full disk is survivable when nothing has been changed: nothing
  /// was moved, and the page cache was to take it. A direct or write-through write may have reached
  /// the medium in part, or the cache and not the medium, before it says ENOSPC.
  Errc errc_of_transfer(int os_error, bool nothing_moved) const noexcept;
  /// Sets op.result and op.os_error; a failed write or sync poisons (clause 11).
  void settle(Op& op, Errc result, int os_error) noexcept;
  /// The open has succeeded: a file that it made stays. Before the file is shared only.
  void keep() noexcept { created_ = false; }
  /// The file is mapped there, all of it; nullptr: no longer.
  void note_map(std::byte* base) noexcept { map_ = base; }
  /// From now on no write or sync succeeds, and what the page cache has is not to be trusted.
  void poison() noexcept;

  /// True when the file may have holes, so that a write must allocate first: it is then that
  /// "disk full" can still be survived (clause 11). A file written in full never pays for it.
  bool sparse() const noexcept { return sparse_.load(std::memory_order_acquire); }
  void mark_sparse() noexcept { sparse_.store(true, std::memory_order_release); }

  Result<void> resize(std::uint64_t pages);
  /// The file shall not grow beyond this. Before the file is shared only.
  void limit(std::uint64_t bytes) noexcept { limit_bytes_ = bytes; }

  /// What every blocking sync of this file goes through.
  SyncGroup& sync_group() noexcept { return sync_group_; }
  /// A second open file description of the same file, for a handle that syncs by itself; the
  /// caller closes it.
  Result<int> reopen() const;

  /// Where the SIGBUS handler counts pages of the map that could not be had.
  os::MapFaults& map_faults() noexcept { return map_faults_; }

  InFlight& in_flight() noexcept { return in_flight_; }

  Error error(Errc code, int os_error, std::string cause) const;

 private:
  SharedFile(os::Kernel& kernel, std::string path, const Options& options)
      : kernel_(kernel), path_(std::move(path)), options_(options), sync_group_(kernel) {}
  /// Is it something that holds pages?
  Result<void> check_kind();
  Result<void> open_descriptor(Direct direct);
  int open_or_create(int flags);
  Result<void> measure();
  Result<void> find_alignment();
  Result<void> give_up_direct();
  Result<void> make_durable();
  Result<void> sync_name();
  void forget_cache() const noexcept;
  /// May a write be made from op.frame?
  bool aligned(const Op& op) const noexcept;
  Errc map_failure() const noexcept;
  void remove_created() noexcept;
  Result<void> check_length();
  int grow(std::uint64_t before_bytes, std::uint64_t after_bytes);
  int reserve(int mode, std::uint64_t offset_bytes, std::uint64_t length_bytes) noexcept;
  int write_zeros(std::uint64_t offset_bytes, std::uint64_t length_bytes);

  os::Kernel& kernel_;
  std::string path_;
  Options options_;
  Geometry geometry_;
  int fd_ = -1;
  bool created_ = false;  // by this open, which has not succeeded yet
  std::uint64_t limit_bytes_ = UINT64_MAX;
  std::atomic<std::uint64_t> pages_{0};
  std::atomic<bool> poisoned_{false};
  std::atomic<bool> sparse_{false};
  std::atomic<std::byte*> map_ = nullptr;
  os::MapFaults map_faults_;
  mutable std::atomic<Errc> map_failure_{Errc::ok};  // why; asked once
  std::mutex resize_mutex_;
  SyncGroup sync_group_;
  InFlight in_flight_;
};

}  // namespace pagealloc
