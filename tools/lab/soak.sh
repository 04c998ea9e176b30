# shellcheck shell=bash disable=SC2034,SC2154  # names are shared between these files
# The large counts: as many power cuts as there is patience for, and a dated result to commit.

soak_usage() {
  cat <<'HELP'
Usage: ./lab soak [--states N]

Runs the correct two-page store on every way to open a file until N distinct media (default 10
million) have been judged on each, as many ways at a time as there are cores. Then the crash rigs
that can run here, on ext4 and XFS, with their questions to the kernel. The result goes to
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

# soak [--states N]
cmd_soak() {
  local states=10000000
  while (($# > 0)); do
    case $1 in
      --states)
        (($# > 1)) || fail '--states needs a number'
        states=$2
        shift 2 ;;
      --help | -h) soak_usage; return 0 ;;
      *) fail "soak has no option '$1' (./lab soak --help)" ;;
    esac
  done
  [[ $states =~ ^[1-9][0-9]*$ ]] || fail "--states must be a positive number, not '$states'"
  ensure build test rigs
  build_preset release pagealloc_crash
  build_preset debug pagealloc_rig
  local date out=$root/build/soak
  date=$(date -u +%Y-%m-%d)
  rm -rf "$out"
  mkdir -p "$out" "$root/docs/soak"
  git -C "$root" describe --always --dirty --abbrev=12 >"$out/commit"
  # The program that runs for an hour must not change under the next build.
  cp "$root/build/release/bin/pagealloc_crash" "$out/pagealloc_crash"
  heading "Soak: $states distinct media on each way"
  local failed=0
  "$out/pagealloc_crash" --list-ways >"$out/ways"
  <"$out/ways" xargs -P "$jobs" -I{} "$out/pagealloc_crash" --way {} --states "$states" --json "$out/{}.json" ||
    failed=1
  soak_rigs "$out" || failed=1
  python3 "$lib/soak.py" "$out" "$root/docs/soak/$date.json" || failed=1
  return "$failed"
}
