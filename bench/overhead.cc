// What watching costs: steps of training without the monitor, with it as it comes, and with every step observed, in
// turns; and whether its memory stays what it is.
//
//   ninja -C build/release bench_overhead && build/release/bench/bench_overhead
//
// Networks: the default comparison's (12 layers of 64, on its digits), a convolutional one on Fashion-MNIST (pictures
// of its size where $OGEE_DATA has none), a transformer of 4 layers. Exit status 1 where a goal is missed.
#include <ATen/core/ivalue.h>
#include <torch/torch.h>
//
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "ogee/libtorch.h"
#include "data/dataset.h"
#include "lab/blas.h"
#include "models/network.h"
#include "ogee/monitor.h"
#include "run.h"

namespace ogee::bench {
namespace {

using Json = nlohmann::ordered_json;
using Step = std::function<void()>;

constexpr double most_default = 0.02, most_full = 0.15;

// All threads' processor time: other programs' share of the machine is none of this.
double seconds_spent() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double resident_mib() {
  std::ifstream file("/proc/self/statm");
  double total = 0, resident = 0;
  file >> total >> resident;
  return resident * 4096 / (1 << 20);
}

struct Job {
  std::string name;
  std::shared_ptr<torch::nn::Module> model;
  std::shared_ptr<torch::optim::Optimizer> optimizer;
  Step step;
};

Job classifier(const std::string& name, const models::Settings& settings, const data::Dataset& data) {
  auto network = models::build(settings, data, 1);
  auto optimizer = std::make_shared<torch::optim::Adam>(network->parameters(), 1e-3);
  auto at_row = std::make_shared<std::int64_t>(0);
  const at::Tensor x = data.train.x, y = data.train.y;
  return {name, network, optimizer, [=] {
            constexpr std::int64_t batch = 64;
            if (*at_row + batch > x.size(0)) *at_row = 0;
            optimizer->zero_grad();
            const at::Tensor loss = torch::nn::functional::cross_entropy(network->forward(x.narrow(0, *at_row, batch)),
                                                                         y.narrow(0, *at_row, batch));
            loss.backward();
            optimizer->step();
            *at_row += batch;
          }};
}

data::Dataset pictures() {
  try {
    data::Request request;
    request.data = "fashion-mnist";
    return data::load(request);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_overhead: {}; pictures of random numbers instead\n", error.what());
    data::Dataset made;
    made.name = "random";
    made.shape = {1, 28, 28};
    for (int i = 0; i < 10; ++i) made.classes.push_back(std::to_string(i));
    made.train = {torch::randn({4096, 1, 28, 28}), torch::randint(10, {4096})};
    return made;
  }
}

Job transformer() {
  static constexpr std::int64_t vocabulary = 64, width = 64, length = 16, batch = 8;
  struct Model : torch::nn::Module {
    Model()
        : embedding(register_module("embedding", torch::nn::Embedding(vocabulary, width))),
          encoder(register_module(
              "encoder", torch::nn::TransformerEncoder(torch::nn::TransformerEncoderOptions(
                             torch::nn::TransformerEncoderLayerOptions(width, 4).dim_feedforward(256).dropout(0), 4)))),
          head(register_module("head", torch::nn::Linear(width, vocabulary))) {}
    torch::nn::Embedding embedding;
    torch::nn::TransformerEncoder encoder;
    torch::nn::Linear head;
  };
  auto model = std::make_shared<Model>();
  auto optimizer = std::make_shared<torch::optim::Adam>(model->parameters(), 1e-3);
  return {"transformer", model, optimizer, [=] {
            const at::Tensor tokens = torch::randint(vocabulary, {length, batch});
            optimizer->zero_grad();
            const at::Tensor logits = model->head(model->encoder(model->embedding(tokens)));
            torch::nn::functional::cross_entropy(logits.flatten(0, 1), tokens.flatten()).backward();
            optimizer->step();
          }};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// In shares of a step: as it comes; every step, its tensors sampled as ever; every element of every step.
struct Costs {
  double step_ms, as_it_comes, full, everything;
};

// Each block trains the same network anew, so that all do the same arithmetic: a product with a sparser matrix, or with
// subnormal numbers, takes another time.
Costs measure(const std::function<Job()>& make, int rounds, int steps) {
  const auto block = [&](std::optional<MonitorOptions> watched) {
    torch::manual_seed(1);
    const Job job = make();
    std::unique_ptr<Monitor> monitor;
    if (watched) monitor = std::make_unique<Monitor>(*job.model, *job.optimizer, watched->print(false));
    // Its first windows come close together, and the first calls of everything are slow.
    for (int i = 0; i < steps; ++i) job.step();
    const double begin = seconds_spent();
    for (int i = 0; i < steps; ++i) job.step();
    return (seconds_spent() - begin) / steps;
  };
  std::vector<double> plain, usual, full, everything;
  for (int round = 0; round < rounds; ++round) {
    plain.push_back(block(std::nullopt));
    usual.push_back(block(MonitorOptions()) / plain.back());
    full.push_back(block(MonitorOptions().every(1)) / plain.back());
    everything.push_back(block(MonitorOptions().every(1).sample(0)) / plain.back());
  }
  return {1e3 * median(plain), median(usual) - 1, median(full) - 1, median(everything) - 1};
}

int run(int rounds, int steps, std::int64_t long_steps, const std::string& only, bool json) {
  torch::set_num_threads(1);
  const lab::OneBlasThread one;  // its threads' waiting would count as work
  torch::manual_seed(1);
  data::Request digits;
  Json rows = Json::array();
  bool met = true;
  const bool convnet = long_steps == 0 && (only.empty() || only == "convnet");
  const data::Dataset small = data::load(digits), large = convnet ? pictures() : data::Dataset();
  if (long_steps > 0) {
    const Job job = classifier("mlp", {}, small);
    Monitor monitor(*job.model, MonitorOptions().print(false));
    Json memory = Json::array();
    for (std::int64_t i = 1; i <= long_steps; ++i) {
      job.step();
      if (i % (long_steps / 10) == 0) {
        memory.push_back({{"steps", i}, {"resident_mib", resident_mib()}});
        if (!json) fmt::print("{:>8} steps {:8.1f} MiB\n", i, resident_mib());
      }
    }
    const double grown = memory.back()["resident_mib"].get<double>() - memory[1]["resident_mib"].get<double>();
    met = grown < 1;
    if (json) fmt::print("{}\n", Json{{"memory", memory}, {"grown_mib", grown}, {"met", met}}.dump(2));
    return met ? 0 : 1;
  }
  const std::pair<std::string, std::function<Job()>> jobs[] = {{"mlp", [&] { return classifier("mlp", {}, small); }},
                                                               {"convnet on " + large.name,
                                                                [&] {
                                                                  models::Settings settings;
                                                                  settings.model = "convnet";
                                                                  return classifier("convnet", settings, large);
                                                                }},
                                                               {"transformer", transformer}};
  if (!json) {
    fmt::print("{:<28}{:>10}{:>14}{:>14}{:>14}\n", "", "ms a step", "as it comes", "every step", "all of it");
  }
  for (const auto& [name, make] : jobs) {
    if (!only.empty() && !name.starts_with(only)) continue;
    const int here = name == "mlp" ? steps : std::max(200, steps / 4);
    const Costs c = measure(make, rounds, here);
    const bool good = c.as_it_comes < most_default && c.full < most_full;
    met = met && good;
    rows.push_back({{"network", name},
                    {"step_ms", c.step_ms},
                    {"as_it_comes", c.as_it_comes},
                    {"every_step", c.full},
                    {"every_element", c.everything},
                    {"met", good}});
    if (!json) {
      fmt::print("{:<28}{:>10.3f}{:>13.2f}%{:>13.2f}%{:>13.2f}%  {}\n", name, c.step_ms, 100 * c.as_it_comes,
                 100 * c.full, 100 * c.everything, good ? "met" : "missed");
      std::fflush(stdout);
    }
  }
  if (json) fmt::print("{}\n", rows.dump(2));
  return met ? 0 : 1;
}

}  // namespace
}  // namespace ogee::bench

int main(int argc, char** argv) {
  CLI::App app("What watching a network costs: under 2 % as it comes, under 15 % with every step observed",
               "bench_overhead");
  int rounds = 5, steps = 600;
  std::int64_t long_steps = 0;
  bool json = false;
  app.add_option("--rounds", rounds)->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--steps", steps, "A block's, of the mlp; a tenth for the others")
      ->check(CLI::Range(100, 100000))
      ->capture_default_str();
  app.add_option("--memory", long_steps, "Instead: memory over so many steps of the mlp, such as 100000")
      ->check(CLI::Range(100, 1000000000));
  std::string only;
  app.add_option("--network", only, "Only this one: mlp, convnet or transformer");
  app.add_flag("--json", json);
  return ogee::bench::run_program(app, argc, argv,
                                  [&] { return ogee::bench::run(rounds, steps, long_steps, only, json); });
}
