#include "monitor/process_watch.h"
//
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "monitor/observer.h"
#include "monitor/settings.h"
#include "ogee/ogee.h"

namespace ogee::monitor {
namespace {

// Not destroyed with the static objects: whoever ends the process may still be inside.
struct State {
  std::mutex mutex;
  std::unique_ptr<Monitor> monitor;
};
State& state() {
  static State* const only = new State;
  return *only;
}
std::atomic<pid_t> owner{0};

// A process forked from the watched one inherits all this and has no part in it.
bool mine() { return owner.load() == getpid(); }

void end_with_process() {
  if (mine()) stop_process_watch();
}

// --- Signals. A handler may do next to nothing, so it wakes a thread.
// ---------------------------------------------------
constexpr int heeded[] = {SIGINT, SIGTERM, SIGHUP};
int wake = -1, done = -1;

void ring(int descriptor, std::uint64_t value) {
  if (write(descriptor, &value, sizeof(value)) < 0) return;  // nobody to tell
}

void die_of(int signal) {
  ::signal(signal, SIG_DFL);
  kill(getpid(), signal);
}

void on_signal(int signal) {
  if (!mine()) {
    die_of(signal);
    return;
  }
  ring(wake, static_cast<std::uint64_t>(signal));
  ::signal(signal, SIG_DFL);  // a second one is final
}

// abort() ends the process once this returns, so it waits: a little, for the end may need what this thread holds.
void on_abort(int) {
  if (!mine()) return;
  ring(wake, SIGABRT);
  pollfd finished{done, POLLIN, 0};
  poll(&finished, 1, 3000);
}

void serve_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  std::uint64_t signal = 0;
  while (read(wake, &signal, sizeof(signal)) < 0) {
  }
  stop_process_watch();
  ring(done, 1);
  if (signal != SIGABRT) die_of(static_cast<int>(signal));
}

void heed(int signal, void (*handler)(int)) {
  struct sigaction action {};
  if (sigaction(signal, nullptr, &action) != 0 || action.sa_handler != SIG_DFL) return;
  action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(signal, &action, nullptr);
}

// --- Python, where this process runs it: asked by name, as this library is not linked with it.
// ------------------------
template <class F>
F python(const char* name) {
  return reinterpret_cast<F>(dlsym(RTLD_DEFAULT, name));
}

// Python ends in its own way after an interrupt, by a signal: before that it calls what is registered with it.
void end_with_python() {
  if (const auto at_exit = python<int (*)(void (*)())>("Py_AtExit")) at_exit(end_with_process);
}

// Asks all modules that no other module holds for their parameters' names.
constexpr const char* naming = R"(
import gc, torch
try:
    found = [o for o in gc.get_objects() if issubclass(type(o), torch.nn.Module)]
    inner = {id(c) for m in found for c in m.__dict__.get('_modules', {}).values()}
    roots = [(m, list(m.named_parameters())) for m in found if id(m) not in inner]
    roots = [(m, parameters) for m, parameters in roots if parameters]
    for m, parameters in roots:
        for name, parameter in parameters:
            name = type(m).__name__ + '.' + name if len(roots) > 1 else name
            torch.ops.ogee.watch_name(parameter, name)
except Exception:
    pass
)";

std::atomic<bool> named{false};

// On Python's main thread, between two of the script's instructions.
int name_in_python(void*) {
  if (!mine() || named.exchange(true)) return 0;
  const auto dictionary = python<void* (*)()>("PyDict_New");
  const auto builtins = python<void* (*)()>("PyEval_GetBuiltins");
  const auto set = python<int (*)(void*, const char*, void*)>("PyDict_SetItemString");
  const auto run = python<void* (*)(const char*, int, void*, void*)>("PyRun_String");
  const auto drop = python<void (*)(void*)>("Py_DecRef");
  constexpr int file_input = 257;  // Py_file_input: statements
  if (!dictionary || !builtins || !set || !run || !drop) return 0;
  void* const names = dictionary();
  if (!names) return -1;
  void* const result = set(names, "__builtins__", builtins()) == 0 ? run(naming, file_input, names, names) : nullptr;
  drop(names);
  if (!result) return -1;  // an interrupt, which is the script's
  drop(result);
  return 0;
}

void ask_python_for_names() {
  const auto later = python<int (*)(int (*)(void*), void*)>("Py_AddPendingCall");
  if (later && !named) later(name_in_python, nullptr);
}

void heed_all() {
  wake = eventfd(0, EFD_CLOEXEC);
  done = eventfd(0, EFD_CLOEXEC);
  if (wake < 0 || done < 0) return;
  std::thread(serve_signals).detach();
  for (const int signal : heeded) heed(signal, on_signal);
  heed(SIGABRT, on_abort);
}

}  // namespace

void start_process_watch(const MonitorOptions& options, bool heed_signals) {
  const std::lock_guard lock(state().mutex);
  if (owner != 0 && !mine()) throw Error("monitor: a process forked from a watched one cannot be watched");
  if (state().monitor) throw Error("monitor: this process is watched already");
  state().monitor = std::make_unique<Monitor>(options);
  named = false;
  Observer::when_first_used(ask_python_for_names);
  static bool first = true;
  if (!first) return;
  first = false;
  owner = getpid();
  std::atexit(end_with_process);
  at_quick_exit(end_with_process);
  end_with_python();
  if (heed_signals) heed_all();
}

bool stop_process_watch() {
  if (!mine()) return false;
  // Its end takes a while; meanwhile nobody shall find it.
  std::unique_ptr<Monitor> last;
  {
    const std::lock_guard lock(state().mutex);
    last = std::move(state().monitor);
  }
  return last != nullptr;
}

void names_are_given() { named = true; }

Monitor* process_watch() { return mine() ? state().monitor.get() : nullptr; }

}  // namespace ogee::monitor

const char* ogee_watch_start(const char* settings) {
  static std::string trouble;
  try {
    ogee::monitor::start_process_watch(ogee::monitor::read_settings(settings), true);
    return nullptr;
  } catch (const std::exception& e) {
    trouble = e.what();
    return trouble.c_str();
  }
}
