# shellcheck shell=bash disable=SC2034,SC2154  # names are shared between these files
# ./lab format and ./lab lint.

# tracked PATTERN...: sets `files`. Outside a git work tree (an unpacked archive): what is there.
files=()
tracked() {
  local list file
  list=$(git -C "$root" ls-files -- "$@" 2>/dev/null) ||
    list=$(cd "$root" && find . -path ./build -prune -o \
      -type f \( -name "$1" -o -name "${2:-$1}" \) -printf '%P\n')
  files=()
  while read -r file; do
    # A file deleted and not yet committed is still tracked.
    if [[ -f $root/$file ]]; then files+=("$file"); fi
  done <<<"$list"
  ((${#files[@]} > 0)) || fail "there are no files $* here"
}

# One version for everyone: clang-format's releases disagree on a few lines of any tree.
readonly formatter=clang-format-19

cmd_format() {
  if (($# > 1)) || [[ ${1:---check} != --check ]]; then
    fail 'format takes only --check (./lab help)'
  fi
  ensure format
  tracked '*.h' '*.cpp'
  cd "$root" || fail "cannot enter $root"
  if (($# == 0)); then
    "$formatter" -i "${files[@]}" || fail "$formatter failed"
    say "Formatted ${#files[@]} files."
    return
  fi
  local file
  local -a wrong=()
  for file in "${files[@]}"; do
    "$formatter" --dry-run --Werror "$file" >/dev/null 2>&1 || wrong+=("$file")
  done
  if ((${#wrong[@]} > 0)); then
    printf '  %s\n' "${wrong[@]}"
    fail "${#wrong[@]} of ${#files[@]} files are not formatted: ./lab format does it"
  fi
  say "${#files[@]} files are formatted."
}

cmd_lint() {
  ensure build lint
  configure debug >/dev/null
  if (($# > 0)); then files=("$@"); else tracked '*.cpp'; fi
  local database=$root/build/debug/compile_commands.json file
  local -a compiled=()
  for file in "${files[@]}"; do
    # Sources that are not part of this build have no flags to be read with.
    if grep -qF "$file\"" "$database"; then compiled+=("$file"); fi
  done
  ((${#compiled[@]} > 0)) || fail "none of these files is in $database"
  local -a options=(--quiet -p "$root/build/debug")
  heading "clang-tidy-19 over ${#compiled[@]} files"
  (cd "$root" && printf '%s\0' "${compiled[@]}" |
    xargs -0 -n 1 -P "$jobs" clang-tidy-19 "${options[@]}" 2>&1 |
    sed '/ warnings\{0,1\} generated\.$/d') || fail 'clang-tidy found something'
  say 'Nothing found.'
}
