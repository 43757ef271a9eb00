#include "monitor/settings.h"
//
#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "ogee/ogee.h"

namespace ogee::monitor {
namespace {

template <class T>
T number(const std::string& name, std::string_view text, T least) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= least))
    throw Error(fmt::format("monitor: {}={} is no number of at least {}", name, text, least));
  return value;
}

bool truth(const std::string& name, std::string_view text) {
  if (text == "1" || text == "true" || text.empty()) return true;
  if (text == "0" || text == "false") return false;
  throw Error(fmt::format("monitor: {}={} is neither 0 nor 1", name, text));
}

}  // namespace

MonitorOptions read_settings(std::string_view text) {
  MonitorOptions options;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    if (item.find_first_not_of(' ') == std::string_view::npos) continue;
    const std::size_t equals = item.find('=');
    std::string name(item.substr(0, equals));
    name.erase(0, name.find_first_not_of(' '));
    const std::string_view value = equals == std::string_view::npos ? "" : item.substr(equals + 1);
    if (name == "every")
      options.every(number<std::int64_t>(name, value, 0));
    else if (name == "budget")
      options.budget(number<double>(name, value, 0));
    else if (name == "sample")
      options.sample(number<std::int64_t>(name, value, 0));
    else if (name == "trace_non_finite")
      options.trace_non_finite(truth(name, value));
    else if (name == "print")
      options.print(truth(name, value));
    else if (name == "json")
      options.json(std::string(value));
    else if (name == "tensorboard")
      options.tensorboard(std::string(value));
    else
      throw Error(
          fmt::format("monitor: no setting '{}'; there are every, budget, sample, trace_non_finite, json, tensorboard "
                      "and print",
                      name));
  }
  return options;
}

}  // namespace ogee::monitor
