// How fast recurrent networks train, and what they keep: Ogee's plain LSTM beside LibTorch's, the noisy one (on all
// five activations) beside the plain one, beside its composed form (ogee::compose_recurrent), and beside the same as
// one would write it with LibTorch's operators. Timed in turn in one process; a ratio is the median over rounds of the
// ratio of two neighbours' times.
//
//   cmake --build build/release --target bench_recurrent && build/release/bench/bench_recurrent
//
// Goals: plain at most 1.0 times LibTorch's time; noisy at most 1.3 times the plain one's, at least 5 times faster than
// composed, and with at most 1.2 times the plain one's memory. Exit status 1 where one is missed. What is written with
// operators has its products of matrices from LibTorch's BLAS; Ogee's own cells have theirs (kernels/dense).
#include <fmt/core.h>
#include <torch/torch.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "kept.h"
#include "ogee/torch_recurrent.h"
#include "run.h"
#include "timing.h"

namespace ogee::bench {
namespace {

struct Size {
  const char* name;
  std::int64_t batch, steps, units, layers;
};
constexpr Size sizes[] = {
    {"Penn Treebank, small", 20, 20, 200, 2},
    {"Learning to Execute", 100, 50, 400, 2},
    {"narrow", 32, 30, 64, 1},
    {"wide", 64, 10, 1024, 1},
};

struct Options {
  std::string size = "all";
  int threads = 1, rounds = 9;
  bool json = false, no_composed = false;
};

// The noisy LSTM as one writes it with LibTorch: Gulcehre et al. 2016, 1603.00391, half-normal noise where `half`.
class WrittenOut {
 public:
  WrittenOut(const nn::LSTM& like, bool half) : like_(like), half_(half) {}

  torch::Tensor forward(torch::Tensor x) const {
    for (std::int64_t i = 0; i < like_->options.num_layers(); ++i) {
      const RecurrentLayer l = like_->layer(static_cast<std::size_t>(i));
      torch::Tensor h = torch::zeros({x.size(1), like_->options.hidden_size()}), c = h;
      std::vector<torch::Tensor> states;
      const std::vector<torch::Tensor> from_x = at::linear(x, l.weight_ih, l.bias_ih).unbind(0);
      for (const torch::Tensor& now : from_x) {
        const std::vector<torch::Tensor> a = (now + at::linear(h, l.weight_hh, l.bias_hh)).chunk(4, 1);
        c = sigmoid(a[1], l.learned[1]) * c + sigmoid(a[0], l.learned[0]) * tanh(a[2], l.learned[2]);
        h = sigmoid(a[3], l.learned[3]) * tanh(c, l.learned[4]);
        states.push_back(h);
      }
      x = torch::stack(states);
    }
    return x;
  }

 private:
  torch::Tensor sigmoid(const torch::Tensor& x, const torch::Tensor& p) const {
    return noisy(x, torch::sigmoid(x), 0.25 * x + 0.5, p, 1.1, 0.15);
  }
  torch::Tensor tanh(const torch::Tensor& x, const torch::Tensor& p) const {
    return noisy(x, torch::tanh(x), x, p, 1.15, 0.5);
  }
  torch::Tensor noisy(const torch::Tensor& x, const torch::Tensor& h, const torch::Tensor& u, const torch::Tensor& p,
                      double alpha, double c) const {
    torch::Tensor e = torch::randn_like(x);
    if (half_) e = -e.abs();
    const torch::Tensor sigma = c * (torch::sigmoid(p * (h - u)) - 0.5).square();
    return alpha * h + (1 - alpha) * u - torch::sign(x).detach() * sigma * e;
  }
  nn::LSTM like_;
  bool half_;
};

// Ogee's own composed form: what runs where there are no kernels.
torch::Tensor composed(const nn::LSTM& lstm, torch::Tensor x) {
  for (std::int64_t i = 0; i < lstm->options.num_layers(); ++i) {
    x = compose_recurrent(lstm->layer(static_cast<std::size_t>(i)), x).y;
  }
  return x;
}

struct Way {
  std::string name;
  std::function<torch::Tensor(const torch::Tensor&)> forward;
  std::vector<torch::Tensor> parameters;
  std::int64_t kept = 0, peak = 0;  // bytes
  std::vector<double> seconds;      // by round
};

template <class Module, class Parameters>
Way way_of(std::string name, Module module, const Parameters& parameters) {
  return {std::move(name),
          [module](const torch::Tensor& x) mutable { return std::get<0>(module->forward(x)); },
          parameters->parameters(),
          0,
          0,
          {}};
}

void train_once(Way& way, const torch::Tensor& x, const torch::Tensor& g) {
  for (torch::Tensor& p : way.parameters) p.mutable_grad().reset();
  way.forward(x).backward(g);
}

// What a graph holds after forward, and the most that is held until backward has ended.
void measure_memory(Way& way, const torch::Tensor& x, const torch::Tensor& g) {
  train_once(way, x, g);
  for (torch::Tensor& p : way.parameters) p.mutable_grad().reset();
  const BytesGuard bytes;
  torch::Tensor y = way.forward(x);
  way.kept = bytes.held();
  y.backward(g);
  way.peak = bytes.peak();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}
double ratio(const Way& a, const Way& b) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < a.seconds.size(); ++i) ratios.push_back(a.seconds[i] / b.seconds[i]);
  return median(ratios);
}

