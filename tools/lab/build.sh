# shellcheck shell=bash disable=SC2034,SC2154  # names are shared between these files
# Building and testing, always through the presets of CMakePresets.json.

readonly presets='release debug asan tsan'

known_preset() {
  case " $presets " in *" $1 "*) ;; *) fail "no preset '$1' (there are: $presets)" ;; esac
}

# Without /proc neither the sanitizers nor the measurements work, and they do not say why.
require_proc() {
  [[ -e /proc/self/stat ]] || fail '/proc is not mounted: mount -t proc proc /proc'
}

# ThreadSanitizer of g++ before 14 dies at once ("unexpected memory mapping") where the kernel
# randomizes addresses by more bits than it expects; such a process runs without randomizing.
fixed_addresses=()
fix_addresses() {
  if setarch "$(uname -m)" -R true 2>/dev/null; then
    fixed_addresses=(setarch "$(uname -m)" -R)
  fi
}

configure() {
  if [[ -z $compiler ]]; then
    probe_compiler "" || fail "$found"
  fi
  local cache=$root/build/$1/CMakeCache.txt
  # cmake and ninja keep absolute paths: a build that moved with its tree is of no use to them.
  if [[ -e $cache ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$cache"; then
    rm -rf "$root/build/$1"
  fi
  # cmake reads CXX only while there is no cache yet, so a chosen compiler stays chosen. The tests
  # of the plots need the python3 that has matplotlib, which cmake would not look for.
  (cd "$root" &&
    CXX=$compiler cmake --preset "$1" ${python:+-DPython3_EXECUTABLE="$python"}) ||
    fail "cmake could not configure '$1'"
}

# build_preset PRESET [TARGET...]
build_preset() {
  local preset=$1
  shift
  heading "Building: $preset"
  if [[ $preset == tsan ]]; then fix_addresses; fi
  configure "$preset"
  # Test programs are listed while building, by running them: see fix_addresses.
  (cd "$root" && "${fixed_addresses[@]}" cmake --build --preset "$preset" \
    --parallel "$jobs" ${1:+--target "$@"}) ||
    fail "the build of '$preset' failed"
}

cmd_build() {
  local preset=${1:-release}
  (($# <= 1)) || fail 'build takes one preset (./lab help)'
  known_preset "$preset"
  ensure build
  build_preset "$preset"
  say "Programs: $root/build/$preset/bin"
}

cmd_test() {
  local preset=debug argument previous=''
  local -a rest=()
  for argument in "$@"; do
    case $previous,$argument in
      --preset,*) preset=$argument ;;
      *,--preset) ;;
      *,--preset=*) preset=${argument#--preset=} ;;
      *) rest+=("$argument") ;;
    esac
    previous=$argument
  done
  known_preset "$preset"
  require_proc
  ensure build compare test
  build_preset "$preset"
  heading "Testing: $preset"
  local result=0
  (cd "$root" && "${fixed_addresses[@]}" ctest --preset "$preset" --no-tests=error \
    --parallel "$jobs" "${rest[@]}") || result=$?
  ((result == 0)) || fail "ctest --preset $preset failed"
}
