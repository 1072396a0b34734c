#!/usr/bin/env bash
# Proves that the tests see: each patch here is a bug, and one command of the suite must turn red and
# say why. Products of it are in build/bugs/; the tree itself is not touched.
#
#   run.sh [NAME…]        those bugs (all unless told), after their commands were green without them
#   run.sh --sound        only that the commands are green
#   run.sh --bug NAME     only that the bug is seen
#   run.sh --check        nothing is built: every patch applies and says what it must
#   run.sh --list         their names
#
# A patch begins with five lines: "Bug:" what is wrong, "Breaks:" which promise, "Build:" the targets,
# "Run:" the command (NAME=VALUE first, programs from build/…/bin), "Red:" what its output must match.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
out=build/bugs
tree=$root/$out/tree
seconds_max=${SPOOL_BUG_SECONDS:-120}

die() { printf 'bugs: %s\n' "$*" >&2; exit 1; }
names() { (cd tests/bugs && for patch in *.patch; do echo "${patch%.patch}"; done); }

# field KEY NAME: what the patch NAME says behind "KEY: ".
field() {
  local text
  text=$(sed -n -e '/^---/q' -e "s/^$1: //p" "tests/bugs/$2.patch")
  [[ -n $text && $text != *$'\n'* ]] || die "$2.patch has no line, or more than one, with $1:"
  printf '%s\n' "$text"
}

# Changes nothing when the patch does not apply as it is; offsets are fine, other surroundings not.
apply() { patch --directory "$1" --strip 1 --fuzz 0 --force --silent "${@:3}" <"tests/bugs/$2.patch"; }

check() {
  local name said wrong=0 key
  for name in $(names); do
    for key in Bug Breaks Build Run Red; do
      (field "$key" "$name") >/dev/null || wrong=1
    done
    printf '' | grep -Eq -- "$(field Red "$name")" || (($? == 1)) || {
      echo "bugs: $name.patch: Red: is no regular expression" >&2
      wrong=1
    }
    if ! said=$(apply . "$name" --dry-run 2>&1); then
      printf 'bugs: %s.patch does not apply any more; make the bug anew in what the code is now:\n%s\n' \
        "$name" "$said" >&2
      wrong=1
    fi
  done
  ((wrong == 0)) || exit 1
  echo "$(names | wc -l) patches apply"
}

# The tree as it is here, changes that are not committed included. Only what differs is written, so
# that only that is built again.
mirror() {
  mkdir -p "$tree"
  local file
  find . \( -path ./build -o -path ./.git -o -path ./spool-data \) -prune -o -type f -print | sed 's|^\./||' | sort >"$out/files"
  (cd "$tree" && find . -path ./build -prune -o -type f -print | sed 's|^\./||' | sort) |
    comm -13 "$out/files" - | while IFS= read -r file; do rm -f "${tree:?}/$file"; done
  while IFS= read -r file; do
    cmp -s "$file" "$tree/$file" && continue
    mkdir -p "$tree/$(dirname "$file")"
    cp "$file" "$tree/$file.new"
    mv "$tree/$file.new" "$tree/$file"
  done <"$out/files"
}

# build TARGET…: as ./dev does it.
build() {
  local log=$out/build.log
  "$tree/dev" build "$@" >"$log" 2>&1 || { tail -30 "$log" >&2; return 1; }
}

# run COMMAND LOG: its status; 124 when it does not end.
run() {
  local words
  read -ra words <<<"$1"
  PATH=$tree/build/release/bin:$PATH timeout --kill-after 10 "$seconds_max" \
    env --chdir="$tree/build/release/bin" "${words[@]}" >"$2" 2>&1 </dev/null
}

# Every command of the bugs named, without a bug.
sound() {
  local name command targets=() wrong=0
  mirror
  for name in "$@"; do
    read -ra words <<<"$(field Build "$name")"
    targets+=("${words[@]}")
  done
  mapfile -t targets < <(printf '%s\n' "${targets[@]}" | sort -u)
  build "${targets[@]}" || die "the tree cannot be built"
  while IFS= read -r command; do
    if run "$command" "$out/sound.log"; then
      echo "green without a bug: $command"
    else
      echo "bugs: red without a bug: $command" >&2
      tail -30 "$out/sound.log" >&2
      wrong=1
    fi
  done < <(for name in "$@"; do field Run "$name"; done | sort -u)
  ((wrong == 0)) || die "what is red without a bug proves nothing"
}

# One bug: patched, built, run, seen.
seen() {
  local name=$1 log=$out/$1.log red status=0 targets said start=$SECONDS
  [[ -f tests/bugs/$name.patch ]] || die "there is no bug '$name'"
  red=$(field Red "$name")
  read -ra targets <<<"$(field Build "$name")"
  mirror
  said=$(apply "$tree" "$name" 2>&1) || die "$name.patch does not apply any more: $said"
  build "${targets[@]}" || die "$name: the tree cannot be built with the bug"
  run "$(field Run "$name")" "$log" || status=$?
  if ((status == 0)); then die "$name is not seen: $(field Run "$name") is green"; fi
  if ((status == 124 || status == 137)); then
    die "$name is not seen: the command did not end in $seconds_max s"
  fi
  said=$(grep -Em 1 -- "$red" "$log") || {
    tail -20 "$log" >&2
    die "$name is red for another reason than /$red/; $log has it all"
  }
  printf 'RESULT bug %s | 1 | - | %d s | %s\n' "$name" $((SECONDS - start)) "${said:0:150}"
}

mkdir -p "$out"
case ${1:-} in
  --check) check; exit ;;
  --list) names; exit ;;
esac
exec 9>"$out/lock"
flock 9
case ${1:-} in
  --sound) mapfile -t all < <(names); sound "${all[@]}"; exit ;;
  --bug) seen "${2:?--bug needs a name}"; exit ;;
  -*) die "see the first lines of $0" ;;
esac
mapfile -t all < <(if (($#)); then printf '%s\n' "$@"; else names; fi)
check
sound "${all[@]}"
missed=()
for name in "${all[@]}"; do
  (seen "$name") || missed+=("$name")
done
echo "$((${#all[@]} - ${#missed[@]})) of ${#all[@]} bugs are seen"
((${#missed[@]} == 0)) || die "not seen: ${missed[*]}"
