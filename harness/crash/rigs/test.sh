#!/usr/bin/env bash
# test.sh SCRATCH: one rig, as the settings there say, which rig.sh wrote: under user-mode-linux (after
# uml_init.sh) or on the host.
# shellcheck disable=SC2034,SC2154  # names are shared between these files
set -euo pipefail

# shellcheck disable=SC1091  # written by rig.sh
. "$1/settings"
images=$1 base=$1/base.raw out=$1/out
RANDOM=$((seed % 32768))

# Also when the test breaks off, and in this order: what lies on top goes first.
undo_all() {
  local loop
  trap '' INT TERM
  set +e
  if [[ $process ]]; then kill -KILL "$process" && wait "$process"; fi 2>/dev/null
  # Lazily where it does not work otherwise: the device below goes in any case.
  if mountpoint -q "$work/mnt"; then umount "$work/mnt" || umount --lazy "$work/mnt"; fi
  if [[ $mapped ]]; then dmsetup remove "$mapped"; fi
  for loop in "${!loops[@]}"; do detach "$loop"; done
  if [[ $daemon_pid ]]; then kill "$daemon_pid" && wait "$daemon_pid"; fi
  rm -rf --one-file-system "$work"
  if [[ $finished ]]; then echo finished >"$out/status"; fi
}
finished='' process='' mapped='' daemon_pid=''
declare -A loops=()
trap undo_all EXIT
trap 'exit 130' INT TERM

# Of this kernel, and not of the one below: what a program notes here must not wait for that.
case $name in
  uml) work=/run/work ;;
  *) work=$images/work ;;
esac
mkdir "$work" "$work/mnt"
export TMPDIR=$work

# attach FILE: sets `attached` to a loop device that is FILE. Not with --direct-io=on, which was seen
# to corrupt large writes.
attach() {
  attached=$(losetup --find --show "$1")
  loops[$attached]=$1
}
# Once: by the second time the device may be somebody else's.
detach() {
  unset "loops[$1]"
  losetup -d "$1"
}

case $name in
  uml) disk=/dev/ubda log=/dev/ubdb check=/dev/ubdc ;;
  dm)
    attach "$images/disk.raw" && disk=$attached
    attach "$images/log.raw" && log=$attached
    attach "$images/check.raw" && check=$attached ;;
  loop)
    disk=$images/disk.raw log=$images/log.raw
    attach "$images/check.raw" && check=$attached ;;
esac

# shellcheck source=harness/crash/rigs/body.sh
. "$rigs/body.sh"
case $name in
  uml | dm)
    # shellcheck source=harness/crash/rigs/device_mapper.sh
    . "$rigs/device_mapper.sh"
    restore_disk
    rig=$name/flakey
    hooks_flakey
    flakey_trials
    probe_trials
    if ((probes > 0)); then
      hooks_famous
      famous_trials
    fi
    # Said to be absent by rig.sh.
    if [[ $name/$fs != uml/xfs ]]; then
      rig=$name/log-writes
      hooks_log_writes
      log_trials
      probe_trials
    fi
    rig=$name/error
    hooks_error
    failure_trials ;;
  loop)
    # shellcheck source=harness/crash/rigs/storage_daemon.sh
    . "$rigs/storage_daemon.sh"
    rig=loop/blklogwrites
    hooks_blklogwrites
    log_trials
    probe_trials
    rig=loop/blkdebug
    hooks_blkdebug
    failure_trials ;;
esac
finished=yes
