#!/usr/bin/env bash
# Prints the path of a program that renders templates with real Go for the tests
# (tests/servers/template_oracle), after building it when this is the first time. With arguments,
# runs it with them. It stays outside the tree:
#   SPOOL_TEST_CACHE   where servers for tests are kept   (XDG_CACHE_HOME or ~/.cache, spool-test)
set -euo pipefail

source=$(cd "$(dirname "${BASH_SOURCE[0]}")/template_oracle" && pwd)
cache=${SPOOL_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spool-test}
name=template-oracle-$(cat "$source"/go.mod "$source"/go.sum "$source"/main.go | sha256sum | cut -c 1-12)
program=$cache/$name

die() { printf 'template_oracle: %s\n' "$*" >&2; exit 1; }

if [[ ! -x $program ]]; then
  wanted=$(awk '$1 == "go" { print $2 }' "$source/go.mod")
  have=$(go env GOVERSION 2>/dev/null | sed 's/^go//') || true
  [[ -n $have && $(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1) == "$wanted" ]] ||
    die "needs Go $wanted or newer to build real Go templates once${have:+ (there is $have)}; install it from https://go.dev/dl"
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/building-XXXXXX")
  trap 'rm -rf -- "$work"' EXIT
  (cd "$source" && GOFLAGS=-mod=readonly go build -trimpath -o "$work/oracle" .) >"$work/log" 2>&1 ||
    die "real Go templates cannot be built: $(grep -v '^go: downloading' "$work/log" | head -n 3)"
  mv -T "$work/oracle" "$program"
fi
if (($#)); then exec "$program" "$@"; fi
printf '%s\n' "$program"
