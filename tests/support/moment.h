// Moments that no condition names, and how to know that a thread waits.
//
// A test waits for what it needs to be true, never for time to pass: WaitUntil, a condition
// variable, AwaitAsleep. There are two exceptions, and they are here, so that nobody makes a third:
// a fault that must come at any moment whatever, and a peer that is slow.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

namespace spool {

// Until a random moment of whatever goes on: the kill that follows it must not choose what it hits.
// `after` is drawn by the caller, from the seed that it tells.
void AwaitRandomMoment(std::chrono::milliseconds after);

// What a slow peer does with a request before it answers.
void TakeTime(std::chrono::milliseconds time);

// Until that thread of this process waits for something (a condition, a socket, a child); false
// when it does not within 20 s, or is gone. One look is no proof that it waits for what the test
// means: use it where being early could only hide a fault and never show one.
bool AwaitAsleep(pid_t thread);
// Of the thread that calls it.
pid_t ThisThread();
// The thread of this process that has that name; waits for it to come, 0 when it does not.
pid_t ThreadNamed(const std::string& name);

}  // namespace spool
