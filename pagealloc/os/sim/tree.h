// The names of the simulated machine's files: what processes see, and what the medium has.
//
// An entry is durable after its directory's fsync (fsync(2), NOTES). Journaling file systems often
// make it so earlier; a program may not rely on that, so here it is not so.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pagealloc/os/sim/inode.h"

namespace pagealloc::os::sim {

/// Not thread safe. Paths are normal ones: absolute, without "." and "..".
class Tree {
 public:
  /// As a machine that was switched on finds it. "/" is always there.
  explicit Tree(const Image& image);

  /// The inode behind a path, following a symbolic link at its end when asked, and those inside
  /// always; nullptr and -errno in `why` when there is none. `path` becomes the path found, or
  /// where the last link leads.
  std::shared_ptr<Inode> find(std::string& path, bool follow, int& why) const;
  /// Makes an entry. Precondition: there is none, and the directory is there.
  std::shared_ptr<Inode> make(const std::string& path, FileKind kind);
  void remove(const std::string& path);
  /// How many changes there were so far; a sync that begins now covers these.
  std::uint64_t changes() const { return changes_made_; }
  /// Makes those of the first `changes` durable that are about this directory, or all of them.
  void sync(const std::string& directory, std::uint64_t changes);
  void sync_all();

  const std::map<std::string, std::shared_ptr<Inode>>& names() const { return names_; }
  /// The names that are there after a power cut: of each directory's changes a prefix.
  std::map<std::string, std::shared_ptr<Inode>> cut(Random& random, bool everything,
                                                    std::vector<Fate>* fates) const;
  bool everything_durable() const { return changes_.empty(); }
  /// The same names when every process has died, of files that have survived the same.
  Tree survivor() const;
  /// Every inode that has a name now or may have one after a power cut.
  std::vector<std::shared_ptr<Inode>> inodes() const;

 private:
  struct Change {
    std::uint64_t number;
    std::string path;
    std::shared_ptr<Inode> inode;  // nullptr: the entry is gone
  };
  std::map<std::string, std::shared_ptr<Inode>> names_;
  std::map<std::string, std::shared_ptr<Inode>> durable_;
  std::vector<Change> changes_;
  std::uint64_t numbers_ = 1;
  std::uint64_t changes_made_ = 0;
};

/// The directory that a path lies in.
std::string directory_of(std::string_view path);
/// An absolute path without "." and ".."; relative ones begin at "/".
std::string normal_path(std::string_view path);

}  // namespace pagealloc::os::sim
