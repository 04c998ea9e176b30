# shellcheck shell=bash disable=SC2034,SC2154  # names are shared between these files
# What the project needs from the distribution, how to see that it is there, how to install it.

# package|kind|what to look for|the commands that need it
# Looked for by what is used (a command, a header), not in dpkg's list: what was built by hand or
# comes from another package manager counts as well.
readonly needs='g++|compiler||build
cmake|cmake|3.25|build
ninja-build|command|ninja|build
pkg-config|command|pkg-config|build
libisal-dev|header|isa-l/crc.h|build
liblmdb-dev|header|lmdb.h|build
liburing-dev|header|liburing.h|build
libcli11-dev|header|CLI/CLI.hpp|build
libfmt-dev|header|fmt/format.h|build
libxxhash-dev|header|xxhash.h|build
nlohmann-json3-dev|header|nlohmann/json.hpp|build
libgtest-dev|header|gtest/gtest.h|build
libgmock-dev|header|gmock/gmock.h|build
libbenchmark-dev|header|benchmark/benchmark.h|build
patch|command|patch|build
libseccomp-dev|header|seccomp.h|build
libboost-dev|header|boost/intrusive/set.hpp|build
python3|command|python3|build
fio|command|fio|compare
python3-matplotlib|python||compare
python3-jsonschema|module|jsonschema|test
strace|command|strace|test
chromium|command|chromium|test
user-mode-linux|tool|linux.uml|test
kmod|tool|insmod|test
dmsetup|tool|dmsetup|test
e2fsprogs|tool|mkfs.ext4|test
mount|tool|mount|test
qemu-system-common|tool|qemu-storage-daemon|rigs
fuse3|tool|fusermount3|rigs
xfsprogs|tool|mkfs.xfs|rigs
clang-19|command|clang++-19|fuzz
libclang-rt-19-dev|fuzzer|clang++-19|fuzz
clang-format-19|command|clang-format-19|format
clang-tidy-19|command|clang-tidy-19|lint'

# Every probe sets `found` to what was found, or fails and sets it to what is wrong.
found=''

probe_command() {
  found=$(command -v "$1") || { found="no $1 on PATH"; return 1; }
}

# What only root has on his PATH.
probe_tool() {
  found=$(PATH=$PATH:/usr/sbin:/sbin command -v "$1") || { found="no $1"; return 1; }
}

probe_header() {
  local dir
  local -a dirs
  IFS=: read -r -a dirs <<<"${CPATH:-}:/usr/include:/usr/local/include"
  for dir in "${dirs[@]}"; do
    if [[ -n $dir && -e $dir/$1 ]]; then
      found=$dir/$1
      return 0
    fi
  done
  found="no header $1"
  return 1
}

# What libFuzzer and the sanitizers of this clang are made of.
probe_fuzzer() {
  local resources
  resources=$("$1" -print-resource-dir 2>/dev/null) || { found="no $1 on PATH"; return 1; }
  found=$(find "$resources/lib" -name 'libclang_rt.fuzzer[.-]*' -print -quit 2>/dev/null)
  [[ $found ]] || { found="no libclang_rt.fuzzer in $resources"; return 1; }
}

# The first compiler that has what the sources use: C++23's std::expected (g++ from 12 on).
# An older default beside a newer g++-N is common, so those are tried too.
compiler=''
probe_compiler() {
  local candidate
  for candidate in ${CXX:+"$CXX"} c++ g++ g++-15 g++-14 g++-13 g++-12; do
    have "$candidate" || continue
    if printf '#include <expected>\nint main() { return *std::expected<int, int>(0); }\n' |
      "$candidate" -std=c++23 -x c++ -fsyntax-only - >/dev/null 2>&1; then
      compiler=$(command -v "$candidate")
      found="$("$candidate" --version | head -n 1) ($compiler)"
      return 0
    fi
  done
  if have c++ || have g++; then
    found='the compiler here lacks C++23 <expected>: g++ 12 or newer is needed'
  else
    found='no C++ compiler on PATH'
  fi
  return 1
}

