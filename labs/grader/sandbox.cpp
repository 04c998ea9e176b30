// Runs a program that is not trusted:
//
//   labs_sandbox alone|with-children SAYS_FD DIRECTORY CPU_S MEMORY_BYTES FILE_BYTES PROGRAM...
//
// DIRECTORY is the only place where it may make or change files, of at most FILE_BYTES each;
// processor time, memory and descriptors are limited, there is no network, and `alone` it starts no
// process and signals no other. Whoever runs as root becomes nobody first. Landlock (landlock(7))
// keeps it from writing elsewhere; where the kernel has none, rights and limits alone hold.
//
// What the sandbox itself has to say goes to descriptor SAYS_FD, which PROGRAM does not inherit, so
// that nothing it does can be taken for it: "unconfined" where there is no Landlock, or why nothing
// was run. A program that ends by itself with any status says nothing there.
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
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace {

constexpr int status_no_sandbox = 125;
constexpr unsigned nobody = 65534;

int says_fd = STDERR_FILENO;                             // until it is known
constexpr std::uint64_t landlock_truncate = 1ULL << 14;  // newer than this system's headers may be

[[noreturn]] void give_up(const char* what) {
  ::dprintf(says_fd, "no sandbox: %s: %s\n", what, std::strerror(errno));
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

/// A list of system calls that are refused; all others are allowed.
class Refusals {
 public:
  Refusals() : filter_(seccomp_init(SCMP_ACT_ALLOW)) {
    if (filter_ == nullptr) give_up("seccomp_init");
  }
  ~Refusals() { seccomp_release(filter_); }
  Refusals(const Refusals&) = delete;
  Refusals& operator=(const Refusals&) = delete;

  /// `when`: only with these arguments.
  void refuse(int call, int error, std::initializer_list<scmp_arg_cmp> when = {}) {
    const std::vector<scmp_arg_cmp> arguments(when);
    checked(seccomp_rule_add_array(filter_, SCMP_ACT_ERRNO(static_cast<std::uint32_t>(error)), call,
                                   static_cast<unsigned>(arguments.size()), arguments.data()));
  }
  /// From now on, for this process and whatever it becomes.
  void load() { checked(seccomp_load(filter_)); }

 private:
  static void checked(int result) {
    if (result == 0) return;
    errno = -result;
    give_up("seccomp");
  }

  scmp_filter_ctx filter_;
};

/// No network, no looking into other processes, nothing that outlives this one. A ring of io_uring
/// would make sockets by itself, past this filter.
void refuse_for_all(Refusals& refusals) {
  for (const int call : {SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(io_uring_setup),
                         SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
                         SCMP_SYS(shmget), SCMP_SYS(semget), SCMP_SYS(msgget), SCMP_SYS(mq_open),
                         SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl)}) {
    refusals.refuse(call, EPERM);
  }
  // Limits and turns of other processes, whoever runs as nobody beside this one: 0 is itself.
  for (const int call :
       {SCMP_SYS(prlimit64), SCMP_SYS(sched_setaffinity), SCMP_SYS(sched_setscheduler),
        SCMP_SYS(sched_setparam), SCMP_SYS(sched_setattr)}) {
    refusals.refuse(call, EPERM, {SCMP_A0(SCMP_CMP_NE, 0)});
  }
  for (const int call : {SCMP_SYS(setpriority), SCMP_SYS(ioprio_set)}) refusals.refuse(call, EPERM);
}

/// No other process, threads yes; no signal to anybody else.
void refuse_other_processes(Refusals& refusals) {
  refusals.refuse(SCMP_SYS(fork), EPERM);
  refusals.refuse(SCMP_SYS(vfork), EPERM);
  // Its flags are in memory; who gets this answer falls back to clone.
  refusals.refuse(SCMP_SYS(clone3), ENOSYS);
  refusals.refuse(SCMP_SYS(clone), EPERM, {SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)});
  for (const int call : {SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(rt_sigqueueinfo),
                         SCMP_SYS(rt_tgsigqueueinfo), SCMP_SYS(pidfd_send_signal)}) {
    refusals.refuse(call, EPERM);
  }
  // abort() and raise() signal this process by its number, which stays the same.
  const auto own = static_cast<scmp_datum_t>(getpid());
  refusals.refuse(SCMP_SYS(tgkill), EPERM, {SCMP_A0(SCMP_CMP_NE, own)});
  for (const int command : {F_SETOWN, F_SETOWN_EX, F_SETSIG}) {  // a signal when a pipe has bytes
    refusals.refuse(SCMP_SYS(fcntl), EPERM,
                    {SCMP_A1(SCMP_CMP_EQ, static_cast<scmp_datum_t>(command))});
  }
}

