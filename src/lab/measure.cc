#include "lab/measure.h"

#include <c10/core/Allocator.h>
#include <c10/util/Flags.h>
#include <c10/util/Logging.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <string>

#include "lab/run.h"
#include "models/chain.h"
#include "models/recording.h"

namespace ogee::lab {
namespace {

constexpr std::int64_t probe_size = 128, probe_steps = 4096, health_size = 10000, chunk = 512;
constexpr double saturated_below = 0.05;

// Steps of one example of a sequence (tokens of a text, or a series' rows), each of which passes every layer; else 1.
std::int64_t steps_of(const data::Part& part) {
  const bool text = part.x.scalar_type() == torch::kLong;
  return text || part.x.dim() == 3 ? part.x.size(1) : 1;
}

// As many examples as have `most` steps in all.
std::int64_t examples_of(std::int64_t most, const data::Part& part) {
  return std::max<std::int64_t>(1, most / steps_of(part));
}

// |d output / d input|, of gated functions the larger of the two, shaped [examples, units, ...].
at::Tensor slopes(models::Network::Layer& layer) {
  const at::Tensor z = layer.z.detach();
  if (layer.unit->activation().spec().inputs == 1) return layer.unit->slope(z).abs();
  const torch::AutoGradMode with_gradients(true);
  at::Tensor leaf = z.clone().requires_grad_();
  const at::Tensor gradient = torch::autograd::grad({layer.unit->forward(leaf).sum()}, {leaf})[0].abs();
  const auto halves = gradient.chunk(2, 1);
  return at::maximum(halves[0], halves[1]);
}

// How many of magnitudes are below `limit`; marks the columns that have any but 0.
std::int64_t count_slopes(const at::Tensor& magnitudes, double limit, bool* alive) {
  const float* value = magnitudes.data_ptr<float>();
  const auto below = static_cast<float>(limit);
  std::int64_t count = 0;
  for (std::int64_t r = 0; r < magnitudes.size(0); ++r) {
    for (std::int64_t j = 0; j < magnitudes.size(1); ++j, ++value) {
      alive[j] = alive[j] || *value != 0;
      count += *value < below ? 1 : 0;
    }
  }
  return count;
}

double share(double count, const at::Tensor& z) {
  return std::round(1e3 * count / static_cast<double>(z.numel())) / 1e3;
}
// What the operators below find.
std::vector<double> histogram_of_rows(const at::Tensor& z) {
  constexpr double bins_a_unit = histogram_bins / (histogram_high - histogram_low);
  std::array<std::int64_t, histogram_bins> counts{};
  for (std::int64_t r = 0; r < z.size(0); ++r) {
    const float* const row = z.data_ptr<float>() + r * z.stride(0);
    for (std::int64_t j = 0; j < z.size(1); ++j) {
      if (!std::isfinite(row[j])) continue;
      const double at = (std::clamp<double>(row[j], histogram_low, histogram_high) - histogram_low) * bins_a_unit;
      ++counts[std::min<std::size_t>(static_cast<std::size_t>(at), histogram_bins - 1)];
    }
  }
  std::vector<double> shares;
  for (const std::int64_t count : counts) shares.push_back(share(static_cast<double>(count), z));
  return shares;
}
// Of pre-activations, as shares to three digits.
std::vector<double> histogram(const models::Network::Layer& layer, at::Tensor z) {
  if (layer.unit->activation().spec().inputs > 1) z = z.chunk(2, 1)[0];
  if (z.is_cpu() && z.scalar_type() == torch::kFloat && z.dim() == 2 && z.stride(1) == 1) return histogram_of_rows(z);
  const at::Tensor finite = z.masked_select(z.isfinite()).to(torch::kCPU, torch::kFloat);
  const at::Tensor counts =
      finite.clamp(histogram_low, histogram_high).histc(histogram_bins, histogram_low, histogram_high);
  std::vector<double> shares;
  for (int i = 0; i < histogram_bins; ++i) shares.push_back(share(counts[i].item<double>(), z));
  return shares;
}

}  // namespace

data::Part probe_of(const data::Part& train) {
  const std::int64_t size = std::min({probe_size, examples_of(probe_steps, train), train.size()});
  const at::Tensor chosen =
      torch::arange(size, torch::kLong).mul_(train.size()).div_(size, "floor").to(train.x.device());
  return {train.x.index_select(0, chosen), train.y.index_select(0, chosen)};
}

Seen look(models::Network& network, const tasks::Task& task, const data::Part& probe, bool with_histograms) {
  const models::Recording recording(network);
  Seen seen;
  seen.gradients.resize(network.layers.size());
  seen.histograms.resize(with_histograms ? network.layers.size() : 0);
  const auto note = [&](std::size_t i, const at::Tensor& z, const at::Tensor& gradient) {
    seen.gradients[i] = gradient.norm().item<double>();
    if (with_histograms) seen.histograms[i] = histogram(network.layers[i], z);
  };
  if (models::Chain* const chain = network.chain()) {
    if (const at::Tensor x = probe.x.flatten(1); chain->trains(x)) {
      const at::Tensor output = chain->forward(x, true);
      chain->backward(task.differentiated(output, probe.y).gradient, note);
      return seen;
    }
  }
  task.loss(network.forward(probe.x), probe.y).backward();
  for (std::size_t i = 0; i < network.layers.size(); ++i)
    note(i, network.layers[i].z.detach(), network.layers[i].z.grad());
  return seen;
}

class PeakMemory::Counter : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, std::int64_t size, std::int64_t, std::int64_t, c10::Device) override {
    held_ += size;
    peak_ = std::max(peak_, held_);
  }
  bool memoryProfilingEnabled() const override { return true; }
  std::int64_t peak() const { return peak_; }

 private:
  std::int64_t held_ = 0, peak_ = 0;
};

