// ogee bench: nanoseconds an element, ours, a plain copy's and LibTorch's own operators', timed in turn in one process.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/verbs.h"
#include "ogee/ogee.h"

namespace ogee::cli {
namespace {

struct Options {
  std::vector<std::string> activations;
  std::vector<std::size_t> elements = {65536, 4194304};
  std::string dtype = "f32";
  int threads = 1;
  double seconds = 0.1;
  bool json = false;
};

using Clock = std::chrono::steady_clock;
using Work = std::function<void()>;

double seconds_of(const Work& work, std::size_t times) {
  const auto start = Clock::now();
  for (std::size_t i = 0; i < times; ++i) work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The fastest of several rounds of each, the rounds in turn, so that all meet the same machine.
std::vector<double> time_in_turn(const std::vector<Work>& works, double budget) {
  constexpr int rounds = 9;
  std::vector<std::size_t> times;
  for (const Work& work : works) {
    seconds_of(work, 1);  // warm up
    const double once = std::max(seconds_of(work, 1), 1e-9);
    times.push_back(std::clamp<std::size_t>(static_cast<std::size_t>(budget / rounds / once), 1, 1000000));
  }
  std::vector<double> best(works.size(), infinity);
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t k = 0; k < works.size(); ++k) {
      best[k] = std::min(best[k], seconds_of(works[k], times[k]) / static_cast<double>(times[k]));
    }
  }
  return best;
}

using Peer = std::function<void(at::Tensor& y, const at::Tensor& x)>;
const std::map<std::string_view, Peer>& libtorch_peers() {
  static const std::map<std::string_view, Peer> peers = {
      {"relu", [](at::Tensor& y, const at::Tensor& x) { at::clamp_min_out(y, x, 0); }},
      {"relu6", [](at::Tensor& y, const at::Tensor& x) { at::hardtanh_out(y, x, 0, 6); }},
      {"leaky_relu", [](at::Tensor& y, const at::Tensor& x) { at::leaky_relu_out(y, x, 0.01); }},
      {"hardtanh", [](at::Tensor& y, const at::Tensor& x) { at::hardtanh_out(y, x); }},
      {"hard_sigmoid", [](at::Tensor& y, const at::Tensor& x) { at::hardsigmoid_out(y, x); }},
      {"hard_swish", [](at::Tensor& y, const at::Tensor& x) { at::hardswish_out(y, x); }},
      {"softshrink", [](at::Tensor& y, const at::Tensor& x) { at::softshrink_out(y, x); }},
      {"hardshrink", [](at::Tensor& y, const at::Tensor& x) { at::hardshrink_out(y, x); }},
      {"sigmoid", [](at::Tensor& y, const at::Tensor& x) { at::sigmoid_out(y, x); }},
      {"tanh", [](at::Tensor& y, const at::Tensor& x) { at::tanh_out(y, x); }},
      {"log_sigmoid", [](at::Tensor& y, const at::Tensor& x) { at::log_sigmoid_out(y, x); }},
      {"softplus", [](at::Tensor& y, const at::Tensor& x) { at::softplus_out(y, x); }},
      {"elu", [](at::Tensor& y, const at::Tensor& x) { at::elu_out(y, x); }},
      {"selu", [](at::Tensor& y, const at::Tensor& x) { at::elu_out(y, x, 1.6732632423543772, 1.0507009873554805); }},
      {"silu", [](at::Tensor& y, const at::Tensor& x) { at::silu_out(y, x); }},
      {"gelu", [](at::Tensor& y, const at::Tensor& x) { at::gelu_out(y, x); }},
      {"gelu_tanh", [](at::Tensor& y, const at::Tensor& x) { at::gelu_out(y, x, "tanh"); }},
      {"mish", [](at::Tensor& y, const at::Tensor& x) { at::mish_out(y, x); }},
      {"erf", [](at::Tensor& y, const at::Tensor& x) { at::erf_out(y, x); }},
      {"arctan", [](at::Tensor& y, const at::Tensor& x) { at::atan_out(y, x); }},
  };
  return peers;
}

template <Element T>
at::ScalarType scalar_type() {
  if constexpr (std::is_same_v<T, float>) return at::kFloat;
  if constexpr (std::is_same_v<T, double>) return at::kDouble;
  if constexpr (std::is_same_v<T, bfloat16>) return at::kBFloat16;
  if constexpr (std::is_same_v<T, float16>) return at::kHalf;
}

template <Element T>
std::vector<T> samples(std::size_t n, float phase) {
  std::vector<float> wide(n);
  for (std::size_t i = 0; i < n; ++i) wide[i] = 4 * std::sin(phase + static_cast<float>(i % 10007));
  if constexpr (std::is_floating_point_v<T>) {
    return std::vector<T>(wide.begin(), wide.end());
  } else {
    std::vector<T> narrow(n);
    convert(std::span<const float>(wide), std::span<T>(narrow));
    return narrow;
  }
}

// The peer must compute the same function before it is timed: NaN or a difference beyond rounding disqualifies it.
bool agrees(const at::Tensor& ours, const at::Tensor& theirs) {
  return at::allclose(ours.to(at::kDouble), theirs.to(at::kDouble), 2e-2, 2e-2);
}

template <Element T>
nlohmann::ordered_json measure(const Activation& activation, std::size_t n, const Options& options) {
  const Spec& spec = activation.spec();
  RunOptions run;
  run.mode = Mode::training;
  run.threads = options.threads;
  const std::vector<T> a = samples<T>(n, 0), b = samples<T>(n, 1), dy = samples<T>(n, 2);
  std::vector<T> y(n), da(n), db(n);
  const Work forward_work = [&] {
    if (spec.inputs == 1) {
      forward<T>(activation, a, y, run);
    } else {
      forward<T>(activation, a, b, y, run);
    }
  };
  const Work backward_work = [&] {
    if (spec.inputs == 1) {
      backward<T>(activation, a, dy, da, run);
    } else {
      backward<T>(activation, a, b, dy, da, db, run);
    }
  };
  const Work copy_work = [&] { std::memcpy(y.data(), a.data(), n * sizeof(T)); };

  std::vector<Work> works = {copy_work, forward_work, backward_work};
  const auto peer = libtorch_peers().find(spec.name);
  const auto type = at::TensorOptions().dtype(scalar_type<T>());
  const at::Tensor x = at::from_blob(const_cast<T*>(a.data()), {static_cast<std::int64_t>(n)}, type);
  at::Tensor out = at::empty_like(x);
  bool has_peer = peer != libtorch_peers().end() && activation.text() == spec.name;
  if (has_peer) {
    forward_work();
    peer->second(out, x);
    has_peer = agrees(at::from_blob(y.data(), {static_cast<std::int64_t>(n)}, type), out);
  }
  if (has_peer) works.emplace_back([&] { peer->second(out, x); });

  const std::vector<double> best = time_in_turn(works, options.seconds);
  const double scale = 1e9 / static_cast<double>(n);
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  const auto row = [&](const char* direction, double seconds, std::size_t arrays) {
    nlohmann::ordered_json peers = nlohmann::ordered_json::object();
    if (has_peer && std::string_view(direction) == "forward") peers["libtorch"] = best[3] * scale;
    rows.push_back({{"function", activation.text()},
                    {"direction", direction},
                    {"dtype", options.dtype},
                    {"elements", n},
                    {"threads", options.threads},
                    {"ns_per_element", seconds * scale},
                    {"bytes_per_element", arrays * sizeof(T)},
                    {"copy_ns_per_element", best[0] * scale},
                    {"peers", peers}});
  };
  row("forward", best[1], spec.inputs + 1);
  row("backward", best[2], 2 * spec.inputs + 1);
  return rows;
}

void bench(const Options& options) {
  std::vector<Activation> activations;
  for (const std::string& text : options.activations) activations.emplace_back(text);
  if (activations.empty()) {
    for (const Function* f : functions()) activations.emplace_back(*f);
  }
  at::set_num_threads(options.threads);
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  if (!options.json) {
    fmt::print("{}, {} thread(s), {}; ns an element\n", target(), options.threads, options.dtype);
    fmt::print("{:<28} {:<9} {:>9} {:>8} {:>8} {:>9} {:>7}\n", "function", "direction", "elements", "ogee", "copy",
               "LibTorch", "ratio");
  }
  for (const Activation& activation : activations) {
    for (std::size_t n : options.elements) {
      const nlohmann::ordered_json rows = options.dtype == "f32"    ? measure<float>(activation, n, options)
                                          : options.dtype == "f64"  ? measure<double>(activation, n, options)
                                          : options.dtype == "bf16" ? measure<bfloat16>(activation, n, options)
                                                                    : measure<float16>(activation, n, options);
      for (const auto& r : rows) {
        all.push_back(r);
        if (options.json) continue;
        const double ours = r["ns_per_element"];
        const bool peer = r["peers"].contains("libtorch");
        const double theirs = peer ? r["peers"]["libtorch"].get<double>() : 0.0;
        fmt::print("{:<28} {:<9} {:>9} {:>8.3f} {:>8.3f} {:>9} {:>7}\n", r["function"].get<std::string>(),
                   r["direction"].get<std::string>(), n, ours, r["copy_ns_per_element"].get<double>(),
                   peer ? fmt::format("{:.3f}", theirs) : "-", peer ? fmt::format("{:.2f}x", theirs / ours) : "-");
      }
    }
  }
  if (options.json) fmt::print("{}\n", all.dump(1));
}

}  // namespace

void add_bench(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("bench", "Time the functions beside a copy and LibTorch's own operators");
  verb->add_option("activations", options->activations, "Which (default: all)");
  verb->add_option("--elements", options->elements, "Array lengths")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 30))
      ->capture_default_str();
  verb->add_option("--dtype", options->dtype, "Element type")
      ->check(CLI::IsMember({"f32", "f64", "bf16", "f16"}))
      ->capture_default_str();
  verb->add_option("--threads", options->threads, "Threads")->check(CLI::Range(1, 1024))->capture_default_str();
  verb->add_option("--seconds", options->seconds, "Time for each measurement")
      ->check(CLI::Range(0.001, 60.0))
      ->capture_default_str();
  verb->add_flag("--json", options->json, "An array of measurements");
  verb->footer(
      "Each figure is the fastest of nine rounds; ours, the copy and the peer take turns in one process.\n"
      "Examples:\n  ogee bench gelu mish\n  ogee bench --elements 65536 --json\n  ogee bench swiglu --dtype bf16 "
      "--threads 2");
  verb->callback([options, &status] {
    bench(*options);
    status = 0;
  });
}

}  // namespace ogee::cli