/// What changes files and what Landlock does not know, or not in its first versions: rights,
/// owners, times, and cutting a file off that was opened for reading. A compiler's linker needs
/// some of it.
void refuse_changes_by_name(Refusals& refusals) {
  for (const int call :
       {SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(chown), SCMP_SYS(fchown),
        SCMP_SYS(lchown), SCMP_SYS(fchownat), SCMP_SYS(setxattr), SCMP_SYS(lsetxattr),
        SCMP_SYS(fsetxattr), SCMP_SYS(removexattr), SCMP_SYS(lremovexattr), SCMP_SYS(fremovexattr),
        SCMP_SYS(utime), SCMP_SYS(utimes), SCMP_SYS(futimesat), SCMP_SYS(utimensat),
        SCMP_SYS(truncate)}) {
    refusals.refuse(call, EPERM);
  }
  constexpr int fchmodat2 = 452;  // on every machine; newer than this system's headers may be
  refusals.refuse(fchmodat2, EPERM);
  refusals.refuse(SCMP_SYS(openat2), ENOSYS);  // its flags are in memory
  constexpr scmp_datum_t flags = O_TRUNC | O_ACCMODE;
  refusals.refuse(SCMP_SYS(open), EPERM, {SCMP_A1(SCMP_CMP_MASKED_EQ, flags, O_TRUNC)});
  refusals.refuse(SCMP_SYS(openat), EPERM, {SCMP_A2(SCMP_CMP_MASKED_EQ, flags, O_TRUNC)});
}

void filter_calls(bool alone) {
  Refusals refusals;
  refuse_for_all(refusals);
  if (alone) {
    refuse_other_processes(refusals);
    refuse_changes_by_name(refusals);
  }
  refusals.load();
}

/// False: it is no more than somebody already.
bool become_nobody() {
  if (getuid() != 0) return false;
  if (setgroups(0, nullptr) < 0) give_up("setgroups");
  if (setresgid(nobody, nobody, nobody) < 0) give_up("setresgid");
  if (setresuid(nobody, nobody, nobody) < 0) give_up("setresuid");
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  constexpr int fixed = 7;
  const std::string_view mode = count > 1 ? arguments[1] : "";
  if (count <= fixed || (mode != "alone" && mode != "with-children")) {
    fmt::print(stderr,
               "usage: {} alone|with-children SAYS_FD DIRECTORY CPU_S MEMORY_BYTES FILE_BYTES "
               "PROGRAM...\n",
               arguments[0]);
    return 2;
  }
  says_fd = static_cast<int>(number(arguments[2]));
  if (fcntl(says_fd, F_SETFD, FD_CLOEXEC) < 0) give_up("the descriptor to say it on");
  const char* const directory = arguments[3];
  const std::uint64_t cpu_s = number(arguments[4]);
  const std::uint64_t memory_bytes = number(arguments[5]);
  const std::uint64_t file_bytes = number(arguments[6]);
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
  // It counts all threads of the user, and a student's other programs have hundreds.
  if (become_nobody()) limit(RLIMIT_NPROC, 512, 512, "limit of processes");
  if (!confined && ::dprintf(says_fd, "unconfined\n") < 0) give_up("saying that it is unconfined");
  filter_calls(mode == "alone");
  execv(arguments[fixed], arguments + fixed);
  give_up(arguments[fixed]);
}