struct Goal {
  std::string what;
  double value, bound;
  bool at_most;
  bool met() const { return at_most ? value <= bound : value >= bound; }
};

struct Outcome {
  nlohmann::ordered_json json;
  bool met = true;
};

Outcome measure(const Size& size, const Options& o) {
  torch::manual_seed(1);
  const auto options = nn::LSTMOptions(size.units, size.units).num_layers(size.layers);
  const nn::LSTM plain(options), nan(nn::LSTMOptions(options).sigmoid("nan_sigmoid").tanh("nan_tanh")),
      nah(nn::LSTMOptions(options).sigmoid("nah_sigmoid").tanh("nah_tanh"));
  const torch::nn::LSTM theirs(torch::nn::LSTMOptions(size.units, size.units).num_layers(size.layers));
  const torch::nn::GRU their_gru(torch::nn::GRUOptions(size.units, size.units).num_layers(size.layers));
  const nn::GRU gru(nn::GRUOptions(size.units, size.units).num_layers(size.layers));
  std::vector<Way> ways = {way_of("LibTorch's LSTM", theirs, theirs), way_of("plain LSTM", plain, plain),
                           way_of("NAN LSTM", nan, nan), way_of("NAH LSTM", nah, nah)};
  if (!o.no_composed) {
    for (const bool half : {false, true}) {
      const nn::LSTM& like = half ? nah : nan;
      const WrittenOut written(like, half);
      ways.push_back({std::string(half ? "NAH" : "NAN") + " LSTM composed",
                      [like](const torch::Tensor& x) { return composed(like, x); },
                      like->parameters(),
                      0,
                      0,
                      {}});
      ways.push_back({std::string(half ? "NAH" : "NAN") + " LSTM written with operators",
                      [written](const torch::Tensor& x) { return written.forward(x); },
                      like->parameters(),
                      0,
                      0,
                      {}});
    }
  }
  ways.push_back(way_of("LibTorch's GRU", their_gru, their_gru));
  ways.push_back(way_of("plain GRU", gru, gru));
  const torch::Tensor x = torch::randn({size.steps, size.batch, size.units}), g = torch::randn_like(x);
  for (Way& way : ways) measure_memory(way, x, g);
  // About 50 ms a sample.
  const double once = seconds_of([&] { train_once(ways[1], x, g); });
  const int calls = std::clamp(static_cast<int>(0.05 / once), 1, 50);
  for (int round = 0; round < o.rounds; ++round) {
    for (Way& way : ways) {
      const bool slow =
          way.name.find("composed") != std::string::npos || way.name.find("operators") != std::string::npos;
      const int times = slow ? 1 : calls;
      way.seconds.push_back(seconds_of([&] {
                              for (int i = 0; i < times; ++i) {
                                stop_if_interrupted();
                                train_once(way, x, g);
                              }
                            }) /
                            times);
    }
  }
  const auto by_name = [&](const std::string& name) -> const Way& {
    return *std::find_if(ways.begin(), ways.end(), [&](const Way& w) { return w.name == name; });
  };
  const Way& ours = by_name("plain LSTM");
  std::vector<Goal> goals = {
      {"plain LSTM: time, of LibTorch's", ratio(ours, by_name("LibTorch's LSTM")), 1, true},
      {"plain GRU: time, of LibTorch's", ratio(by_name("plain GRU"), by_name("LibTorch's GRU")), 1, true}};
  for (const std::string kind : {"NAN", "NAH"}) {
    const Way& noisy = by_name(kind + " LSTM");
    goals.push_back({kind + " LSTM: time, of the plain one's", ratio(noisy, ours), 1.3, true});
    goals.push_back({kind + " LSTM: memory kept, of the plain one's",
                     static_cast<double>(noisy.kept) / static_cast<double>(ours.kept), 1.2, true});
    goals.push_back({kind + " LSTM: peak memory, of the plain one's",
                     static_cast<double>(noisy.peak) / static_cast<double>(ours.peak), 1.2, true});
    if (!o.no_composed) {
      goals.push_back(
          {kind + " LSTM: times faster than composed", ratio(by_name(kind + " LSTM composed"), noisy), 5, false});
      goals.push_back({kind + " LSTM: times faster than written with operators",
                       ratio(by_name(kind + " LSTM written with operators"), noisy), 1, false});
    }
  }
  Outcome outcome;
  outcome.json = {{"size", size.name},   {"batch", size.batch},   {"steps", size.steps},
                  {"units", size.units}, {"layers", size.layers}, {"threads", o.threads}};
  for (const Way& way : ways) {
    outcome.json["ways"].push_back({{"way", way.name},
                                    {"milliseconds", 1e3 * median(way.seconds)},
                                    {"kept_bytes", way.kept},
                                    {"peak_bytes", way.peak}});
  }
  for (const Goal& goal : goals) {
    outcome.json["goals"].push_back({{"goal", goal.what},
                                     {"value", goal.value},
                                     {goal.at_most ? "at_most" : "at_least", goal.bound},
                                     {"met", goal.met()}});
    outcome.met = outcome.met && goal.met();
  }
  if (!o.json) {
    fmt::print("\n{}: batch {}, {} steps, {} units, {} layers\n{:<34} {:>12} {:>10} {:>10}\n", size.name, size.batch,
               size.steps, size.units, size.layers, "", "milliseconds", "MB kept", "MB peak");
    for (const Way& way : ways) {
      fmt::print("{:<34} {:>12.2f} {:>10.1f} {:>10.1f}\n", way.name, 1e3 * median(way.seconds),
                 static_cast<double>(way.kept) / 1e6, static_cast<double>(way.peak) / 1e6);
    }
    for (const Goal& goal : goals) {
      fmt::print("  {:<52} {:>6.2f}  {} {:.1f}: {}\n", goal.what, goal.value, goal.at_most ? "at most" : "at least",
                 goal.bound, goal.met() ? "met" : "MISSED");
    }
  }
  return outcome;
}

