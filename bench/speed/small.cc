#include "bench/speed/small.h"

#include <fmt/core.h>

#include <cmath>
#include <limits>

#include "bench/speed/goals.h"
#include "bench/speed/ours.h"
#include "bench/speed/peers.h"
#include "bench/speed/timing.h"
#include "bench/speed/validation.h"

namespace ogee::bench {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t lengths[] = {64, 128, 256, 512, 1024};
constexpr std::size_t longest = 2048;

SmallResult over_spans(const Arrays& memory, const Activation& f, Direction direction, const Budget& budget) {
  std::vector<std::function<void()>> works;
  for (std::size_t n : lengths) works.push_back(our_work(memory.make(f, direction, n, 1)).run);
  works.push_back(our_work(memory.make(f, direction, longest, 1)).run);
  const std::vector<Timing> timings = time_in_turn(works, budget);
  const auto ns = [&](std::size_t k) { return timings[k].seconds * 1e9; };
  const std::size_t last = std::size(lengths) - 1;
  const double element = (ns(last + 1) - ns(last)) / static_cast<double>(longest - lengths[last]);
  SmallResult result{f.text(), direction, false, {}};
  for (std::size_t k = 0; k < std::size(lengths); ++k) {
    result.calls.push_back({lengths[k], ns(k), ns(k) - element * static_cast<double>(lengths[k]), none});
  }
  return result;
}

// LibTorch's own operator, if it has one that computes the same.
std::optional<Work> own_operator(const Arrays& memory, const Case& c) {
  if (c.direction == Direction::forward) {
    std::optional<Work> call = libtorch_call(c);
    if (call && Validation(c).check(memory, *call).qualified) return call;
    return std::nullopt;
  }
  for (const auto& peer : all_peers()) {
    if (peer->name() != "LibTorch") continue;
    std::optional<Work> work = peer->prepare(c);
    if (work && Validation(c).check(memory, *work).qualified) return work;
  }
  return std::nullopt;
}

SmallResult through_libtorch(const Arrays& memory, const Activation& f, Direction direction, const Budget& budget) {
  SmallResult result{f.text(), direction, true, {}};
  for (std::size_t n : lengths) {
    const Case c = memory.make(f, direction, n, 1);
    const std::optional<Work> theirs = own_operator(memory, c);
    if (!theirs) continue;
    const Work ours = direction == Direction::training ? our_training(c) : our_torch_forward(c);
    const std::vector<Timing> timings = time_in_turn({ours.run, theirs->run}, budget);
    result.calls.push_back({n, timings[0].seconds * 1e9, none, timings[1].ratio});
  }
  return result;
}

}  // namespace

std::vector<SmallResult> measure_small(std::vector<std::string> activations, double seconds) {
  if (activations.empty()) {
    activations = {"relu",     "leaky_relu", "hardtanh", "hard_swish", "sigmoid", "tanh",
                   "softplus", "elu",        "silu",     "gelu",       "mish"};
  }
  // The same elements at every length, so that one's time tells of the other's arithmetic: some functions take longer
  // over vectors with elements far out.
  const Arrays memory(Type::float32, longest, lengths[0]);
  const Budget budget{.seconds = seconds, .rounds = 9};
  std::vector<SmallResult> results;
  for (const std::string& text : activations) {
    const Activation f(text);
    for (Direction direction : {Direction::forward, Direction::backward}) {
      results.push_back(over_spans(memory, f, direction, budget));
    }
    for (Direction direction : {Direction::forward, Direction::training}) {
      results.push_back(through_libtorch(memory, f, direction, budget));
    }
  }
  return results;
}

nlohmann::ordered_json small_json(const std::vector<SmallResult>& results) {
  using Json = nlohmann::ordered_json;
  Json rows = Json::array();
  const auto number = [](double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); };
  for (const SmallResult& r : results) {
    for (const SmallCall& call : r.calls) {
      rows.push_back({{"function", r.function},
                      {"direction", name_of(r.direction)},
                      {"through", r.through_libtorch ? "libtorch" : "spans"},
                      {"elements", call.elements},
                      {"ns_per_call", call.ns},
                      {"ns_above_arithmetic", number(call.overhead_ns)},
                      {"libtorch_ratio", number(call.libtorch_ratio)}});
    }
  }
  return rows;
}

void run_small(const SmallOptions& options) {
  const std::vector<SmallResult> results = measure_small(options.activations, options.seconds);
  if (options.json) {
    fmt::print("{}\n", small_json(results).dump(1));
    return;
  }
  fmt::print("{:<20} {:<9} {:<9} {:>8} {:>9} {:>17} {:>15}\n", "function", "direction", "through", "elements",
             "ns a call", "above arithmetic", "LibTorch/ours");
  const auto cell = [](double value, const char* unit) {
    return std::isnan(value) ? std::string("-") : fmt::format("{:.2f}{}", value, unit);
  };
  for (const SmallResult& r : results) {
    for (const SmallCall& call : r.calls) {
      fmt::print("{:<20} {:<9} {:<9} {:>8} {:>9.1f} {:>17} {:>15}\n", r.function, name_of(r.direction),
                 r.through_libtorch ? "LibTorch" : "spans", call.elements, call.ns, cell(call.overhead_ns, " ns"),
                 cell(call.libtorch_ratio, "x"));
    }
  }
}

}  // namespace ogee::bench
