# shellcheck shell=bash disable=SC2154  # names are shared between these files
# The course: what labs/course does, with a configured build in place for what compiles.

cmd_course() {
  local -a kinds=(build)
  case $1 in bench) kinds+=(compare) ;; esac
  ensure "${kinds[@]}"
  if [[ $1 == bench ]]; then
    probe_python '' || fail "$found"
    if [[ ! -e $root/build/release/build.ninja ]]; then configure release >/dev/null; fi
  fi
  case $1 in
    check | grade | bench | proof | costs)
      if [[ ! -e $root/build/debug/build.ninja ]]; then
        say 'Configuring the build (the first time only)'
        configure debug >/dev/null
      fi
      ;;
  esac
  PYTHONPATH=$root/labs PYTHONDONTWRITEBYTECODE=1 exec "${python:-python3}" -m course "$@"
}
