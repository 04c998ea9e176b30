#include "harness/machine.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace pagealloc::harness {

namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// The value behind `key` in a file of "key<separator>value" lines, quotes taken off.
std::string value_of(const std::string& path, const std::string& key, char separator) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t at = line.find(separator);
    if (at == std::string::npos) continue;
    const std::size_t begin = line.find_first_not_of(" \t\"", at + 1);
    const std::size_t end = line.find_last_not_of(" \t\"");
    if (begin != std::string::npos) return line.substr(begin, end - begin + 1);
  }
  return "";
}

std::uint64_t kilobytes(const std::string& key) {
  const std::string text = value_of("/proc/meminfo", key, ':');
  return text.empty() ? 0 : std::strtoull(text.c_str(), nullptr, 10) * 1024;
}

nlohmann::json or_null(const std::string& text) {
  return text.empty() ? nlohmann::json(nullptr) : nlohmann::json(text);
}

nlohmann::json number_or_null(const std::string& text) {
  return text.empty() ? nlohmann::json(nullptr)
                      : nlohmann::json(std::strtoll(text.c_str(), nullptr, 10));
}

/// The file system type of the mount that holds `directory`, from /proc/self/mountinfo.
std::string file_system_of(dev_t device) {
  std::ifstream mounts("/proc/self/mountinfo");
  const std::string wanted = fmt::format("{}:{}", major(device), minor(device));
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string id, parent, numbers;
    words >> id >> parent >> numbers;
    const std::size_t at = line.find(" - ");
    if (numbers != wanted || at == std::string::npos) continue;
    return line.substr(at + 3, line.find(' ', at + 3) - at - 3);
  }
  return "";
}

/// Where sysfs describes it; empty: nowhere.
std::filesystem::path block_of(dev_t device) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path block =
      fs::canonical(fmt::format("/sys/dev/block/{}:{}", major(device), minor(device)), error);
  if (error) return {};
  // A partition has no queue of its own; its disk, one level up, has.
  return fs::exists(block / "queue", error) ? block : block.parent_path();
}

void add_device(nlohmann::json& facts, dev_t device) {
  const std::filesystem::path block = block_of(device);
  const auto queue = [&](const char* name) {
    return block.empty() ? std::string() : first_line((block / "queue" / name).string());
  };
  facts["device"] = or_null(block.filename().string());
  const std::string rotational = queue("rotational");
  facts["rotational"] =
      rotational.empty() ? nlohmann::json(nullptr) : nlohmann::json(rotational == "1");
  facts["write_cache"] = or_null(queue("write_cache"));
  std::string scheduler = queue("scheduler");  // "none [mq-deadline] kyber"
  if (const std::size_t open = scheduler.find('['); open != std::string::npos) {
    scheduler = scheduler.substr(open + 1, scheduler.find(']') - open - 1);
  }
  facts["scheduler"] = or_null(scheduler);
  facts["read_ahead_kb"] = number_or_null(queue("read_ahead_kb"));
  facts["logical_block_bytes"] = number_or_null(queue("logical_block_size"));
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text, length};
}

}  // namespace

nlohmann::json machine_facts(const std::string& directory) {
  utsname names{};
  (void)uname(&names);
  nlohmann::json facts;
  facts["time"] = utc_now();
  facts["cpu"] = or_null(value_of("/proc/cpuinfo", "model name", ':'));
  facts["cores"] = std::thread::hardware_concurrency();
  facts["memory_bytes"] = kilobytes("MemTotal");
  facts["kernel"] = std::string(names.release);
  facts["distribution"] = or_null(value_of("/etc/os-release", "PRETTY_NAME", '='));
  struct stat status{};
  if (stat(directory.c_str(), &status) == 0) {
    facts["file_system"] = or_null(file_system_of(status.st_dev));
    add_device(facts, status.st_dev);
  }
  return facts;
}

std::uint64_t read_ahead_bytes(const std::string& path) {
  constexpr std::uint64_t unknown_bytes = 4U << 20;  // fs/btrfs/disk-io.c, open_ctree()
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return unknown_bytes;
  const std::filesystem::path block = block_of(status.st_dev);
  if (block.empty()) return unknown_bytes;
  const std::string kilobytes = first_line((block / "queue" / "read_ahead_kb").string());
  if (kilobytes.empty()) return unknown_bytes;
  return std::strtoull(kilobytes.c_str(), nullptr, 10) * 1024;
}

nlohmann::json machine_facts(const os::sim::Machine& machine) {
  const os::sim::Model& model = machine.model;
  return {{"time", utc_now()},
          {"kernel", "simulated"},
          {"device", std::string(model.name)},
          {"simulated",
           {{"model", std::string(model.name)},
            {"seed", machine.seed},
            {"read_ns", model.read_ns},
            {"write_ns", model.write_ns},
            {"flush_ns", model.flush_ns},
            {"bytes_per_second", model.bytes_per_second},
            {"units", model.units},
            {"jitter_percent", model.jitter_percent}}}};
}

std::int64_t tlb_shootdowns() {
  std::ifstream interrupts("/proc/interrupts");
  for (std::string line; std::getline(interrupts, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name != "TLB:") continue;
    std::int64_t sum = 0;
    for (std::int64_t count = 0; words >> count;) sum += count;
    return sum;
  }
  return -1;
}

std::uint64_t disk_free_bytes(const std::string& directory) {
  struct statvfs status{};
  if (statvfs(directory.c_str(), &status) < 0) return 0;
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

std::uint64_t memory_available_bytes() { return kilobytes("MemAvailable"); }

}  // namespace pagealloc::harness
