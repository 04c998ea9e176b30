# shellcheck shell=bash disable=SC2034,SC2154  # names are shared between these files
# ./lab compare: measure, draw, point results/latest at it.

# A directory of its own for every run; two runs may start within one second.
new_results() {
  local base stamp suffix=''
  base=$root/results
  mkdir -p "$base"
  stamp=$(date -u +%Y%m%d-%H%M%S)
  until mkdir "$base/compare-$stamp$suffix" 2>/dev/null; do
    [[ -d $base/compare-$stamp$suffix ]] || fail "no directory can be made in $base"
    suffix=$((${suffix:--1} - 1))
  done
  results=$base/compare-$stamp$suffix
}

cmd_compare() {
  local bench=$root/build/release/bin/pagealloc_bench argument list=''
  for argument in "$@"; do
    case $argument in
      --help | -h)
        usage
        if [[ -x $bench ]]; then say && say 'Options of the harness:' && "$bench" --help; fi
        return ;;
      --list) list=yes ;;
      --out | --out=*)
        fail "compare names the directory itself; to choose it: $bench --out DIR" ;;
    esac
  done

  require_proc
  ensure build compare
  if [[ "$*" != *--filter* ]]; then require_written './lab compare' pagealloc/ impl_; fi
  # Only what measures: the tests take longer to compile than everything else.
  build_preset release bin/pagealloc_bench
  if [[ $list ]]; then "$bench" "$@"; return; fi
  probe_python '' || fail "$found"

  local results result=0
  new_results
  heading "Measuring into ${results#"$root"/}"
  # The harness notes in results.json what was typed, and for which state of the sources.
  export PAGEALLOC_COMMAND="./lab compare${*:+ $*}"
  if PAGEALLOC_COMMIT=$(git -C "$root" describe --always --dirty 2>/dev/null); then
    export PAGEALLOC_COMMIT
  fi
  # Ctrl-C reaches the harness too, which writes what it has; so this script only has to outlive it.
  trap 'true' INT
  "$bench" --out "$results" --cache-trace "$root/harness/caches/sqlite.trace" "$@" || result=$?
  trap - INT
  if ((result != 0 && result != 130)) || [[ ! -s $results/results.json ]]; then
    rmdir "$results" 2>/dev/null || true
    ((result != 130)) || { say 'Interrupted before anything was measured.'; exit 130; }
    fail "pagealloc_bench wrote no results or failed (exit $result)"
  fi

  heading 'Drawing the report'
  MPLBACKEND=Agg "$python" "$root/plots/report.py" "$results" || fail "plots/report.py failed"
  [[ -s $results/report.html ]] || fail "plots/report.py wrote no report.html"
  # Relative, so that the tree can be moved; made anew and renamed, so that it is never absent.
  ln -sfn "${results##*/}" "$root/results/.latest.$$"
  mv -fT "$root/results/.latest.$$" "$root/results/latest"

  if ((result == 130)); then say 'Interrupted: the report shows what was measured until then.'; fi
  say "Report: $results/report.html"
  return "$result"
}
