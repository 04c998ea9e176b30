# shellcheck shell=bash disable=SC2034,SC2154  # names are shared between these files
# The test that all rigs share: a store commits, the power goes, what is left is judged. Where it
# runs, somebody has set
#
#   program  pagealloc_rig                      base   image of a formatted file system, fs_bytes long
#   out      a directory that outlives the run  fs     ext4 or xfs
#   disk     device under test; longer than the file system by a note of progress
#   log      where its writes are logged        check  device on which media are mounted
#   work     a directory on no device of these  seed   of the random moments
#
# and a rig has defined its hooks:
#
#   device_up      makes `device`, which is mounted; sets `progress` and `commits`
#   cut            the power goes: nothing that was not flushed may be there afterwards
#   device_down    takes `device` away, after the file system is unmounted
#   judged         judges what is left; sets `cuts`, `lost`, `first`

mount_point=$work/mnt

say_rig() { printf 'rig: %s\n' "$*"; }

# What a rig cannot go on from: the disk is in no state to test anything on.
broken() {
  printf 'rig: %s: %s\n' "$rig" "$*"
  exit 1
}

# A ring that was killed with its process lets go of its files a little later, and nobody is told.
unmount() {
  local tries=0 refusal
  until refusal=$(umount "$mount_point" 2>&1); do
    ((++tries < 200)) || broken "$refusal"
    sleep 0.02
  done
}

restore_disk() { "$program" replay --base "$base" --device "$disk"; }

# trial FILE WAY STORE: one run that ends in a cut; sets `cuts`, `lost`, `first`.
trial() {
  file=$1 way=$2 store=$3
  local line='' announce=$((RANDOM % 20 + 3))
  device_up
  mount -t "$fs" "$device" "$mount_point"
  rm -f "$work/announced"
  mkfifo "$work/announced"
  "$program" run --store "$store" --way "$way" --path "$mount_point/$file" --progress "$progress" \
    --progress-offset "$progress_offset" --commits "$commits" \
    --announce $((commits > 0 ? commits : announce)) >"$work/announced" 2>"$work/complaint" &
  process=$!
  # Blocks until that many are acknowledged, or the program has ended without.
  read -r line <"$work/announced" || true
  [[ $line == acknowledged* ]] || broken "$way: $store did not get there: $(<"$work/complaint")"
  cut
  # The kernel would write for a living process what it must not write any more.
  kill -KILL "$process" 2>/dev/null || true
  wait "$process" 2>/dev/null || true
  process=''
  unmount
  device_down
  judged
}

# row EXPECT RIG WAY STORE CUTS LOST FIRST; EXPECT: kept, lost, or blind where this rig cannot see it.
row() {
  local IFS=$'\t'
  printf '%s\n' "$*" >>"$out/rows.tsv"
  say_rig "$(printf '%-16s %-15s %-26s %3d cuts, %3d lost' "$2" "$3" "$4" "$5" "$6")"
}

# trials EXPECT COUNT WAY STORE: so many runs, one row.
trials() {
  local expect=$1 count=$2 i cuts_all=0 lost_all=0 first_all=''
  local cuts lost first
  for ((i = 1; i <= count; ++i)); do
    serial=$((${serial:-0} + 1))
    trial "$serial.pa" "$3" "$4"
    cuts_all=$((cuts_all + cuts)) lost_all=$((lost_all + lost))
    first_all=${first_all:-$first}
  done
  row "$expect" "$rig" "$3" "$4" "$cuts_all" "$lost_all" "$first_all"
}

# For rigs that log: a cut at every flush.
judge_log() {
  local found
  found=$("$program" judge --store "$store" --way "$way" --path "$file" --log "$log" \
    --base "$base" --device "$check" --mount-point "$mount_point" --file-system "$fs" \
    --progress-offset "$fs_bytes") || broken "$way: the log of $store could not be judged"
  read -r cuts lost first <<<"$found"
}

# The ways, and for each what this rig can see. What it is given by O_DIRECT has reached the device
# before the cut: dm-flakey keeps it, as a real drive's cache would not.
flakey_trials() {
  local way_name path
  while read -r way_name path; do
    trials kept 2 "$way_name" two-page
    case $path in
      cached) trials lost 2 "$way_name" direct-taken-for-durable ;;
      direct) trials blind 1 "$way_name" direct-taken-for-durable ;;
    esac
  done <<<"$("$program" ways)"
}

log_trials() {
  local way_name
  while read -r way_name _; do
    trials kept 1 "$way_name" two-page
    trials lost 1 "$way_name" no-sync-after-meta
  done <<<"$("$program" ways)"
}
