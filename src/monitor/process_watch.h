// A monitor that belongs to the process instead of a scope: what Python's operators and `ogee watch` start. It ends
// with the process, however that ends, as far as possible.
#pragma once

#include "ogee/monitor.h"

namespace ogee::monitor {

// Ends by itself when the process calls exit() or returns from main; with `heed_signals` also on SIGINT, SIGTERM,
// SIGHUP and SIGABRT (an uncaught exception) where the program leaves them alone; their effect stays what it was.
// Throws Error where there is a monitor already.
void start_process_watch(const MonitorOptions& options, bool heed_signals);
// False if there was none.
bool stop_process_watch();
// Somebody names the weights: nobody else shall.
void names_are_given();
// Null if there is none; not to be kept.
Monitor* process_watch();

}  // namespace ogee::monitor

// For what has only the library's path: starts with settings such as "every=1,json=unix:/tmp/socket". Null, or what
// went wrong.
extern "C" __attribute__((visibility("default"))) const char* ogee_watch_start(const char* settings);
