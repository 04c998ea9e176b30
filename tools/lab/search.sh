# shellcheck shell=bash disable=SC2034,SC2154  # names are shared between these files
# How fast a B+tree node is, beside what else holds keys in order.

# search [OPTIONS of Google Benchmark]
cmd_search() {
  ensure build
  require_written './lab search' pagealloc/page/ pagealloc/slotted/
  build_preset release pagealloc_search
  exec "$root/build/release/bin/pagealloc_search" "$@"
}
