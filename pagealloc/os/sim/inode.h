// One file of the simulated machine, in the three places where its bytes can be.
//
//   page cache       what processes see; a power cut takes it
//   device's cache   what was written back, or written past the page cache; a power cut takes it
//   medium           what a flush has moved there; it stays
//
// Length, holes and allocation are changed in a journal: a power cut keeps a prefix of what was not
// committed. Sources: fsync(2), open(2) on O_DIRECT, and how ext4 and XFS behave
// (docs/durability.md).
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "pagealloc/os/sim/content.h"
#include "pagealloc/os/sim/image.h"
#include "pagealloc/os/sim/random.h"

namespace pagealloc::os::sim {

/// What a power cut may do to a write that nothing has made durable.
enum class Tearing : std::uint8_t {
  none,   ///< whole blocks are there or not: teaches fsync
  sector  ///< each sector is there, or not, or damaged: teaches checksums
};

/// What a device does wrong with a write that it acknowledges.
enum class Mishap : std::uint8_t {
  none,
  lost,        ///< it writes nothing
  misdirected  ///< it writes it to another block of the file
};

/// What a power cut did to one change that was on its way.
struct Fate {
  const char* what;  ///< "write", "resize", "punch", "allocate", "name"
  const char* fate;  ///< "kept", "dropped", "torn"
  std::uint64_t inode;
  std::uint64_t offset;
  std::uint64_t bytes;
};

/// Not thread safe.
class Inode : public std::enable_shared_from_this<Inode> {
 public:
  Inode(std::uint64_t number, FileKind kind) : number_(number), kind_(kind) {}
  /// As a machine that was switched on finds it.
  Inode(std::uint64_t number, const FileImage& image);

  std::uint64_t number() const { return number_; }
  FileKind kind() const { return kind_; }
  const std::string& target() const { return target_; }  ///< of a symbolic link
  void set_target(std::string target) { target_ = std::move(target); }

  // --- Page cache ---
  std::uint64_t bytes() const { return content_.bytes(); }
  Content& content() { return content_; }
  /// Copies what there is; fewer bytes than asked for at the end of the file.
  std::size_t read(std::uint64_t offset, std::span<std::byte> out) const;
  /// Into the page cache; the file grows as it must.
  void write(std::uint64_t offset, std::span<const std::byte> in);
  void resize(std::uint64_t bytes);
  void punch(std::uint64_t offset, std::uint64_t bytes);
  /// How many bytes of the range have no block yet; allocate() gives them one.
  std::uint64_t holes(std::uint64_t offset, std::uint64_t bytes) const;
  void allocate(std::uint64_t offset, std::uint64_t bytes);
  bool allocated(std::uint64_t block) const;
  std::uint64_t allocated_bytes() const;
  /// Blocks that are in the page cache, so that reading them needs no device.
  bool resident(std::uint64_t block) const;
  void set_resident(std::uint64_t offset, std::uint64_t bytes);
  /// Drops what is clean from the page cache: who reads it next sees what the medium has.
  void evict();
  bool differs() const { return differs_; }
  /// Before a read past the page cache, which sees what the device has.
  void pass_cache() {
    if (differs_) evict();
  }
  /// Finds out what was stored through writable maps since it was last asked.
  void collect_stores();
  void map_writable();
  void unmap_writable();

