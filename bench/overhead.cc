// What watching costs: steps of training without the monitor, with it as it comes, and with every step observed, in
// turns; and whether its memory stays what it is. "between windows": nothing is observed but in the first one.
//
//   ninja -C build/release bench_overhead && build/release/bench/bench_overhead
//
// Networks: the default comparison's (12 layers of 64, on its digits), a convolutional one on Fashion-MNIST (pictures
// of its size where $OGEE_DATA has none), a transformer of 4 layers. Exit status 1 where a goal is missed.
#include <ATen/core/ivalue.h>
#include <torch/torch.h>
//
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
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

// A process of its own that trains a network, watched or not, so many steps at a time.
class Trainee {
 public:
  struct Report {
    double seconds = 0;                    // these steps'
    std::int64_t steps = 0, observed = 0;  // all so far, where asked for
  };

  Trainee(const std::function<Job()>& make, const std::optional<MonitorOptions>& watched, int steps_first) {
    int to[2], from[2];
    if (pipe(to) != 0 || pipe(from) != 0) throw Error("no pipe to be had");
    std::fflush(stdout);
    process_ = fork();
    if (process_ < 0) throw Error("no process to be had");
    if (process_ == 0) {
      close(to[1]);
      close(from[0]);
      _exit(train(make, watched, steps_first, to[0], from[1]));
    }
    close(to[0]);
    close(from[1]);
    to_ = to[1];
    from_ = from[0];
  }
  ~Trainee() {
    if (write(to_, &no_more, sizeof no_more) != sizeof no_more) kill(process_, SIGTERM);
    close(to_);
    close(from_);
    waitpid(process_, nullptr, 0);
  }
  Trainee(const Trainee&) = delete;
  Trainee& operator=(const Trainee&) = delete;

  // What the monitor has seen is asked for apart, as the answer takes memory and so changes the steps that follow.
  Report seen() const { return run(question); }
  Report run(int steps) const {
    Report report;
    if (write(to_, &steps, sizeof steps) != sizeof steps || read(from_, &report, sizeof report) != sizeof report)
      throw Error("a process that trains came to an early end");
    return report;
  }

 private:
  static int train(const std::function<Job()>& make, const std::optional<MonitorOptions>& watched, int steps_first,
                   int from, int to) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    torch::manual_seed(1);
    const Job job = make();
    std::optional<Monitor> monitor;
    if (watched) monitor.emplace(*job.model, *job.optimizer, MonitorOptions(*watched).print(false));
    for (int i = 0; i < steps_first; ++i) job.step();
    for (int steps = 0; read(from, &steps, sizeof steps) == sizeof steps && steps != no_more;) {
      Report report;
      const double begin = seconds_spent();
      for (int i = 0; i < steps; ++i) job.step();
      report.seconds = seconds_spent() - begin;
      if (monitor && steps == question) {
        const monitor::Record record = monitor->record();
        report.steps = record.steps;
        report.observed = record.observed_steps;
      }
      if (write(to, &report, sizeof report) != sizeof report) return 1;
    }
    return 0;
  }

  static constexpr int no_more = 0, question = -1;
  pid_t process_ = -1;
  int to_ = -1, from_ = -1;
};

// What the monitor adds to a step, as a share of it: the median of the rounds, and the range that holds the true median
// in nine cases of ten.
struct Cost {
  double share, low, high;
  std::vector<double> rounds;
};
Cost cost_of(const std::vector<double>& rounds) {
  std::vector<double> shares = rounds;
  std::sort(shares.begin(), shares.end());
  // The true median lies beyond the k-th from either end with the probability of fewer than k heads in n throws.
  const std::size_t n = shares.size();
  std::size_t k = 0;
  double term = std::pow(0.5, static_cast<double>(n)), beyond = 0;
  for (std::size_t j = 0; j < n / 2; ++j) {
    beyond += 2 * term;
    if (beyond > 0.1) break;
    k = j;
    term *= static_cast<double>(n - j) / static_cast<double>(j + 1);
  }
  const double middle = 0.5 * (shares[(n - 1) / 2] + shares[n / 2]);
  return {middle, shares[k], shares[n - 1 - k], rounds};
}

struct Costs {
  double step_ms = 0, observed = 0;  // the share of steps that are observed as it comes
  Cost as_it_comes, between, full, everything, unwatched;
};

