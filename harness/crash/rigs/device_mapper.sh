# shellcheck shell=bash disable=SC2034,SC2154,SC2317  # names and hooks are shared
# The hooks of body.sh for dm-flakey and dm-log-writes: on any kernel that has device-mapper.

export DM_DISABLE_UDEV=1  # there may be no udev to answer
sectors() { blockdev --getsz "$disk"; }

unmap() {
  dmsetup remove rig
  mapped=''
}

hooks_flakey() {
  device_up() {
    device=/dev/mapper/rig progress=$work/progress progress_offset=0 commits=0
    : >"$progress"
    dmsetup create rig --table "0 $(sectors) flakey $disk 0 1 0"
    mapped=rig
  }
  # From now on all writes are dropped, for good. Not the recipe "0 5 1 1 drop_writes", in whose down
  # second an fsync succeeds and loses, and later ones do not: no power cut does that. What counts as
  # acknowledged is what was so before. The suspend must neither sync the file system (--nolockfs)
  # nor wait for what is queued (--noflush): either would hide a missing sync.
  cut() {
    read -r _ _ acknowledged <"$progress"
    dmsetup load rig --table "0 $(sectors) flakey $disk 0 0 1 1 drop_writes"
    dmsetup resume --nolockfs --noflush rig
  }
  device_down() { unmap; }
  left_over() { left=$disk; }
  judged() {
    local submitted status=0
    read -r _ submitted _ <"$progress"
    cuts=1 lost=0 first=''
    mount -t "$fs" "$disk" "$mount_point"
    first=$("$program" check --store "$store" --way "$way" --path "$mount_point/$file" \
      --acknowledged "$acknowledged" --submitted "$submitted" 2>&1) || status=$?
    unmount
    case $status in
      0) first='' ;;
      1) lost=1 ;;
      *) broken "$way: the check ended with $status: $first" ;;
    esac
  }
}

# After hooks_flakey: five seconds all is well, in the sixth all writes are dropped and said to be
# written, and so on. The kernel's clock says when, so the test has to wait for it.
hooks_famous() {
  device_up() {
    device=/dev/mapper/rig progress=$work/progress progress_offset=0 commits=0
    : >"$progress"
    dmsetup create rig --table "0 $(sectors) flakey $disk 0 5 1 1 drop_writes"
    mapped=rig
  }
  cut() {
    sleep 5
    read -r _ _ acknowledged <"$progress"
  }
}

hooks_log_writes() {
  device_up() {
    device=/dev/mapper/rig progress=/dev/mapper/rig progress_offset=$fs_bytes commits=5
    restore_disk
    dmsetup create rig --table "0 $(sectors) log-writes $disk $log"
    mapped=rig
  }
  # The log has every state that there was: the power goes at each flush, when it is judged.
  cut() { :; }
  device_down() { unmap; }
  judged() { judge_log; }
  left_over() { replay_log; }
}

hooks_error() {
  device_up() {
    device=/dev/mapper/rig
    restore_disk
    dmsetup create rig --table "0 $(sectors) linear $disk 0"
    mapped=rig
  }
  # Nothing is asked of the file system: it shall not know.
  retable() {
    dmsetup load rig --table "$1"
    dmsetup resume --nolockfs --noflush rig
  }
  block_fails() {
    local behind=$(($1 + $2))
    retable "0 $1 linear $disk 0
$1 $2 error
$behind $(($(sectors) - behind)) linear $disk $behind"
  }
  block_heals() { retable "0 $(sectors) linear $disk 0"; }
  device_down() { unmap; }
}
