#!/usr/bin/env bash
# What `./dev gate` runs after a release build: the fault tests with wide counts, the sanitizers and
# the fuzz targets. One line each in a table, exit 1 if any failed. SPOOL_GATE_SEED repeats a run.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
times=1 fuzz_seconds=15
case ${1:-} in
  --night) times=8 fuzz_seconds=300 ;;
  '') ;;
  *) echo "gate: there is only --night" >&2; exit 2 ;;
esac
seed=${SPOOL_GATE_SEED:-$(date +%s)}
bin=build/release/bin
out=build/gate
rm -rf "$out"
mkdir -p "$out"
# Files that are written to be lost belong into memory, where there is room for that.
if [[ -z ${TMPDIR:-} && -w /dev/shm ]] && (($(df --output=avail /dev/shm | tail -1) > 4000000)); then
  export TMPDIR=/dev/shm
fi

# step NAME COUNT SEED COMMAND…: runs it, keeps what it says, notes how it went. What a test counts
# itself (its RESULT lines) is shown instead of COUNT, and is at least that.
step() {
  local name=$1 count=$2 with=$3 start=$SECONDS result=passed counted log
  shift 3
  log="$out/${name// /-}.log"
  "$@" >"$log" 2>&1 </dev/null || result=FAILED
  counted=$(awk -F ' \\| ' '/^RESULT / { n += $2 } END { if (n) print n }' "$log")
  if [[ $count != - && -n $counted ]] && ((counted < count)); then result='FAILED: too few'; fi
  if grep -q 'Running 0 tests' "$log"; then result='FAILED: no such test'; fi
  printf '%-34s %8s %12s %7d  %s\n' "$name" "${counted:-$count}" "$with" \
    "$((SECONDS - start))" "$result" | tee -a "$out/table"
}
suite() { "$bin/test_$1" --gtest_filter="$2"; }
# again NAME COUNT SUITE FILTER: tests without a count of their own, as many times over as we are wide.
again() {
  step "$1" $(($2 * times)) - "$bin/test_$3" --gtest_filter="$4" --gtest_repeat="$times"
}

# No test of a fault suite is left out: what no filter below names.
listed() {
  local name filters left
  for name in crash episodes faults machine power; do
    filters=$(grep -oE "(suite|[0-9]) $name '[^']+'" tests/gate.sh | cut -d "'" -f 2 | paste -sd :)
    left=$("$bin/test_$name" --gtest_list_tests --gtest_filter="*-$filters") || return 1
    if grep '^[^ ].*\.$' -A 50 <<<"$left"; then
      echo "gate: no step runs these of $name" >&2
      return 1
    fi
  done
}

# The programs, killed: one after the other, since a kill is a matter of time.
kills() {
  local run
  for ((run = 0; run < 7 * times; run++)); do
    SPOOL_CRASH_SEED=$((seed + run)) SPOOL_CRASH_COUNT=150 \
      step "random kills $((run + 1))" 150 "$((seed + run))" suite crash '*RandomKills*'
  done
  SPOOL_CRASH_SEED=$seed SPOOL_POINT_COUNT=$((10 * times)) \
    step "kills at named points" 300 "$seed" suite crash 'Points/*'
  again "a second process, orderly ends" 2 crash '*ASecondProcess*:*Sigterm*'
  again "reloads under load, killed" 2 crash 'ReloadUnderLoad.*'
  SPOOL_REPLAY_SEED=$seed SPOOL_REPLAY_COUNT=$((60 * times)) \
    step "kills of a running replay" $((60 * times)) "$seed" suite crash 'ReplayKills.*'
  again "kills of a file source" 24 crash '*FileSourceCrash*'
  for ((run = 0; run < times; run++)); do
    SPOOL_CRASH_SEED=$((seed + run)) \
      step "broker kills $((run + 1))" 12 "$((seed + run))" suite crash '*ABroker*'
  done
  SPOOL_CRASH_SEED=$seed SPOOL_STORAGE_COUNT=$((200 * times)) \
    step "refused calls of the program" $((200 * times)) "$seed" suite machine 'StorageError.*'
  again "full volumes" 6 machine 'FullDisk.*'
  again "clock jumps" 6 machine 'ClockJump.*'
  again "descriptors and signals" 5 machine 'Descriptors.*:Ended.*'
  SPOOL_HALT_COUNT=60 again "seconds halted" 60 machine 'Halted.*'
  SPOOL_MEMORY_COUNT=$((60 * times)) step "seconds under a memory limit" $((60 * times)) - \
    suite machine 'Memory.*'
  episodes
}