// Processes that train the same network, unwatched and watched in all ways, take turns of a few steps on one processor:
// whatever else slows the machine down slows all of them, and each does the same arithmetic as the others (a product
// with a sparser matrix, or with subnormal numbers, takes another time). Every round starts new ones, in another order,
// as where their memory happens to lie makes a difference that stays.
Costs measure(const std::function<Job()>& make, int rounds, int steps) {
  // Unwatched twice: by how much two that are alike differ is what the others may be off, too.
  const std::optional<MonitorOptions> ways[] = {
      std::nullopt,
      MonitorOptions(),
      MonitorOptions().every(1 << 30),
      MonitorOptions().every(1),
      MonitorOptions().every(1).sample(0),
      std::nullopt,
  };
  constexpr std::size_t count = std::size(ways);
  constexpr int turn = 10;
  std::vector<double> plain, observed, shares[count];
  for (int round = 0; round < rounds; ++round) {
    std::unique_ptr<Trainee> trainees[count];
    // Its first windows come close together, and the first calls of everything are slow.
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t way = (i + static_cast<std::size_t>(round)) % count;
      trainees[way] = std::make_unique<Trainee>(make, ways[way], std::max(100, steps / 2));
    }
    double seconds[count] = {};
    const Trainee::Report first = trainees[1]->seen();
    for (int done = -turn; done < steps; done += turn) {
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t way = (i + static_cast<std::size_t>(done + turn)) % count;
        const Trainee::Report report = trainees[way]->run(turn);
        if (done >= 0) seconds[way] += report.seconds;
      }
    }
    const Trainee::Report last = trainees[1]->seen();
    const double unwatched = 0.5 * (seconds[0] + seconds[count - 1]);
    plain.push_back(1e3 * unwatched / steps);
    observed.push_back(static_cast<double>(last.observed - first.observed) /
                       static_cast<double>(last.steps - first.steps));
    for (std::size_t way = 1; way < count; ++way) shares[way].push_back(seconds[way] / unwatched - 1);
  }
  return {median(plain),      median(observed),   cost_of(shares[1]),        cost_of(shares[2]),
          cost_of(shares[3]), cost_of(shares[4]), cost_of(shares[count - 1])};
}

// All processes to come share one processor: another would have other caches, and another clock.
void stay_on_this_processor() {
  const int here = sched_getcpu();
  if (here < 0) return;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<unsigned>(here), &one);
  sched_setaffinity(0, sizeof one, &one);
}

int run(int rounds, int steps, std::int64_t long_steps, const std::string& only, bool json) {
  torch::set_num_threads(1);
  if (long_steps == 0) stay_on_this_processor();
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
    fmt::print("{:<26}{:>9}{:>10}{:>22}{:>22}{:>22}{:>22}\n", "", "ms/step", "observed", "as it comes",
               "between windows", "every step", "all of it");
  }
  for (const auto& [name, make] : jobs) {
    if (!only.empty() && !name.starts_with(only)) continue;
    const Costs c = measure(make, rounds, name == "mlp" ? steps : std::max(100, steps / 2));
    const bool good = c.as_it_comes.share < most_default && c.full.share < most_full;
    met = met && good;
    const auto json_of = [](const Cost& cost) {
      return Json{{"share", cost.share}, {"low", cost.low}, {"high", cost.high}, {"rounds", cost.rounds}};
    };
    rows.push_back({{"network", name},
                    {"step_ms", c.step_ms},
                    {"observed", c.observed},
                    {"as_it_comes", json_of(c.as_it_comes)},
                    {"between_windows", json_of(c.between)},
                    {"every_step", json_of(c.full)},
                    {"every_element", json_of(c.everything)},
                    {"unwatched", json_of(c.unwatched)},
                    {"met", good}});
    if (!json) {
      const auto text_of = [](const Cost& cost) {
        return fmt::format("{:.2f}% [{:.2f}, {:.2f}]", 100 * cost.share, 100 * cost.low, 100 * cost.high);
      };
      fmt::print("{:<26}{:>9.3f}{:>9.1f}%{:>22}{:>22}{:>22}{:>22}  {}\n", name, c.step_ms, 100 * c.observed,
                 text_of(c.as_it_comes), text_of(c.between), text_of(c.full), text_of(c.everything),
                 good ? "met" : "missed");
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
  int rounds = 5, steps = 300;
  std::int64_t long_steps = 0;
  bool json = false;
  app.add_option("--rounds", rounds)->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--steps", steps, "What each process trains a round of the mlp; half as many of the others")
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