  // --- Towards the medium ---
  std::vector<std::uint64_t> dirty_blocks() const;
  /// A dirty block goes to the device's cache and is clean.
  void write_back(std::uint64_t block, Mishap mishap);
  /// A write of it has failed: Linux marks it clean all the same. It keeps its new bytes (ext4,
  /// XFS) or shows those of the medium again (Btrfs).
  void fail_write_back(std::uint64_t block, bool revert);
  /// A write past the page cache begins; until complete(ticket) no flush covers it.
  std::uint64_t begin_direct(std::uint64_t offset, std::span<const std::byte> in, Mishap mishap);
  /// What the memory of a write holds by now is what arrives.
  void take_bytes(std::uint64_t ticket, std::span<const iovec> from);
  void complete(std::uint64_t ticket);
  /// A flush of the device begins, and with `commit` a commit of this file's journal: what it
  /// covers is settled now, and durable after end_flush() with the number returned.
  std::uint64_t begin_flush(bool commit);
  /// The bytes that are durable now and were not before.
  std::uint64_t end_flush(std::uint64_t number, bool commit);
  /// The device has failed and forgets what it had not made durable, all or some of it.
  void lose_device_cache(Random& random);

  // --- Damage to the medium, which shows when it is read again ---
  std::uint64_t bytes_on_medium() const { return medium_.bytes.size(); }
  /// A byte of it changes by itself, and stays changed until it is written.
  void rot(Random& random);
  /// A block cannot be read until it is written again.
  void make_unreadable(std::uint64_t block) { unreadable_.insert(block); }
  bool readable(std::uint64_t offset, std::uint64_t bytes) const;

  // --- Power ---
  /// What is on the medium if the power goes now. `everything`: all of it arrives. Appends to
  /// `fates`, where given, what became of each change that was not durable.
  FileImage cut(Random& random, Tearing tearing, bool everything, std::vector<Fate>* fates);
  bool everything_durable() {
    collect_stores();
    return under_way_.empty() && dirty_blocks().empty();
  }
  /// The same for each write that is not durable: all else has arrived, and of this one 0, 8, 16
  /// ... bytes.
  void enumerate_tears(const std::function<void(const FileImage&)>& judge);
  /// The file as it is when every process that had it open has died: nothing is lost. What the
  /// device was working on it finishes.
  std::shared_ptr<Inode> survivor();

  // --- Errors of write-back, told once for each open file (errseq_t) ---
  std::uint64_t errors() const { return errors_; }
  bool told() const { return told_; }
  void note_error() { ++errors_, told_ = false; }
  void note_told() { told_ = true; }

 private:
  enum class What : std::uint8_t { data, resize, punch, allocate };
  /// Something that is on its way to the medium, where it arrives in this order.
  struct Entry {
    What what;
    std::uint64_t offset;
    std::uint64_t count;                // of bytes; resize: the new length
    std::vector<std::byte> bytes = {};  // data
    std::uint64_t ticket = 0;           // data
    bool complete = true;               // false: data that the device has not answered for
    std::uint64_t flush = 0;            // the one that covers it
    bool durable = false;               // it arrives whatever happens
    bool lost = false;                  // data: the device has dropped it without saying so
  };
  struct Block {
    bool resident : 1;
    bool dirty : 1;
    bool allocated : 1;
  };
  void fit();
  void mark(std::uint64_t offset, std::uint64_t bytes, Block with);
  Entry data_of(std::uint64_t block) const;
  void begin(Entry entry, Mishap mishap);
  FileImage seen_by_device() const;
  std::vector<Entry> not_durable();
  static void apply(FileImage& image, const Entry& entry);
  static void apply_data(FileImage& image, const Entry& entry);
  static const char* tear(FileImage& image, const Entry& entry, Random& random, Tearing tearing);

  std::uint64_t number_;
  FileKind kind_;
  std::string target_;
  Content content_;
  std::vector<Block> blocks_;
  unsigned writable_maps_ = 0;
  std::vector<std::byte> stores_seen_;  // the content when stores were last collected
  FileImage medium_;
  std::vector<Entry> under_way_;  // device's cache and journal, in the order of issue
  std::uint64_t tickets_ = 0;
  std::uint64_t flushes_ = 0;
  std::uint64_t errors_ = 0;
  bool told_ = true;
  std::set<std::uint64_t> unreadable_;
  bool differs_ = false;  // the page cache from what the device would answer, without being dirty
};

}  // namespace pagealloc::os::sim
