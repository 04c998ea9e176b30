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
#   left_over      sets `left` to a device that holds the least that the power may have left
#
# or, where single blocks fail instead of the power:
#
#   device_up, device_down
#   block_fails SECTOR COUNT, block_heals

mount_point=$work/mnt
ways=$("$program" ways)

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

replay_log() {
  "$program" replay --log "$log" --base "$base" --device "$check" --noted \
    --progress-offset "$fs_bytes"
  left=$check
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
  done <<<"$ways"
}

log_trials() {
  local way_name
  while read -r way_name _; do
    trials kept 1 "$way_name" two-page
    trials lost 1 "$way_name" no-sync-after-meta
  done <<<"$ways"
}

# converse COMMAND...: runs the program, does to the disk what it asks for; sets `result`.
converse() {
  local verb rest wishes replies
  result=''
  rm -f "$work/wishes" "$work/replies"
  mkfifo "$work/wishes" "$work/replies"
  "$program" "$@" <"$work/replies" >"$work/wishes" 2>"$work/complaint" &
  process=$!
  exec {replies}>"$work/replies" {wishes}<"$work/wishes"
  while read -r verb rest <&"$wishes"; do
    case $verb in
      fail)
        # shellcheck disable=SC2086  # two numbers
        block_fails $rest
        echo carried-out >&"$replies" ;;
      heal)
        block_heals
        echo carried-out >&"$replies" ;;
      result) result=$rest ;;
      *) broken "$*: it wishes for '$verb'" ;;
    esac
  done
  exec {replies}>&- {wishes}<&-
  wait "$process" || broken "$*: $(<"$work/complaint")"
  process=''
}

# A block that fails once for each way, and what Linux itself makes of it.
failure_trials() {
  local way_name result calls succeeded first lost
  device_up
  mount -t "$fs" "$device" "$mount_point"
  while read -r way_name _; do
    converse poison --way "$way_name" --path "$mount_point/$way_name.pa"
    read -r calls succeeded first <<<"$result"
    row kept "$rig" "$way_name" poison "$calls" "$succeeded" "$first"
  done <<<"$ways"
  converse failed-fsync --path "$mount_point/raw"
  report_probe failed-fsync "$result"
  # Not to be trusted any more, which is why a page file is not: and were it otherwise here, then the
  # rows above would say nothing.
  lost=0
  if [[ $result == *second-fsync=ok*read-after-eviction=old* ]]; then lost=1; fi
  row lost "$rig" 'plain fsync' failed-fsync 1 "$lost" "$result"
  unmount
  device_down
}

# report_probe NAME ANSWER: what this kernel and file system did, for docs/durability.md.
report_probe() {
  printf '%s\t%s\t%s\n' "$rig" "$1" "$2" >>"$out/probes.tsv"
  say_rig "$(printf '%-16s %-15s %s' "$rig" "$1" "$2")"
}

# Each probe as often as `probes` says, each time with a cut of its own.
probe_trials() {
  local probe i answer left questions
  local -A tally
  questions=$("$program" probes)
  while read -r probe _; do
    tally=()
    for ((i = 0; i < probes; ++i)); do
      device_up
      mount -t "$fs" "$device" "$mount_point"
      mkdir "$mount_point/$probe$i"
      sync -f "$mount_point"
      "$program" probe "$probe" --path "$mount_point/$probe$i" --progress "$progress" \
        --progress-offset "$progress_offset"
      cut
      unmount
      device_down
      left_over
      mount -t "$fs" "$left" "$mount_point"
      answer=$("$program" answer "$probe" --path "$mount_point/$probe$i")
      unmount
      tally[$answer]=$((${tally[$answer]:-0} + 1))
    done
    for answer in "${!tally[@]}"; do
      report_probe "$probe" "$answer ${tally[$answer]} of $probes"
    done
  done <<<"$questions"
}

# The recipe that is found everywhere, on the correct store: see README.md.
famous_trials() {
  local i condemned=0 cuts lost first
  for ((i = 0; i < probes; ++i)); do
    trial "famous$i.pa" pread two-page
    condemned=$((condemned + lost))
  done
  report_probe famous-recipe "correct store condemned in $condemned of $probes"
}
