# shellcheck shell=bash disable=SC2034,SC2154  # names are shared between these files
# What every command shares. Sourced by ./lab, which sets root, lib and jobs.

# Colour only where a person looks at it (https://no-color.org).
bold='' green='' yellow='' red='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
  bold=$'\e[1m' green=$'\e[32m' yellow=$'\e[33m' red=$'\e[31m' plain=$'\e[0m'
fi
readonly bold green yellow red plain

say() { printf '%s\n' "$*"; }
heading() { printf '%s== %s%s\n' "$bold" "$*" "$plain"; }

fail() {
  printf 'lab: %s\n' "$*" >&2
  exit 1
}

# require_written PROGRAM FOLDER...: in a student's repository, fails with the labs that PROGRAM still
# needs where functions that stand for what these folders lack are not written yet.
require_written() {
  [[ -e $root/labs/export.json ]] || return 0
  PYTHONPATH=$root/labs PYTHONDONTWRITEBYTECODE=1 "${python:-python3}" -m course written "$@" || exit
}

have() { command -v "$1" >/dev/null 2>&1; }

# at_least 3.25.1 3.25: is the first version as new as the second?
at_least() {
  local -a is wants
  IFS=. read -r -a is <<<"${1%%[!0-9.]*}"
  IFS=. read -r -a wants <<<"$2"
  local i
  for i in "${!wants[@]}"; do
    if ((10#${is[i]:-0} != 10#${wants[i]})); then
      ((10#${is[i]:-0} > 10#${wants[i]}))
      return
    fi
  done
}