# Networks and targets that fail in every way there is, around the programs.
episodes() {
  local run
  step "the episodes' judge sees lies" 30 - suite episodes 'EpisodeJudge.*:FaultProxy*:HookReceiver*'
  for ((run = 0; run < 2 * times; run++)); do
    SPOOL_EPISODE_SEED=$((seed + run)) SPOOL_EPISODE_COUNT=120 \
      step "fault episodes $((run + 1))" 120 "$((seed + run))" suite episodes 'Episodes.*'
  done
}

# The journal in this process.
faults() {
  step "every fault test has a step" 1 - listed
  again "tables repaired" 7 spool 'Repair.*'
  step "the checker sees lies" 30 - suite faults 'Checker.*'
  SPOOL_POWER_SEED=$seed SPOOL_POWER_COUNT=$((5000 * times)) \
    step "power cuts" $((5000 * times)) "$seed" suite faults 'PowerCut.LosesNothing*'
  SPOOL_POWER_SEED=$seed SPOOL_POWER_COUNT=$((20 * times)) \
    step "power cuts without syncs" $((20 * times)) "$seed" suite faults 'PowerCut.LosesEvents*'
  SPOOL_IO_SEED=$seed SPOOL_IO_COUNT=$((1000 * times)) \
    step "refused disk calls" $((1000 * times)) "$seed" suite faults 'IoError.ARefused*'
  SPOOL_DAMAGE_SEED=$seed SPOOL_DAMAGE_COUNT=$((2400 * times)) \
    step "damaged files" $((2000 * times)) "$seed" suite faults 'DamageTest.*'
  SPOOL_WATERMARK_SEED=$seed SPOOL_WATERMARK_COUNT=$((20000 * times)) \
    step "torn watermarks" $((20000 * times)) "$seed" suite spool 'Watermark.*'
  SPOOL_MODEL_SEED=$seed SPOOL_MODEL_COUNT=$((150 * times)) \
    step "random operations" $((150 * times)) "$seed" "$bin/test_model"
  SPOOL_SIM_SEED=$seed SPOOL_SIM_COUNT=$((200 * times)) \
    step "simulated targets, events" $((100000 * times)) "$seed" "$bin/test_sim"
}

# Bugs that are planted in a copy of the tree: each must turn its command red.
bugs() {
  local name
  step "green without a bug" 1 - tests/bugs/run.sh --sound
  for name in $(tests/bugs/run.sh --list); do
    step "bug $name" 1 - tests/bugs/run.sh --bug "$name"
  done
}

# Of a kernel of our own; half of the time it boots.
real_power_cuts() {
  local TMPDIR=/tmp  # the guest sees the disk of this machine, and has a memory of its own
  export TMPDIR
  SPOOL_UML_SEED=$seed SPOOL_UML_COUNT=$((60 * times)) \
    step "power cuts of a kernel" $((60 * times)) "$seed" suite power 'MachinePower.CutAtRandom*'
  SPOOL_UNSYNCED_SEED=$seed SPOOL_UNSYNCED_COUNT=$((8 * times)) \
    step "the same without syncs" $((8 * times)) "$seed" suite power 'MachinePower.WithoutSyncs*'
  SPOOL_LOST_LOG_SEED=$seed SPOOL_LOST_LOG_COUNT=$((4 * times)) \
    step "logs lost by its disk" $((4 * times)) "$seed" suite power 'MachinePower.ALogThatTheDisk*'
}

# Everything that runs inside a process of ours; contract without the broker, whose client library
# and start are no code of ours and take most of its time.
sanitizer() {
  local -a suites=(base net spool model faults ingest forward sim replay app contract)
  ./dev build --preset "$1" "${suites[@]/#/test_}" && SPOOL_POWER_COUNT=40 SPOOL_IO_COUNT=24 \
    SPOOL_DAMAGE_COUNT=60 SPOOL_WATERMARK_COUNT=100 \
    ctest --preset "$1" -j 1 -E '^contract\.kafka$' -L "^($(IFS='|' && echo "${suites[*]}"))\$"
}

slower() {
  faults
  bugs
  real_power_cuts
  step "address and undefined sanitizers" - - sanitizer debug
  step "thread sanitizer" - - sanitizer tsan
  step "fuzzing" - - ./dev fuzz all "$fuzz_seconds"
}

printf '%-34s %8s %12s %7s  %s\n' what count seed seconds result | tee "$out/table"
{ kills; touch "$out/kills-done"; } &
first=$!
{ slower; touch "$out/slower-done"; } &
wait "$first" $!

echo
echo "in all $SECONDS s; what each said is in $out/"
if [[ ! -e $out/kills-done || ! -e $out/slower-done ]]; then
  echo 'gate: not everything was run' >&2
  exit 1
fi
if grep ' FAILED' "$out/table"; then exit 1; fi
