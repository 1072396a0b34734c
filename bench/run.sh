#!/usr/bin/env bash
# Runs the benchmarks on what `./dev bench` built. See README.md in this folder.
#   run.sh [all|journal|http|decode|kafka]
# SPOOL_BENCH_BIN   where the programs are            (build/release/bin)
# SPOOL_BENCH_DIR   a directory on the disk to test   (TMPDIR or /tmp)
# SPOOL_BENCH_SECONDS  for each load over HTTP        (8)
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:-all}
bin=${SPOOL_BENCH_BIN:-build/release/bin}
base=${SPOOL_BENCH_DIR:-${TMPDIR:-/tmp}}
seconds=${SPOOL_BENCH_SECONDS:-8}
ingest=127.0.0.1:18480
admin=127.0.0.1:18481
bare=
dir=
pid=

die() { printf 'bench: %s\n' "$*" >&2; exit 1; }

stop_spoold() {
  [[ -n $pid ]] || return 0
  kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  pid=
}
# Only what this run started and made.
clean() {
  stop_spoold
  if [[ -n $dir ]]; then rm -rf -- "$dir"; fi
}
trap clean EXIT
trap 'exit 130' INT TERM

# journal ROUNDS: prints the table and keeps the bare loop's median.
journal() {
  local out
  out=$("$bin/bench_journal" --dir "$base" --rounds "$1")
  printf '%s\n\n' "$out"
  bare=$(awk '/^median: bare/ { print $3 }' <<<"$out")
}

# stored RESULT: events with that result so far, from the metrics.
stored() {
  curl -fsS "http://$admin/metrics" |
    awk -v want="result=\"$1\"" '/^spool_ingest_events_total/ && index($0, want) { n += $NF }
      END { printf "%d\n", n }'
}

# load SCRIPT EVENTS_A_REQUEST CONNECTIONS
load() {
  local out before after repeats line
  before=$(stored stored)
  repeats=$(stored duplicate)
  # One thread: wrk shares the machine with spoold, and each thread makes its own events.
  out=$(BENCH_LUA=$PWD/bench BENCH_RUN=$1-$$ wrk -t1 -c"$3" -d"${seconds}s" --timeout 10s \
    -s "bench/$1.lua" "http://$ingest") || die "wrk failed: $out"
  after=$(stored stored)
  repeats=$(($(stored duplicate) - repeats))
  line=$(grep '^RESULT ' <<<"$out") || die "wrk said nothing: $out"
  # Events are those that spoold says it stored, not those that wrk sent.
  awk -v name="$1" -v events=$((after - before)) -v bare="$bare" -v c="$3" '{
    s = $3 / 1e6
    printf "%-8s %5d %10.0f %12.0f %9.2f %9.2f %8.3f\n", name, c, events / s, $2 / s, $6 / 1e3,
      $7 / 1e3, events / s / bare
  }' <<<"$line"
  read -r _ _ _ bad errors _ <<<"$line"
  ((bad == 0 && errors == 0)) || printf '  %d answers other than 2xx, %d errors\n' "$bad" "$errors"
  ((repeats == 0)) || printf '  %d repeats: the generator is wrong\n' "$repeats"
  ((after > before)) || die "nothing was stored"
}

http() {
  command -v wrk >/dev/null || die "needs wrk"
  [[ -x $bin/spoold ]] || die "no $bin/spoold"
  [[ -n $bare ]] || journal 3
  dir=$(mktemp -d "$base/spool-bench-http-XXXXXX")
  cat >"$dir/spool.yaml" <<END
version: 1
data_dir: $dir/data
log: { level: warn }
journal: { disk_reserve: 64MiB }
admin: { address: "$admin" }
sources:
  web: { type: http, address: "$ingest" }
targets:
  nothing: { type: "null" }
END
  "$bin/spoold" --config "$dir/spool.yaml" >"$dir/out" 2>&1 &
  pid=$!
  local deadline=$((SECONDS + 30))
  until curl -fsS -o /dev/null --max-time 2 "http://$ingest/ready" 2>/dev/null; do
    if ! kill -0 "$pid" 2>/dev/null || ((SECONDS >= deadline)); then
      cat "$dir/out" >&2
      die "spoold does not get ready"
    fi
    sleep 0.1
  done
  kill -0 "$pid" 2>/dev/null || die "another process has $ingest"
  printf '%-8s %5s %10s %12s %9s %9s %8s\n' http conns events/s requests/s 'p50 ms' 'p99 ms' 'of bare'
  load batch 100 16
  load single 1 64
  stop_spoold
  printf '\n'
}

decode() {
  if [[ -x $bin/bench_decode ]]; then "$bin/bench_decode" --benchmark_min_time=1; fi
}

kafka() {
  [[ -x $bin/bench_kafka ]] || die "no $bin/bench_kafka"
  "$bin/bench_kafka"
}

case $what in
  all) journal 3; http; decode; kafka ;;
  journal) journal 3 ;;
  http) http ;;
  decode) decode ;;
  kafka) kafka ;;
  *) die "no benchmark '$what'; there are all, journal, http, decode, kafka" ;;
esac
