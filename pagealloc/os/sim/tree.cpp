#include "pagealloc/os/sim/tree.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>

namespace pagealloc::os::sim {

std::string directory_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string_view::npos ? "/" : std::string(path.substr(0, slash));
}

std::string normal_path(std::string_view path) {
  std::string normal = (std::filesystem::path("/") / path).lexically_normal().string();
  if (normal.size() > 1 && normal.ends_with('/')) normal.pop_back();
  return normal;
}

Tree::Tree(const Image& image) {
  names_["/"] = std::make_shared<Inode>(numbers_++, FileKind::directory);
  for (const auto& [path, file] : image.files) {
    names_[path] = std::make_shared<Inode>(numbers_++, file);
  }
  durable_ = names_;
}

std::shared_ptr<Inode> Tree::find(std::string& path, bool follow, int& why) const {
  constexpr int links_max = 40;  // as many as Linux follows (path_resolution(7))
  namespace fs = std::filesystem;
  std::shared_ptr<Inode> inode;
  for (int link = 0; link <= links_max; ++link) {
    const fs::path whole(path);
    fs::path so_far("/");
    bool again = false;
    for (auto part = std::next(whole.begin()), end = whole.end(); !again; ++part) {
      const auto found = names_.find(so_far.string());
      why = -ENOENT;
      if (found == names_.end()) return nullptr;
      inode = found->second;
      if (inode->kind() == FileKind::link && (follow || part != end)) {
        fs::path leads_to = so_far.parent_path() / inode->target();
        for (; part != end; ++part) leads_to /= *part;
        path = normal_path(leads_to.string());
        again = true;
        break;
      }
      if (part == end) return inode;
      why = -ENOTDIR;
      if (inode->kind() != FileKind::directory) return nullptr;
      so_far /= *part;
    }
  }
  why = -ELOOP;
  return nullptr;
}

std::shared_ptr<Inode> Tree::make(const std::string& path, FileKind kind) {
  const auto inode = std::make_shared<Inode>(numbers_++, kind);
  names_[path] = inode;
  changes_.push_back({++changes_made_, path, inode});
  return inode;
}

void Tree::remove(const std::string& path) {
  names_.erase(path);
  changes_.push_back({++changes_made_, path, nullptr});
}

namespace {

void apply(std::map<std::string, std::shared_ptr<Inode>>& names, const std::string& path,
           const std::shared_ptr<Inode>& inode) {
  if (inode == nullptr) {
    names.erase(path);
  } else {
    names[path] = inode;
  }
}

}  // namespace

void Tree::sync(const std::string& directory, std::uint64_t changes) {
  std::erase_if(changes_, [&](const Change& change) {
    if (change.number > changes || directory_of(change.path) != directory) return false;
    apply(durable_, change.path, change.inode);
    return true;
  });
}

void Tree::sync_all() {
  for (const Change& change : changes_) apply(durable_, change.path, change.inode);
  changes_.clear();
}

std::map<std::string, std::shared_ptr<Inode>> Tree::cut(Random& random, bool everything,
                                                        std::vector<Fate>* fates) const {
  auto names = durable_;
  std::map<std::string, bool> cut_off;  // directories whose later changes are lost
  for (const Change& change : changes_) {
    bool& lost = cut_off[directory_of(change.path)];
    lost = lost || (!everything && random.one_in(2));
    if (!lost) apply(names, change.path, change.inode);
    if (fates == nullptr) continue;
    const std::uint64_t number = change.inode == nullptr ? 0 : change.inode->number();
    fates->push_back({"name", lost ? "dropped" : "kept", number, 0, 0});
  }
  return names;
}

Tree Tree::survivor() const {
  Tree copy({});
  copy.names_.clear();
  copy.numbers_ = numbers_;
  copy.changes_made_ = changes_made_;
  std::map<const Inode*, std::shared_ptr<Inode>> survivors;
  const auto survivor_of = [&](const std::shared_ptr<Inode>& inode) {
    if (inode == nullptr) return inode;
    auto& survivor = survivors[inode.get()];
    if (survivor == nullptr) survivor = inode->survivor();
    return survivor;
  };
  for (const auto& [path, inode] : names_) copy.names_[path] = survivor_of(inode);
  copy.durable_.clear();
  for (const auto& [path, inode] : durable_) copy.durable_[path] = survivor_of(inode);
  for (const Change& change : changes_) {
    copy.changes_.push_back({change.number, change.path, survivor_of(change.inode)});
  }
  return copy;
}

std::vector<std::shared_ptr<Inode>> Tree::inodes() const {
  std::vector<std::shared_ptr<Inode>> all;
  const auto add = [&](const std::shared_ptr<Inode>& inode) {
    if (inode != nullptr && std::ranges::find(all, inode) == all.end()) all.push_back(inode);
  };
  for (const auto& [path, inode] : names_) add(inode);
  for (const auto& [path, inode] : durable_) add(inode);
  for (const Change& change : changes_) add(change.inode);
  return all;
}

}  // namespace pagealloc::os::sim
