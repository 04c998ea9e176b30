// Runs a program that is not trusted: labs_sandbox DIRECTORY CPU_S MEMORY_BYTES FILE_BYTES
// PROGRAM...
//
// DIRECTORY is the only place where the program may make or change files, at most FILE_BYTES each;
// processor time, memory, processes and descriptors are limited. Whoever runs as root becomes
// nobody first. Landlock (landlock(7)) keeps it from writing elsewhere; where the kernel has none,
// labs_sandbox says so on standard error, and the limits alone hold. No program is run inside of
// a sandbox that could not be made otherwise: status 125.
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

constexpr int status_no_sandbox = 125;
constexpr unsigned nobody = 65534;
constexpr std::uint64_t landlock_truncate = 1ULL << 14;  // newer than this system's headers may be

[[noreturn]] void give_up(const char* what) {
  fmt::print(stderr, "labs_sandbox: {}: {}\n", what, std::strerror(errno));
  std::exit(status_no_sandbox);
}

std::uint64_t number(const char* text) {
  std::uint64_t value = 0;
  const char* end = text + std::strlen(text);
  const auto parsed = std::from_chars(text, end, value);
  if (parsed.ec != std::errc{} || parsed.ptr != end) {
    errno = EINVAL;
    give_up(text);
  }
  return value;
}

void limit(int resource, std::uint64_t soft, std::uint64_t hard, const char* name) {
  const rlimit values{soft, hard};
  if (setrlimit(static_cast<__rlimit_resource>(resource), &values) < 0) give_up(name);
}

/// What Landlock of this version can forbid: everything that changes a file system. Reading and
/// executing stay, because the program needs its libraries.
std::uint64_t changes(long version) {
  std::uint64_t all = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                      LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                      LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                      LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                      LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;
  if (version >= 2) all |= LANDLOCK_ACCESS_FS_REFER;
  if (version >= 3) all |= landlock_truncate;
  return all;
}

/// Only below `directory` may anything be changed. False: this kernel has no Landlock.
bool confine(const char* directory) {
  const long version =
      syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 0 && (errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM)) return false;
  if (version < 0) give_up("landlock");
  landlock_ruleset_attr rules{};
  rules.handled_access_fs = changes(version);
  const auto ruleset =
      static_cast<int>(syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0));
  if (ruleset < 0) give_up("landlock_create_ruleset");
  landlock_path_beneath_attr beneath{};
  beneath.allowed_access = rules.handled_access_fs;
  beneath.parent_fd = open(directory, O_PATH | O_CLOEXEC);
  if (beneath.parent_fd < 0) give_up(directory);
  if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0) {
    give_up("landlock_add_rule");
  }
  if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0) give_up("landlock_restrict_self");
  (void)close(beneath.parent_fd);
  (void)close(ruleset);
  return true;
}

void become_nobody() {
  if (getuid() != 0) return;
  if (setgroups(0, nullptr) < 0) give_up("setgroups");
  if (setresgid(nobody, nobody, nobody) < 0) give_up("setresgid");
  if (setresuid(nobody, nobody, nobody) < 0) give_up("setresuid");
}

}  // namespace

int main(int count, char** arguments) {
  constexpr int fixed = 5;
  if (count <= fixed) {
    fmt::print(stderr, "usage: {} DIRECTORY CPU_S MEMORY_BYTES FILE_BYTES PROGRAM...\n",
               arguments[0]);
    return 2;
  }
  const std::uint64_t cpu_s = number(arguments[2]);
  // Two seconds between the signal that says where it was and the one that nobody survives.
  limit(RLIMIT_CPU, cpu_s, cpu_s + 2, "limit of processor time");
  // Of memory that is written, not of addresses: a map may reserve more of those than there is
  // memory.
  limit(RLIMIT_DATA, number(arguments[3]), number(arguments[3]), "limit of memory");
  limit(RLIMIT_FSIZE, number(arguments[4]), number(arguments[4]), "limit of a file's size");
  limit(RLIMIT_CORE, 0, 0, "limit of a core file");
  limit(RLIMIT_NOFILE, 64, 64, "limit of descriptors");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) give_up("no_new_privs");
  const bool confined = confine(arguments[1]);
  become_nobody();
  // Counted for the whole user, so it is set after there is one that nobody else is.
  limit(RLIMIT_NPROC, 512, 512, "limit of processes");
  if (!confined) fmt::print(stderr, "labs_sandbox: Landlock is not available here\n");
  if (chdir(arguments[1]) < 0) give_up(arguments[1]);
  execv(arguments[fixed], arguments + fixed);
  give_up(arguments[fixed]);
}
