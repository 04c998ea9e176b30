# shellcheck shell=bash disable=SC2034,SC2154  # names are shared between these files
# Any bytes at all as pages, drawn by libFuzzer from what they make the code do.

readonly fuzzers='page layout'

fuzz_usage() {
  cat <<'HELP'
Usage: ./lab fuzz [page|layout]... [--runs N] [--keep]

Hands any bytes to what reads pages, under AddressSanitizer and UBSan, beginning with the corpus in
pagealloc/slotted/fuzz/corpus:
  page    a slotted page or a B+tree node: looked at, searched, changed
  layout  what `pagealloc inspect` draws of a page

  --runs N   executions of each (default 1000000, about a minute); the first seed is always the same
  --keep     add to the corpus what covers more than it does

Bytes that end in a fault are left in build/fuzz/found/, and the program says what went wrong. To see
it again: build/fuzz/bin/page_fuzz FILE. Exit code 1: something was found.
HELP
}

# fuzz_one NAME RUNS KEEP
fuzz_one() {
  local name=$1 runs=$2 keep=$3
  local corpus=$root/pagealloc/slotted/fuzz/corpus/$name new=$root/build/fuzz/new/$name
  local log=$root/build/fuzz/$name.log program=$root/build/fuzz/bin/${name}_fuzz result=0
  heading "Fuzzing: $name"
  rm -rf "$new"
  mkdir -p "$new" "$corpus" "$root/build/fuzz/found"
  # The longest inputs are of 4096 bytes; a larger page finds nothing that this one does not, slowly.
  "$program" "$new" "$corpus" -seed=1 -runs="$runs" -max_len=4096 -print_final_stats=1 \
    -artifact_prefix="$root/build/fuzz/found/" >"$log" 2>&1 || result=$?
  if ((result != 0)); then
    grep -v '^#[0-9]' "$log" | tail -n 60 >&2
    say "Found. Once more: $program FILE; everything it said: $log" >&2
    return 1
  fi
  local last
  last=$(grep '^#[0-9].*DONE' "$log" | tail -n 1)
  [[ $last =~ cov:\ ([0-9]+)\ ft:\ ([0-9]+)\ corp:\ ([0-9]+) ]] ||
    fail "the end of $log is not as expected"
  say "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log") executions, nothing found;" \
    "${BASH_REMATCH[1]} edges covered, ${BASH_REMATCH[2]} features, by ${BASH_REMATCH[3]} inputs"
  [[ ! $keep ]] || "$program" -merge=1 "$corpus" "$new" >>"$log" 2>&1 || fail "cannot merge: $log"
}

# fuzz [NAME]... [--runs N] [--keep]
cmd_fuzz() {
  local runs=1000000 keep='' name names=()
  while (($# > 0)); do
    case $1 in
      --runs)
        (($# > 1)) || fail '--runs needs a number'
        runs=$2
        shift ;;
      --keep) keep=yes ;;
      --help | -h) fuzz_usage; return 0 ;;
      *)
        [[ " $fuzzers " == *" $1 "* ]] || fail "fuzz has no '$1' (./lab fuzz --help)"
        names+=("$1") ;;
    esac
    shift
  done
  [[ $runs =~ ^[1-9][0-9]*$ ]] || fail "--runs must be a positive number, not '$runs'"
  ensure build fuzz
  require_written './lab fuzz' pagealloc/page/ pagealloc/slotted/
  require_proc
  read -r -a names <<<"${names[*]:-$fuzzers}"
  build_preset fuzz "${names[@]/%/_fuzz}"
  for name in "${names[@]}"; do fuzz_one "$name" "$runs" "$keep" || return 1; done
}
