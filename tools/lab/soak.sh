# shellcheck shell=bash disable=SC2034,SC2154  # names are shared between these files
# The large counts: as many power cuts as there is patience for, and a dated result to commit.

soak_usage() {
  cat <<'HELP'
Usage: ./lab soak [--states N] [--way NAME]...

Runs the correct two-page store on every way to open a file until N distinct media (default 10
million) have been judged on each, and on those with a cache the store on two handles too, as many
at a time as there are cores. Then the crash rigs that can run here, on ext4 and XFS, with their
questions to the kernel. With --way only these ways, and no rigs. The result goes to
docs/soak/DATE.json. Exit code 1: something was lost.
HELP
}

# soak_rigs OUT: what cannot run here says so, in OUT too, and is no failure.
soak_rigs() {
  local out=$1 rig fs result failed=0
  for rig in uml loop dm; do
    for fs in ext4 xfs; do
      # There flakey alone runs, which is blind for direct and uring: the loop rig has XFS.
      [[ $rig-$fs != uml-xfs ]] || continue
      heading "Rig $rig on $fs"
      result=0
      "$root/harness/crash/rigs/rig.sh" --program "$root/build/debug/bin/pagealloc_rig" --fs "$fs" \
        --probes 10 --json "$out/rig-$rig-$fs.json" "$rig" | tee "$out/rig-$rig-$fs.txt" || result=$?
      ((result == 0 || result == 77)) || failed=1
    done
  done
  return "$failed"
}

# soak [--states N] [--way NAME]...
cmd_soak() {
  local states=10000000 ways=()
  while (($# > 0)); do
    case $1 in
      --states)
        (($# > 1)) || fail '--states needs a number'
        states=$2
        shift 2 ;;
      --way)
        (($# > 1)) || fail '--way needs a name'
        ways+=("$2")
        shift 2 ;;
      --help | -h) soak_usage; return 0 ;;
      *) fail "soak has no option '$1' (./lab soak --help)" ;;
    esac
  done
  [[ $states =~ ^[1-9][0-9]*$ ]] || fail "--states must be a positive number, not '$states'"
  ensure build test rigs
  build_preset release pagealloc_crash
  ((${#ways[@]} > 0)) || build_preset debug pagealloc_rig
  local date out=$root/build/soak
  date=$(date -u +%Y-%m-%d)
  rm -rf "$out"
  mkdir -p "$out" "$root/docs/soak"
  git -C "$root" describe --always --dirty --abbrev=12 >"$out/commit"
  # The program that runs for an hour must not change under the next build.
  cp "$root/build/release/bin/pagealloc_crash" "$out/pagealloc_crash"
  heading "Soak: $states distinct media on each way"
  local failed=0
  local way all some=${#ways[@]}
  mapfile -t all < <("$out/pagealloc_crash" --list-ways)
  for way in "${ways[@]}"; do
    [[ " ${all[*]} " == *" $way "* ]] || fail "there is no way '$way', only ${all[*]}"
  done
  ((some > 0)) || ways=("${all[@]}")
  for way in "${ways[@]}"; do
    echo "two-page $way"
    echo "allocator $way"
    [[ $way != *_cached ]] || echo "two-handles $way"  # who shares a cache
  done >"$out/runs"
  # shellcheck disable=SC2016  # the inner shell's
  <"$out/runs" xargs -P "$jobs" -L1 bash -c \
    '"$0/pagealloc_crash" --store "$2" --way "$3" --states "$1" --json "$0/$2-$3.json"' "$out" "$states" ||
    failed=1
  ((some > 0)) || soak_rigs "$out" || failed=1
  python3 "$lib/soak.py" "$out" "$root/docs/soak/$date.json" || failed=1
  return "$failed"
}