probe_cmake() {
  probe_command cmake || return 1
  local version
  version=$(cmake --version) || { found='cmake does not run'; return 1; }
  version=${version%%$'\n'*}
  version=${version##* }
  if ! at_least "$version" "$1"; then
    found="cmake $version is older than $1"
    return 1
  fi
  found="$version ($found)"
}

# The python3 first on PATH is often one of pyenv or a virtual environment without matplotlib.
python=''
probe_python() {
  local candidate version tried=''
  local -a candidates
  mapfile -t candidates <<<"$(type -aP python3)"$'\n/usr/bin/python3'
  for candidate in "${candidates[@]}"; do
    [[ -x $candidate ]] || continue
    tried+=" $candidate"
    if version=$("$candidate" -c 'import matplotlib; print(matplotlib.__version__)' 2>/dev/null)
    then
      python=$candidate
      found="matplotlib $version of $candidate"
      return 0
    fi
  done
  found="${tried:+no matplotlib in:$tried}"
  found=${found:-no python3 on PATH}
  return 1
}

# Of the python3 that probe_python has found: both are asked for by ./lab test.
probe_module() {
  local interpreter=${python:-/usr/bin/python3}
  found=$("$interpreter" -c "import $1; print('$1 of $interpreter')" 2>/dev/null) ||
    { found="no $1 in $interpreter"; return 1; }
}

# missing_packages GROUP...: sets `missing` to the packages these groups of commands still need.
missing=()
missing_packages() {
  local package kind what group
  missing=()
  while IFS='|' read -r package kind what group; do
    case " $* " in *" $group "*) ;; *) continue ;; esac
    if ! "probe_$kind" "$what"; then
      # Here g++ is installed and too old: the distribution may have a newer one under its number.
      if [[ $package == g++ ]] && have g++; then package=g++-12; fi
      missing+=("$package")
    fi
  done <<<"$needs"
}

# The command a person types to install these.
install_command() {
  local command="apt-get update && apt-get install -y --no-install-recommends $*"
  if ((EUID == 0)); then
    say "$command"
  elif have sudo; then
    say "sudo ${command/&& /&& sudo }"
  else
    say "su -c '$command'"
  fi
}

# ensure GROUP...: installs what these groups of commands miss; calls no apt where all is there.
ensure() {
  missing_packages "$@"
  if ((${#missing[@]} == 0)); then return 0; fi
  local list="${missing[*]}" by_hand
  by_hand=$(install_command "${missing[@]}")
  have apt-get || fail "missing: $list; there is no apt-get here to install them with:" \
    "install them with this system's package manager"
  local -a as_root=()
  if ((EUID != 0)); then
    # Without a terminal sudo cannot ask for a password, so it must not need one.
    if ! have sudo || { [[ ! -t 0 ]] && ! sudo -n true 2>/dev/null; }; then
      fail "missing: $list; installing needs root: $by_hand"
    fi
    as_root=(sudo)
  fi
  heading "Installing from the distribution: $list"
  mkdir -p "$root/build"
  local log=$root/build/install.log
  : >"$log"
  local updated=''
  if ! apt_get install --simulate "${missing[@]}"; then
    apt_update
    updated=yes
  fi
  if ! apt_get install "${missing[@]}"; then
    # Package lists that are too old name versions which the mirror no longer has.
    [[ -z $updated ]] || install_failed "$by_hand"
    apt_update
    apt_get install "${missing[@]}" || install_failed "$by_hand"
  fi
  hash -r
  missing_packages "$@"
  ((${#missing[@]} == 0)) || fail "installed, but still missing: ${missing[*]} ($log has details)"
}

# Uses as_root and log of ensure().
apt_get() {
  local verb=$1
  shift
  # Output goes to the log: hundreds of lines that matter only when something fails.
  if [[ $verb == install && $1 != --simulate ]]; then
    say "${as_root[*]:+${as_root[*]} }apt-get install -y --no-install-recommends $*"
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -y -q -o Dpkg::Use-Pty=0 "$verb" --no-install-recommends "$@" >>"$log" 2>&1 </dev/null
}

apt_update() {
  say "${as_root[*]:+${as_root[*]} }apt-get update"
  apt_get update || say "apt-get update failed (see $log); trying with the lists that are here"
}

install_failed() {
  tail -n 5 "$log" >&2
  fail "apt-get could not install ${missing[*]} ($log has all of it); by hand: $1"
}
