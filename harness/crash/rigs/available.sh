# shellcheck shell=bash disable=SC2034  # names are shared between these files
# Which rigs can run here. As all probes of ./lab doctor: sets `found`, and `cure` where there is
# one; 0: it works, 1: missing, 2: not available here.

PATH=$PATH:/usr/sbin:/sbin  # where a plain user does not look, and all of this lies

# rig_tools PACKAGE:COMMAND...: 1 with the packages that are missing.
rig_tools() {
  local pair
  local -a packages=() commands=()
  for pair in "$@"; do
    command -v "${pair#*:}" >/dev/null && continue
    packages+=("${pair%%:*}") commands+=("${pair#*:}")
  done
  ((${#packages[@]} > 0)) || return 0
  found="no ${commands[*]}"
  cure="apt-get install --no-install-recommends ${packages[*]}"
  return 1
}

rig_root() {
  ((EUID != 0)) || return 0
  found='needs root'
  cure="run it as root"
  return 1
}

# What uml_ptrace.cpp was built into, beside the rig's program; nothing where nothing was built.
uml_preload() {
  local made
  for made in "${program:+${program%/*}/libuml_ptrace.so}" \
    "${root:-/nowhere}"/build/{debug,release}/bin/libuml_ptrace.so; do
    if [[ -e $made ]]; then printf '%s' "$made"; return; fi
  done
}

# uml DIR ARGUMENT...: boots it, with all its files in DIR, so that it needs no home and no /dev/shm. To
# be called with its output in a pipe: a terminal would be set to other modes.
uml() {
  local dir=$1
  shift
  (cd "$dir" && LD_PRELOAD=$(uml_preload) TMPDIR=$dir HOME=$dir exec timeout --kill-after=5 900 linux.uml uml_dir="$dir" \
    rootfstype=hostfs rootflags=/ ro con=null con0=null,fd:1 quiet "$@" </dev/null 2>&1)
}

# The kernel boots and ends the one process that it is given; what refuses it is seen here.
probe_rig_uml() {
  rig_tools user-mode-linux:linux.uml kmod:insmod dmsetup:dmsetup e2fsprogs:mkfs.ext4 \
    mount:mount || return
  local module
  for module in /usr/lib/uml/modules/*/kernel/drivers/md/dm-log-writes.ko; do
    if [[ ! -e $module ]]; then
      found='user-mode-linux is here without the modules of device-mapper'
      return 2
    fi
  done
  local said dir
  dir=$(mktemp -d)
  # The shell would report that it was aborted, as it is meant to be.
  said=$({ uml "$dir" mem=64M init=/bin/true | cat; } 2>/dev/null)
  rm -rf "$dir"
  # It panics when its first process ends, which is as far as it is meant to get.
  if [[ $said == *'set fp regs failed'* && -z $(uml_preload) ]]; then
    found='this processor has registers that linux.uml does not know; ./lab build makes what helps'
    return 2
  fi
  if [[ $said != *'Attempted to kill init! exitcode=0x00000000'* ]]; then
    found="linux.uml does not boot: $(grep -i -m 1 -E 'fail|cannot|denied|permitted|error' \
      <<<"$said" || tail -n 1 <<<"$said")"
    return 2
  fi
  found="$(command -v linux.uml) boots, with device-mapper"
}

probe_rig_dm() {
  rig_tools dmsetup:dmsetup e2fsprogs:mkfs.ext4 mount:losetup || return
  rig_root || return
  local target
  for target in flakey log-writes; do
    # Where the kernel has no modules at all, modprobe has nothing to say that is not said below.
    modprobe -q "dm-$target" 2>/dev/null || true
    if ! dmsetup targets 2>/dev/null | grep -q "^$target "; then
      found="this kernel has no dm-$target; the same runs under user-mode-linux: rig uml"
      return 2
    fi
  done
  rig_loop || return
  found='dm-flakey and dm-log-writes'
}

rig_loop() {
  losetup --find >/dev/null 2>&1 && return
  found='no loop device is to be had'
  return 2
}

probe_rig_loop() {
  rig_tools qemu-system-common:qemu-storage-daemon fuse3:fusermount3 e2fsprogs:mkfs.ext4 \
    mount:losetup || return
  rig_root || return
  if ! (: <>/dev/fuse) 2>/dev/null; then
    found='/dev/fuse cannot be opened'
    return 2
  fi
  rig_loop || return
  found='qemu-storage-daemon, /dev/fuse and loop devices'
}
