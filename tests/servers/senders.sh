#!/usr/bin/env bash
# Prints the folder with the client libraries that the programs of tests/senders post with, after
# installing them from PyPI and npm when this is the first time: python/ is a virtual environment,
# node_modules/ what Node.js needs. The versions, and what each file must hash to, are pinned in
# tests/senders. They stay outside the tree:
#   SPOOL_TEST_CACHE   where servers for tests are kept   (XDG_CACHE_HOME or ~/.cache, spool-test)
set -euo pipefail

source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../senders" && pwd)
cache=${SPOOL_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spool-test}

die() { printf 'senders: %s\n' "$*" >&2; exit 1; }

python=$(python3 -c 'import sys; print(sys.base_prefix, sys.version); sys.exit(sys.version_info < (3, 10))' 2>/dev/null) ||
  die "needs Python 3.10 or newer${python:+ (there is ${python#* })}; ./dev setup installs Debian's"
# An environment belongs to the Python that made it.
name=senders-$( (printf '%s\n' "$python"; cat "$source/requirements.txt" "$source/package-lock.json") |
  sha256sum | cut -c 1-12)
folder=$cache/$name

# The folder gets its name when it is complete, so that its name is the proof.
if [[ ! -d $folder ]]; then
  have=$(node --version 2>/dev/null | sed 's/^v//') || true
  [[ -n $have && $(printf '%s\n' 18.19 "$have" | sort -V | head -n 1) == 18.19 ]] ||
    die "needs Node.js 18.19 or newer${have:+ (there is $have)}; ./dev setup installs Debian's"
  command -v npm >/dev/null || die "needs npm; ./dev setup installs Debian's"
  python3 -c 'import ensurepip, venv' 2>/dev/null ||
    die "needs Python's venv (Debian's python3-venv); ./dev setup installs it"
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/installing-XXXXXX")
  trap 'rm -rf -- "$work"' EXIT
  (python3 -m venv "$work/python" && "$work/python/bin/python" -m pip install --no-input \
    --disable-pip-version-check --require-hashes --only-binary :all: -r "$source/requirements.txt") \
    >"$work/log" 2>&1 ||
    die "the Python libraries cannot be had from PyPI: $(grep -m 1 ERROR "$work/log" || tail -n 1 "$work/log")"
  cp "$source/package.json" "$source/package-lock.json" "$work/"
  (cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier) >"$work/log" 2>&1 ||
    die "the JavaScript libraries cannot be had from npm: $(grep -m 1 -i err "$work/log" || tail -n 1 "$work/log")"
  rm "$work/log"
  mv -T "$work" "$folder" 2>/dev/null || [[ -d $folder ]] || die "cannot write to $cache"
  trap - EXIT
  rm -rf -- "$work"
fi
printf '%s\n' "$folder"