int run(const Options& o) {
  at::set_num_threads(o.threads);
  if (!o.json) fmt::print("Forward and backward, {} threads, BLAS: {}\n", o.threads, blas_in_use());
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  bool met = true;
  for (std::size_t i = 0; i < std::size(sizes); ++i) {
    if (o.size != "all" && o.size != std::to_string(i + 1)) continue;
    Outcome outcome = measure(sizes[i], o);
    met = met && outcome.met;
    list.push_back(std::move(outcome.json));
  }
  if (o.json) fmt::print("{}\n", nlohmann::ordered_json{{"blas", blas_in_use()}, {"sizes", list}}.dump(1));
  return met ? 0 : 1;
}

}  // namespace
}  // namespace ogee::bench

int main(int argc, char** argv) {
  ogee::bench::Options o;
  CLI::App app("Times recurrent networks, forward and backward", "bench_recurrent");
  app.add_option("--size", o.size, "1 to 4, in the order of the list, or all")
      ->check(CLI::IsMember({"all", "1", "2", "3", "4"}))
      ->capture_default_str();
  app.add_option("--threads", o.threads)->check(CLI::Range(1, 256))->capture_default_str();
  app.add_option("--rounds", o.rounds)->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_flag("--no-composed", o.no_composed,
               "Leave out what is written with operators, which takes most of the time");
  app.add_flag("--json", o.json, "Everything as JSON");
  return ogee::bench::run_program(app, argc, argv, [&] {
    const ogee::bench::Interruptible interruptible;
    try {
      return ogee::bench::run(o);
    } catch (const ogee::bench::Interrupted&) {
      return ogee::bench::status_interrupted;
    }
  });
}
