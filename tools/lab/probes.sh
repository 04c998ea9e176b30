# shellcheck shell=bash disable=SC2034,SC2154  # names are shared between these files
# What the machine itself can do. Each probe tries the thing where it can be tried, because
# containers refuse what the kernel's version promises. A probe sets `found` and returns
# 0: it works; 1: missing, and `cure` is the command that helps; 2: not available here; 3: not tried,
# because what would try it is missing.
cure=''

readonly not_here=2
readonly not_tried=3
readonly needed_kb=$((4 * 1024 * 1024))  # the build, the data file of a run, its results

# probe_mounted TYPE DIR WITNESS: a bare chroot often lacks these, and then fails obscurely.
probe_mounted() {
  local kind=$1 dir=$2 witness=$3
  if [[ -e $witness ]]; then found=mounted; return 0; fi
  found="$dir is not mounted"
  cure="mount -t $kind $kind $dir"
  ((EUID == 0)) || cure="sudo $cure"
  return 1
}

probe_root() {
  if ((EUID == 0)); then found=root; return 0; fi
  if ! have sudo; then found='not root, and no sudo'; return $not_here; fi
  if sudo -n true 2>/dev/null; then found='sudo, without a password'; return 0; fi
  found='sudo, which asks for a password'
}

probe_cores() { found="$jobs"; }

probe_memory() {
  local key kb
  while read -r key kb _; do
    if [[ $key == MemTotal: ]]; then found="$((kb / 1024)) MiB"; return 0; fi
  done 2>/dev/null </proc/meminfo
  found='/proc/meminfo cannot be read'
  return $not_here
}

probe_memlock() {
  local kb
  kb=$(ulimit -l)
  found="RLIMIT_MEMLOCK is $kb${kb/#[0-9]*/ KiB}"
  found=${found/unlimited*/unlimited}
  # Before Linux 5.12 the ring itself counts; registered buffers count on every kernel.
  if [[ $kb != unlimited ]] && ((EUID != 0 && kb < 8192)); then
    found+=', too little for io_uring to register buffers: ulimit -l 8192 (as root) raises it'
    return $not_here
  fi
}

probe_space() {
  local kb
  kb=$(df -Pk "$1" 2>/dev/null | { read -r _; read -r _ _ _ kb _; echo "${kb:-}"; }) || kb=''
  if [[ ! $kb =~ ^[0-9]+$ ]]; then found="df cannot tell for $1"; return $not_here; fi
  found="$((kb / 1024)) MiB free in $1"
  if ((kb >= needed_kb)); then return 0; fi
  found+=", $((needed_kb / 1024)) MiB are needed"
  cure='free some, or measure elsewhere: ./lab compare --dir DIR'
  return 1
}

