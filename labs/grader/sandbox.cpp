// Runs a program that is not trusted:
//
//   labs_sandbox alone|with-children DIRECTORY CPU_S MEMORY_BYTES FILE_BYTES PROGRAM...
//
// DIRECTORY is the only place where it may make or change files, of at most FILE_BYTES each;
// processor time, memory and descriptors are limited, there is no network, and `alone` it starts no
// process. Whoever runs as root becomes nobody first. Landlock (landlock(7)) keeps it from writing
// elsewhere; where the kernel has none, that is said on standard error, and rights and limits alone
// hold. A sandbox that cannot be made otherwise runs nothing: status 125.
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
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

/// No network, no looking into other processes; `alone`: no other process at all, threads yes.
void filter_calls(bool alone) {
  const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (filter == nullptr) give_up("seccomp_init");
  const auto refuse = [&](int call, int error) {
    const int result =
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(static_cast<std::uint32_t>(error)), call, 0);
    if (result < 0) {
      errno = -result;
      give_up("seccomp_rule_add");
    }
  };
  for (const int call : {SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(ptrace),
                         SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev)}) {
    refuse(call, EPERM);
  }
  if (alone) {
    refuse(SCMP_SYS(fork), EPERM);
    refuse(SCMP_SYS(vfork), EPERM);
    refuse(SCMP_SYS(clone3), ENOSYS);  // its flags are in memory; who gets this falls back to clone
    const int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                        SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
    if (result < 0) give_up("seccomp_rule_add clone");
  }
  if (const int result = seccomp_load(filter); result < 0) {
    errno = -result;
    give_up("seccomp_load");
  }
  seccomp_release(filter);
}

void become_nobody() {
  if (getuid() != 0) return;
  if (setgroups(0, nullptr) < 0) give_up("setgroups");
  if (setresgid(nobody, nobody, nobody) < 0) give_up("setresgid");
  if (setresuid(nobody, nobody, nobody) < 0) give_up("setresuid");
}

}  // namespace

int main(int count, char** arguments) {
  constexpr int fixed = 6;
  const std::string_view mode = count > 1 ? arguments[1] : "";
  if (count <= fixed || (mode != "alone" && mode != "with-children")) {
    fmt::print(stderr,
               "usage: {} alone|with-children DIRECTORY CPU_S MEMORY_BYTES FILE_BYTES PROGRAM...\n",
               arguments[0]);
    return 2;
  }
  const char* const directory = arguments[2];
  const std::uint64_t cpu_s = number(arguments[3]);
  const std::uint64_t memory_bytes = number(arguments[4]);
  const std::uint64_t file_bytes = number(arguments[5]);
  // Two seconds between the signal that says where it was and the one that nobody survives.
  limit(RLIMIT_CPU, cpu_s, cpu_s + 2, "limit of processor time");
  // Of memory that is written, not of addresses: a map may reserve more of those than there is
  // memory.
  limit(RLIMIT_DATA, memory_bytes, memory_bytes, "limit of memory");
  limit(RLIMIT_FSIZE, file_bytes, file_bytes, "limit of a file's size");
  limit(RLIMIT_CORE, 0, 0, "limit of a core file");
  limit(RLIMIT_NOFILE, 64, 64, "limit of descriptors");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) give_up("no_new_privs");
  const bool confined = confine(directory);
  if (chdir(directory) < 0) give_up(directory);
  become_nobody();
  limit(RLIMIT_NPROC, 512, 512, "limit of processes");  // of this user, from now on
  if (!confined) fmt::print(stderr, "labs_sandbox: Landlock is not available here\n");
  filter_calls(mode == "alone");
  execv(arguments[fixed], arguments + fixed);
  give_up(arguments[fixed]);
}
