// What a patch that plants a mistake says about itself: the lines "# key: value" at its head.
#pragma once

#include <fstream>
#include <map>
#include <string>

namespace pagealloc {

inline std::map<std::string, std::string> head_of_patch(const char* path) {
  std::map<std::string, std::string> head;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line) && line.starts_with("# ");) {
    const auto colon = line.find(": ");
    head[line.substr(2, colon - 2)] = line.substr(colon + 2);
  }
  return head;
}

}  // namespace pagealloc
