#!/usr/bin/env bash
# The crash rigs: the real implementations on a real kernel whose disk loses what was not flushed.
# See README.md here; `./lab rigs` builds the program, installs what is missing and calls this.
set -euo pipefail

rigs=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd -P)
readonly rigs
# shellcheck source=harness/crash/rigs/available.sh
. "$rigs/available.sh"

usage() {
  cat <<'HELP'
Usage: rig.sh --program PAGEALLOC_RIG [OPTIONS] [NAME...]

Rigs (default: all):
  uml      dm-flakey, dm-log-writes and failing blocks under user-mode-linux; no rights needed
  loop     a cut at every flush and failing blocks on this kernel, through qemu-storage-daemon; root
  dm       dm-flakey, dm-log-writes and failing blocks on this kernel's device-mapper; root

Options:
  --fs ext4|xfs    the file system (default: ext4)
  --seed N         of the moments of the cuts (default: another each time; printed)
  --probes N       ask each question about this kernel N times as well (default: 0)
  --json FILE      write the verdict there as well

Exit code: 0 all that was asked for ran and passed, 1 something failed, 2 the rig itself broke,
77 all that ran passed and something could not run here.
HELP
}

fail() {
  printf 'rig: %s\n' "$*" >&2
  exit 2
}

program='' fs=ext4 seed='' probes=0 json=''
names=()
while (($#)); do
  case $1 in
    --program) program=${2:-}; shift ;;
    --fs) fs=${2:-}; shift ;;
    --seed) seed=${2:-}; shift ;;
    --probes) probes=${2:-}; shift ;;
    --json) json=${2:-}; shift ;;
    --help | -h) usage; exit 0 ;;
    uml | loop | dm) names+=("$1") ;;
    *) fail "unknown argument '$1' (--help)" ;;
  esac
  shift
done
((${#names[@]} > 0)) || names=(uml loop dm)
[[ -z $json ]] || rm -f "$json"  # that of an earlier run must not be taken for this one's
[[ -x $program ]] || fail "--program: no program '$program'"
program=$(readlink -f "$program")
seed=${seed:-$((RANDOM * 32768 + RANDOM))}
case $fs in
  ext4) fs_mib=12 memory=128M ;;
  xfs) fs_mib=300 memory=384M ;;  # mkfs.xfs makes none that is smaller
  *) fail "unknown file system '$fs'" ;;
esac

# In memory where there is room: these disks must forget, not remember, and each flush of theirs would
# be one of the real disk.
room_kib() { df -Pk "$1" 2>/dev/null | awk 'NR == 2 { print $4 }'; }
parent=/dev/shm
if [[ ! -w $parent ]] || (($(room_kib $parent) < 1024 * (4 * fs_mib + 512))); then
  parent=${TMPDIR:-/tmp}
fi
scratch=$(mktemp -d "$parent/pagealloc-rigs.XXXXXX")
running=''
finish() {
  local result=$?
  trap '' INT TERM
  if [[ $running ]]; then
    kill -TERM "$running" 2>/dev/null || true
    wait "$running" 2>/dev/null || true
  fi
  # A disk that is still mounted below would be emptied: then rather leave it there.
  rm -rf --one-file-system "$scratch" || true
  exit "$result"
}
trap finish EXIT
trap 'exit 130' INT TERM

# The file system that every run begins with, and three disks for the others to lie on.
make_images() {
  truncate -s "${fs_mib}M" "$scratch/base.raw"
  case $fs in
    # All is written now, nothing later in the background.
    ext4)
      mkfs.ext4 -q -b 4096 -J size=4 -E lazy_itable_init=0,lazy_journal_init=0 \
        "$scratch/base.raw" ;;
    xfs) mkfs.xfs -q "$scratch/base.raw" ;;
  esac
  truncate -s $((fs_mib + 1))M "$scratch/disk.raw" "$scratch/check.raw"
  truncate -s $((fs_mib + 256))M "$scratch/log.raw"
}

# What test.sh is told; "images" is what it calls the scratch directory.
settings() {
  printf '%s=%q\n' name "$1" rigs "$rigs" program "$program" fs "$fs" \
    fs_bytes $((fs_mib * 1024 * 1024)) seed "$seed" probes "$probes"
}

# run_rig NAME: 0 when the test came to its end; what it found is in rows.tsv.
run_rig() {
  settings "$1" >"$scratch/settings"
  rm -f "$scratch/out/status"
  case $1 in
    uml)
      uml "$scratch" mem=$memory init="$rigs/uml_init.sh" rig_scratch="$scratch" \
        ubd0="$scratch/disk.raw" ubd1="$scratch/log.raw" ubd2="$scratch/check.raw" ;;
    *) bash "$rigs/test.sh" "$scratch" ;;
  esac > >(tee "$scratch/console" | sed -un 's/\r$//; s/^rig: /  /p') 2>&1 &
  running=$!
  # user-mode-linux ends with the status of a machine that was switched off: the test writes its own.
  wait "$running" || true
  running=''
  if [[ ! -e $scratch/out/status ]]; then
    tail -n 30 "$scratch/console" >&2
    fail "$1: the test did not come to its end"
  fi
}

mkdir "$scratch/out"
: >"$scratch/out/rows.tsv"
: >"$scratch/out/probes.tsv"
absent=() ran=''
for name in "${names[@]}"; do
  found='' cure=''
  if "probe_rig_$name" && rig_tools xfsprogs:"mkfs.$fs"; then
    printf '%s: seed %s, %s\n' "$name" "$seed" "$fs"
    make_images
    began=$SECONDS ran=yes
    run_rig "$name"
    printf '%s: %d seconds\n' "$name" $((SECONDS - began))
    if [[ $name/$fs == uml/xfs ]]; then
      absent+=("uml/log-writes: not available here: to put 300 MB in place for each of hundreds of \
cuts takes minutes a row under user-mode-linux; to get it: rig loop --fs xfs")
    fi
  else
    absent+=("$name: not available here: $found${cure:+; to get it: $cure}")
  fi
done

if [[ -z $ran ]]; then
  printf '%s\n' "${absent[@]}"
  exit 77
fi
result=0
python3 "$rigs/verdict.py" "$scratch/out" --seed "$seed" --fs "$fs" \
  ${json:+--json "$json"} "${absent[@]/#/--absent=}" || result=$?
((result == 0)) || exit 1
((${#absent[@]} == 0)) || exit 77
