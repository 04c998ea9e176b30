// Things that hold some sorted keys of 16 bytes with values of 8, to be searched and changed: a
// node of ours, and what it is measured beside.
#pragma once

#include <lmdb.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "pagealloc/slotted/node.h"

namespace pagealloc::search {

using Key = std::array<unsigned char, 16>;
using Value = std::uint64_t;

inline constexpr std::size_t page_bytes = 4096;

class Node {
 public:
  bool insert(const Key& key, Value value) {
    return node_.insert(std::as_bytes(std::span(key)),
                        {std::as_bytes(std::span(&value, 1)), false}) == slotted::Put::done;
  }
  void erase(const Key& key) { node_.erase(*node_.find(std::as_bytes(std::span(key)))); }
  Value find(const Key& key) const {
    const auto slot = node_.find(std::as_bytes(std::span(key)));
    if (!slot) return 0;
    Value value = 0;
    std::memcpy(&value, node_.value(*slot).bytes.data(), sizeof value);
    return value;
  }
  std::size_t size() const { return node_.slots(); }

 private:
  alignas(64) std::array<std::byte, page_bytes> bytes_{};
  slotted::Node node_ = slotted::Node::make(bytes_);
};

class Vector {
 public:
  bool insert(const Key& key, Value value) {
    entries_.insert(at(key), {key, value});
    return true;
  }
  void erase(const Key& key) { entries_.erase(at(key)); }
  Value find(const Key& key) const {
    const auto found = std::ranges::lower_bound(entries_, key, {}, &Entry::first);
    return found != entries_.end() && found->first == key ? found->second : 0;
  }

 private:
  using Entry = std::pair<Key, Value>;
  std::vector<Entry>::iterator at(const Key& key) {
    return std::ranges::lower_bound(entries_, key, {}, &Entry::first);
  }
  std::vector<Entry> entries_;
};

class Map {
 public:
  bool insert(const Key& key, Value value) { return entries_.emplace(key, value).second; }
  void erase(const Key& key) { entries_.erase(key); }
  Value find(const Key& key) const {
    const auto found = entries_.find(key);
    return found == entries_.end() ? 0 : found->second;
  }

 private:
  std::map<Key, Value> entries_;
};

/// A database of one page, which one transaction looks into as long as it is searched.
class Lmdb {
 public:
  Lmdb() {
    std::string folder = std::filesystem::temp_directory_path() / "pagealloc-search-XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no folder for LMDB");
    folder_ = folder;
    check(mdb_env_create(&env_));
    check(mdb_env_open(env_, folder_.c_str(), MDB_NOSYNC, 0600));
    begin(0);
    check(mdb_dbi_open(transaction_, nullptr, 0, &database_));
  }
  Lmdb(const Lmdb&) = delete;
  Lmdb& operator=(const Lmdb&) = delete;
  ~Lmdb() {
    mdb_txn_abort(transaction_);
    mdb_env_close(env_);
    std::error_code ignored;  // a folder that stays in /tmp harms nobody
    std::filesystem::remove_all(folder_, ignored);
  }

  bool insert(const Key& key, Value value) {
    MDB_val k = value_of(key);
    MDB_val v{sizeof value, &value};
    return mdb_put(transaction_, database_, &k, &v, 0) == 0;
  }
  void erase(const Key& key) {
    MDB_val k = value_of(key);
    check(mdb_del(transaction_, database_, &k, nullptr));
  }
  Value find(const Key& key) const {
    MDB_val k = value_of(key);
    MDB_val v{};
    if (mdb_get(transaction_, database_, &k, &v) != 0) return 0;
    Value value = 0;
    std::memcpy(&value, v.mv_data, sizeof value);
    return value;
  }
  /// From now on only find() is called; throws when there is more than one page.
  void freeze() {
    check(mdb_txn_commit(transaction_));
    begin(MDB_RDONLY);
    MDB_stat stat{};
    check(mdb_stat(transaction_, database_, &stat));
    if (stat.ms_depth != 1) throw std::runtime_error("LMDB needs more than one page");
  }

 private:
  static void check(int result) {
    if (result != 0) throw std::runtime_error(mdb_strerror(result));
  }
  static MDB_val value_of(const Key& key) {
    return {key.size(), const_cast<unsigned char*>(key.data())};
  }
  void begin(unsigned flags) { check(mdb_txn_begin(env_, nullptr, flags, &transaction_)); }

  std::filesystem::path folder_;
  MDB_env* env_ = nullptr;
  MDB_txn* transaction_ = nullptr;
  MDB_dbi database_ = 0;
};

}  // namespace pagealloc::search
