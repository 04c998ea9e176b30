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
  for (int link = 0; link <= links_max; ++link) {
    const auto found = names_.find(path);
    if (found == names_.end()) {
      const auto directory = names_.find(directory_of(path));
      const bool there = directory != names_.end();
      const bool is_directory = there && directory->second->kind() == FileKind::directory;
      why = there && !is_directory ? -ENOTDIR : -ENOENT;
      return nullptr;
    }
    if (!follow || found->second->kind() != FileKind::link) return found->second;
    path =
        normal_path((std::filesystem::path(directory_of(path)) / found->second->target()).string());
  }
  why = -ELOOP;
  return nullptr;
}

std::shared_ptr<Inode> Tree::make(const std::string& path, FileKind kind) {
  const auto inode = std::make_shared<Inode>(numbers_++, kind);
  names_[path] = inode;
  changes_.push_back({path, inode});
  return inode;
}

void Tree::remove(const std::string& path) {
  names_.erase(path);
  changes_.push_back({path, nullptr});
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

void Tree::sync(const std::string& directory) {
  std::erase_if(changes_, [&](const Change& change) {
    if (directory_of(change.path) != directory) return false;
    apply(durable_, change.path, change.inode);
    return true;
  });
}

void Tree::sync_all() {
  for (const Change& change : changes_) apply(durable_, change.path, change.inode);
  changes_.clear();
}

std::map<std::string, std::shared_ptr<Inode>> Tree::cut(Random& random, bool everything) const {
  auto names = durable_;
  std::map<std::string, bool> cut_off;  // directories whose later changes are lost
  for (const Change& change : changes_) {
    bool& lost = cut_off[directory_of(change.path)];
    lost = lost || (!everything && random.one_in(2));
    if (!lost) apply(names, change.path, change.inode);
  }
  return names;
}

std::vector<std::shared_ptr<Inode>> Tree::inodes() const {
  std::vector<std::shared_ptr<Inode>> all;
  for (const auto& [path, inode] : names_) all.push_back(inode);
  for (const auto& [path, inode] : durable_) {
    if (std::ranges::find(all, inode) == all.end()) all.push_back(inode);
  }
  return all;
}

}  // namespace pagealloc::os::sim