namespace {

// LibTorch's allocator warns on standard error of memory that was taken before it was followed and is freed while it
// is, as what a recurrent network carries from step to step is: for our counting, no news.
int& least_logged() {
#ifdef C10_USE_GLOG
  return FLAGS_minloglevel;
#else
  return FLAGS_caffe2_log_level;
#endif
}
std::mutex logging;
int followers = 0, logged_before = 0;

void hush() {
  constexpr int errors = 2;
  const std::lock_guard lock(logging);
  if (followers++ > 0) return;
  logged_before = least_logged();
  least_logged() = std::max(logged_before, errors);
}
void unhush() {
  const std::lock_guard lock(logging);
  if (--followers == 0) least_logged() = logged_before;
}

}  // namespace

PeakMemory::PeakMemory()
    : counter_(std::make_shared<Counter>()),
      guard_(std::make_unique<c10::DebugInfoGuard>(c10::DebugInfoKind::PROFILER_STATE, counter_)) {
  hush();
}
PeakMemory::~PeakMemory() { unhush(); }
double PeakMemory::peak() const { return static_cast<double>(counter_->peak()) / (1 << 20); }

Health health(models::Network& network, const data::Part& train) {
  const models::Recording recording(network);
  const torch::NoGradGuard no_gradients;
  const bool gated = network.layers.at(0).unit->activation().spec().inputs > 1;
  // By layer: a recurrent cell's gates may have functions of their own.
  std::vector<double> lipschitz;
  std::map<std::string, double> known;
  for (const auto& layer : network.layers) {
    const Activation& activation = layer.unit->activation();
    const auto [found, fresh] = known.emplace(activation.text(), 0);
    if (fresh && !gated) found->second = properties(activation).lipschitz;
    lipschitz.push_back(found->second);
  }
  const std::int64_t size = std::min(examples_of(health_size, train), train.size());
  const std::int64_t at_once = std::min(chunk, examples_of(probe_steps, train));
  std::vector<at::Tensor> alive(network.layers.size());
  double below = 0, seen = 0;
  for (std::int64_t from = 0; from < size; from += at_once) {
    network.forward(train.x.narrow(0, from, std::min(at_once, size - from)));
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
      const at::Tensor slope = slopes(network.layers[i]);
      if (slope.is_cpu() && slope.dim() == 2 && slope.is_contiguous() && slope.scalar_type() == torch::kFloat) {
        if (!alive[i].defined()) alive[i] = torch::zeros({slope.size(1)}, torch::kBool);
        const double largest = gated || std::isfinite(lipschitz[i]) ? lipschitz[i] : slope.max().item<double>();
        const std::int64_t flat = count_slopes(slope, saturated_below * largest, alive[i].data_ptr<bool>());
        if (gated) continue;
        below += static_cast<double>(flat);
        seen += static_cast<double>(slope.numel());
        continue;
      }
      const at::Tensor active = slope.ne(0).transpose(0, 1).flatten(1).any(1);
      alive[i] = alive[i].defined() ? alive[i].logical_or(active) : active;
      if (gated) continue;
      // Without a largest slope, what was seen stands in for it.
      const double largest = std::isfinite(lipschitz[i]) ? lipschitz[i] : slope.max().item<double>();
      below += slope.lt(saturated_below * largest).sum().item<double>();
      seen += static_cast<double>(slope.numel());
    }
  }
  double units = 0, living = 0;
  for (const at::Tensor& layer : alive) {
    units += static_cast<double>(layer.numel());
    living += layer.sum().item<double>();
  }
  return {1 - living / units, gated ? std::numeric_limits<double>::quiet_NaN() : below / seen};
}

}  // namespace ogee::lab
