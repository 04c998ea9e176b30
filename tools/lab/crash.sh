# shellcheck shell=bash disable=SC2034,SC2154  # names are shared between these files
# Taking the power away from a store on the simulated machine.

# crash [OPTIONS of pagealloc_crash]
cmd_crash() {
  ensure build
  if [[ ${1:-} != --demo ]]; then require_written './lab crash' harness/crash/; fi
  build_preset release pagealloc_crash
  exec "$root/build/release/bin/pagealloc_crash" "$@"
}