# The file system's kind and, where sysfs knows it, the queue/ directory of its device.
queue=''
probe_file_system() {
  local kind number device name=''
  queue=''
  kind=$(stat -f -c %T "$1") || { found="no such directory: $1"; return $not_here; }
  number=$(stat -c %d "$1")
  local major=$(((number >> 8) & 0xfff)) minor=$(((number & 0xff) | ((number >> 12) & 0xfff00)))
  # stat says ext2/ext3 for all of ext2, ext3 and ext4; the mount table knows which.
  if [[ -r /proc/self/mountinfo ]]; then
    local line
    while read -r line; do
      if [[ $line =~ ^[0-9]+\ [0-9]+\ $major:$minor\ .*\ -\ ([^ ]+)\ ([^ ]+) ]]; then
        kind=${BASH_REMATCH[1]} name=${BASH_REMATCH[2]}
      fi
    done </proc/self/mountinfo
  fi
  if device=$(readlink -e "/sys/dev/block/$major:$minor"); then
    name=/dev/${device##*/}
    # A partition has no queue of its own: its disk's counts.
    if [[ -d $device/queue ]]; then queue=$device/queue; else queue=${device%/*}/queue; fi
  elif device=$(readlink -e "/sys/class/block/${name##*/}"); then
    if [[ -d $device/queue ]]; then queue=$device/queue; else queue=${device%/*}/queue; fi
  fi
  found="$kind${name:+ on $name}"
}

# After probe_file_system.
probe_write_cache() {
  if [[ ! -r $queue/write_cache ]]; then
    found="sysfs shows no queue for this file system's device"
    return $not_here
  fi
  local scheduler
  scheduler=$(<"$queue/scheduler")
  if [[ $scheduler =~ \[(.*)\] ]]; then scheduler=${BASH_REMATCH[1]}; fi
  found="$(<"$queue/write_cache"), scheduler $scheduler, read-ahead"
  found+=" $(<"$queue/read_ahead_kb") KiB, sectors of $(<"$queue/logical_block_size") bytes"
  if [[ $(<"$queue/rotational") == 1 ]]; then found+=', says it rotates'; fi
}

# probe_direct FILE: what is written past the cache can be read past it.
probe_direct() {
  local message
  if message=$(LC_ALL=C dd if=/dev/zero of="$1" bs=65536 count=4 oflag=direct 2>&1) &&
    message=$(LC_ALL=C dd if="$1" of=/dev/null bs=65536 iflag=direct 2>&1); then
    found='writes and reads with O_DIRECT'
    return 0
  fi
  found="O_DIRECT is refused: ${message%%$'\n'*}"
  return $not_here
}

# probe_uring FILE: through fio, which measures beside it in any case.
probe_uring() {
  local disabled='' message
  if [[ -r /proc/sys/kernel/io_uring_disabled ]]; then
    disabled=$(</proc/sys/kernel/io_uring_disabled)
  fi
  if [[ $disabled == 2 ]] || { [[ $disabled == 1 ]] && ((EUID != 0)); }; then
    found="kernel.io_uring_disabled is $disabled: sysctl kernel.io_uring_disabled=0 allows it"
    return $not_here
  fi
  if ! have fio; then found='fio, which probes it, is missing'; return $not_tried; fi
  if message=$(cd "${1%/*}" && fio --name=probe --ioengine=io_uring --filename="${1##*/}" \
    --size=64k --bs=4k --rw=read --iodepth=4 2>&1); then
    found="reads through a ring (kernel.io_uring_disabled: ${disabled:-none})"
    return 0
  fi
  message=$(grep -i -m 1 -E 'io_uring|error|not' <<<"$message" || true)
  found="io_uring_setup is refused${message:+ (fio: $message)}"
  return $not_here
}

probe_ptrace() {
  local message
  if ! have strace; then found='strace is missing'; return $not_tried; fi
  if message=$(strace -qq -o /dev/null true 2>&1); then
    found='strace can follow a process'
    return 0
  fi
  found="strace cannot follow a process: ${message%%$'\n'*}"
  return $not_here
}

# What keeps a submission to one folder. Asked by its number, 444 on every machine: the C library has
# no function for it (landlock_create_ruleset(2)).
probe_landlock() {
  local version
  if ! have python3; then found='python3 is missing'; return $not_tried; fi
  version=$(python3 -c 'import ctypes; print(ctypes.CDLL(None).syscall(444, None, 0, 1))')
  if ((version > 0)); then found="version $version: submissions change one folder alone"; return 0; fi
  found='the kernel has none: only rights keep a submission from changing files (docs/labs.md)'
  return $not_here
}

# Can a run be given a memory limit? Tried with a group of its own, removed at once.
probe_memory_limit() {
  local base=/sys/fs/cgroup/memory file=memory.limit_in_bytes version=v1 group
  if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
    base=/sys/fs/cgroup file=memory.max version=v2
  fi
  if [[ ! -d $base ]]; then
    found='no memory cgroup (v1 or v2) is mounted under /sys/fs/cgroup'
    return $not_here
  fi
  group=$base/lab-doctor-$$
  if ! mkdir "$group" 2>/dev/null; then
    found="cgroup $version: no group can be made in $base"
    return $not_here
  fi
  local result=0
  if [[ ! -e $group/$file ]]; then
    found="cgroup $version: the memory controller is not in $base/cgroup.subtree_control"
    result=$not_here
  elif { echo $((256 * 1024 * 1024)) >"$group/$file"; } 2>/dev/null; then
    found="cgroup $version: memory can be limited"
  else
    found="cgroup $version: $file cannot be written"
    result=$not_here
  fi
  rmdir "$group"
  return $result
}
