#!/usr/bin/env python3
"""cpu.py PERF_DATA PROGRAM TICKS EVENTS: processor time of a million events, by room.

Samples inside PROGRAM go to the folder of their source line, others to their library; TICKS is the
process's own time in hundredths of a second, over which the samples are spread.
"""
import collections
import re
import subprocess
import sys

data, program, ticks, events = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
ROOMS = ("base", "net", "spool", "ingest", "forward", "replay", "app")

script = subprocess.run(
    ["perf", "script", "-i", data, "-F", "comm,ip,sym,dso", "--show-mmap-events"],
    capture_output=True, text=True, check=False).stdout
base = None
samples = collections.Counter()
ours = collections.Counter()
for line in script.splitlines():
    found = re.search(r"PERF_RECORD_MMAP2? .*\[0x([0-9a-f]+)\(0x[0-9a-f]+\) @ (0x[0-9a-f]+|0) .*/spoold$", line)
    if found:
        start, offset = int(found[1], 16), int(found[2], 16)
        base = start - offset if base is None else min(base, start - offset)
        continue
    found = re.search(r"\s([0-9a-f]+) .*\(([^()]*)\)$", line)
    if not found:
        continue
    if found[2].endswith("/spoold"):
        ours[int(found[1], 16)] += 1
    else:
        name = found[2].rsplit("/", 1)[-1]
        name = "kernel" if name.startswith("[") or "kernel" in name else name.split(".so")[0]
        samples[name] += 1
if ours:
    at = [f"{ip - (base or 0):#x}" for ip in ours]
    told = subprocess.run(["addr2line", "-e", program], input="\n".join(at) + "\n",
                          capture_output=True, text=True, check=True).stdout.splitlines()
    for (ip, count), place in zip(ours.items(), told):
        room = next((r for r in ROOMS if f"/{r}/" in place), None)
        if room is None:
            room = next((f"headers: {lib}" for lib in ("boost", "c++", "simdjson") if lib in place),
                        "other")
        samples[room] += count
total = sum(samples.values())
if not total or not events:
    sys.exit("cpu: nothing was sampled")
seconds = ticks / 100 / events * 1e6
print(f"  {seconds:.1f} processor seconds a million events:")
for name, count in samples.most_common():
    if count * 200 >= total:
        print(f"    {name:<24} {seconds * count / total:7.2f} s {100 * count / total:5.1f} %")
print()
