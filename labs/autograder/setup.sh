#!/usr/bin/env bash
# Makes the image of the autograder: what the distribution has, and everything but the submission
# compiled. Run once, as root.
set -euo pipefail

source=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd -P)
target=/autograder/pagealloc

# Nobody, who compiles and runs submissions, must be able to read the sources, and not the seed.
mkdir -p "$target"
cp -a "$source/repository/." "$target/"
chmod 755 /autograder "$target"
chmod -R go+rX "$target"
chmod 755 "$target/lab"  # some tools unpack a zip without the files' modes
install -m 600 "$source/seed" "$source/lab" /autograder/
chmod 600 "$source/seed"

cd "$target"
export DEBIAN_FRONTEND=noninteractive
./lab grade "$(cat /autograder/lab)" > /dev/null
./lab bench "$(cat /autograder/lab)" --build-only > /dev/null
rm -rf .lab
