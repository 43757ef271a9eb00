// The monitor from Python, once torch.ops.load_library has loaded this library:
//
//   torch.ops.ogee.watch("every=1,json=run.jsonl")             # the settings of monitor/settings.h
//   torch.ops.ogee.watch_name(parameter, "layer1.weight")      # where other names are wanted than the modules'
//   json.loads(torch.ops.ogee.watch_findings())
//   torch.ops.ogee.watch_stop()                                # or the end of the script
#include <ATen/core/Tensor.h>
#include <torch/library.h>

#include <nlohmann/json.hpp>
#include <string>

#include "monitor/json.h"
#include "monitor/process_watch.h"
#include "monitor/settings.h"

namespace ogee::monitor {
namespace {

// What Python is to see as a ValueError or a RuntimeError, and not as a terminated process.
template <class F>
auto for_python(F f) {
  try {
    return f();
  } catch (const c10::Error&) {
    throw;
  } catch (const std::exception& e) {
    TORCH_CHECK_VALUE(false, e.what());
  }
}

Monitor& running() {
  Monitor* monitor = process_watch();
  TORCH_CHECK(monitor, "monitor: none is running; torch.ops.ogee.watch() starts one");
  return *monitor;
}

void watch(const std::string& settings) {
  for_python([&] { start_process_watch(read_settings(settings), false); });
}

void watch_name(const at::Tensor& parameter, const std::string& name) {
  for_python([&] {
    names_are_given();
    running().name(parameter, name);
  });
}

std::string watch_findings() {
  return for_python([] { return nlohmann::ordered_json(running().findings()).dump(); });
}

std::string watch_record() {
  return for_python([] { return nlohmann::ordered_json(running().record()).dump(); });
}

void watch_stop() {
  running();
  stop_process_watch();
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(ogee, m) {
  m.def("watch(str settings=\"\") -> ()", watch);
  m.def("watch_name(Tensor parameter, str name) -> ()", watch_name);
  m.def("watch_findings() -> str", watch_findings);
  m.def("watch_record() -> str", watch_record);
  m.def("watch_stop() -> ()", watch_stop);
}

}  // namespace ogee::monitor
