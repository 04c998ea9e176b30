# shellcheck shell=bash disable=SC2034,SC2154  # names are shared between these files
# The crash rigs: the same stores as in crash, on real kernels whose disks lose what was not flushed.

# rigs [OPTIONS of harness/crash/rigs/rig.sh] [NAME...]
cmd_rigs() {
  require_proc
  ensure build test rigs
  build_preset debug pagealloc_rig
  exec "$root/harness/crash/rigs/rig.sh" --program "$root/build/debug/bin/pagealloc_rig" "$@"
}
