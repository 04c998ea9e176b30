# shellcheck shell=bash disable=SC2034,SC2154  # names are shared between these files
# ./lab doctor: every check as a line (or as JSON), then whether the main job can run.

json=''
blocked=()    # checks that fail and without which compare cannot run
unbuilt=''    # set: one of them is needed for building, without which nothing can run
check_json=() # one object a check

json_string() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"}
  text=${text//$'\n'/\\n}
  text=${text//$'\t'/\\t}
  printf '"%s"' "$text"
}

# report NAME STATUS REQUIRED DETAIL CURE
report() {
  local name=$1 status=$2 required=$3 detail=$4 cure=$5
  if [[ $status == missing && $required == true ]]; then blocked+=("$name"); fi
  if [[ $json ]]; then
    check_json+=("{\"name\": $(json_string "$name"), \"status\": $(json_string "$status"),$(
      ) \"required\": $required, \"detail\": $(json_string "$detail"),$(
      ) \"install\": $(json_string "$cure")}")
    return
  fi
  case $status in
    ok) printf '  %-20s %sok%s       %s\n' "$name" "$green" "$plain" "$detail" ;;
    missing)
      printf '  %-20s %smissing%s  %s%s\n' "$name" "$red" "$plain" "$detail" "${cure:+: $cure}" ;;
    unknown) printf '  %-20s %snot tried%s: %s\n' "$name" "$yellow" "$plain" "$detail" ;;
    *)
      printf '  %-20s %snot available here%s: %s\n' "$name" "$yellow" "$plain" "$detail" ;;
  esac
}

section() { [[ $json ]] || heading "$*"; }

# check NAME REQUIRED PROBE [ARGUMENT...]
check() {
  local name=$1 required=$2 result=0
  shift 2
  cure=''
  "$@" || result=$?
  case $result in
    0) report "$name" ok "$required" "$found" '' ;;
    1) report "$name" missing "$required" "$found" "$cure" ;;
    "$not_tried") report "$name" unknown "$required" "$found" '' ;;
    *) report "$name" unavailable "$required" "$found" '' ;;
  esac
}

check_packages() {
  local package kind what group required
  while IFS='|' read -r package kind what group; do
    case $group in build | compare) required=true ;; *) required=false ;; esac
    if "probe_$kind" "$what"; then
      report "$package" ok "$required" "$found" ''
    else
      if [[ $group == build ]]; then unbuilt=yes; fi
      if [[ $package == g++ ]] && have g++; then package=g++-12; fi
      report "$package" missing "$required" "$found" "$(install_command "$package")"
    fi
  done <<<"$needs"
}

# The disk's checks write a small file where a run would write its own.
check_disk() {
  local dir=$1 file
  check 'file system' false probe_file_system "$dir"
  check 'write cache' false probe_write_cache
  check 'disk space' true probe_space "$dir"
  if file=$(mktemp "$dir/.lab-doctor.XXXXXX" 2>/dev/null); then
    # Expanded now: the file's name is local to this function.
    # shellcheck disable=SC2064
    trap "rm -f '$file'" EXIT
    check 'O_DIRECT' false probe_direct "$file"
    check 'io_uring' false probe_uring "$file"
    rm -f "$file"
    trap - EXIT
  else
    report 'writable' missing true "no file can be made in $dir" \
      'measure elsewhere: ./lab compare --dir DIR'
  fi
}

conclude() {
  missing_packages build compare
  local packages="${missing[*]}" by_hand='' names
  if [[ $packages ]]; then by_hand=$(install_command "${missing[@]}"); fi
  if [[ $json ]]; then
    local IFS=,
    printf '{"ready": %s, "install": %s, "checks": [%s]}\n' \
      "$( ((${#blocked[@]} == 0)) && echo true || echo false)" "$(json_string "$by_hand")" \
      "${check_json[*]}"
  elif ((${#blocked[@]} == 0)); then
    say "Ready: ./lab compare"
  else
    if [[ ! $unbuilt ]]; then say 'Ready to build: ./lab build, ./lab check and what else compiles'; fi
    names=$(printf ', %s' "${blocked[@]}")
    say "Not ready: ./lab compare needs ${names:2}"
    if [[ $by_hand ]]; then
      if ((EUID == 0)) || have sudo; then say './lab compare installs the packages; by hand:'; fi
      say "  $by_hand"
    fi
  fi
  ((${#blocked[@]} == 0))
}

cmd_doctor() {
  local dir=''
  while (($#)); do
    case $1 in
      --json) json=yes ;;
      --dir) dir=${2:-}; [[ $dir ]] || fail '--dir needs a directory'; shift ;;
      --dir=*) dir=${1#--dir=} ;;
      *) fail "doctor does not know '$1' (./lab help)" ;;
    esac
    shift
  done
  dir=${dir:-$root}
  [[ -d $dir ]] || fail "no such directory: $dir"

  section 'Packages'
  check_packages
  section 'Machine'
  check 'cores' false probe_cores
  check 'memory' false probe_memory
  check '/proc' true probe_mounted proc /proc /proc/self/stat
  check '/sys' false probe_mounted sysfs /sys /sys/dev
  check 'root' false probe_root
  check 'locked memory' false probe_memlock
  check 'memory limit' false probe_memory_limit
  check 'ptrace' false probe_ptrace
  check 'Landlock' false probe_landlock
  section 'Crash rigs'
  check 'rig uml' false probe_rig_uml
  check 'rig loop' false probe_rig_loop
  check 'rig dm' false probe_rig_dm
  section "Disk: $dir"
  check_disk "$(cd "$dir" && pwd -P)"
  conclude
}
