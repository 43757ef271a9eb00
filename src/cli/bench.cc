// ogee bench: nanoseconds an element: ours, the peers' and plain copies', validated, then timed in turn in one process.
#include "bench/speed/machine.h"
#include "bench/speed/measure.h"
#include "bench/speed/report.h"
#include "bench/speed/goals.h"

#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/verbs.h"
#include "ogee/ogee.h"

namespace ogee::cli {
namespace {

struct Options {
  std::vector<std::string> activations;
  std::vector<std::size_t> elements;
  std::vector<int> threads = {1};
  std::vector<std::string> types = {"f32"};
  std::vector<std::string> directions = {"forward", "backward"};
  std::string target;
  double seconds = 0.05;
  int rounds = 9;
  bool small = false;
  bool goals = false;
  bool json = false;
};

Type type_named(const std::string& name) {
  for (Type type : {Type::float32, Type::float64, Type::bfloat16, Type::float16}) {
    if (name == bench::name_of(type)) return type;
  }
  throw Error("no element type '" + name + "'");
}

bench::Direction direction_named(const std::string& name) {
  for (bench::Direction d : {bench::Direction::forward, bench::Direction::backward, bench::Direction::training}) {
    if (name == bench::name_of(d)) return d;
  }
  throw Error("no direction '" + name + "'");
}

// What was asked for, or 64K and 16M; the training pair, which keeps temporaries, at 4M.
std::vector<std::size_t> sizes(const Options& options, bench::Direction direction) {
  if (!options.elements.empty()) return options.elements;
  if (direction == bench::Direction::training) return {std::size_t{1} << 22};
  return {std::size_t{1} << 16, std::size_t{1} << 24};
}

// False where one of our own results is out of tolerance, which the tables then say.
bool measure_all(const Options& options) {
  std::vector<Activation> activations;
  for (const std::string& text : options.activations) activations.emplace_back(text);
  if (activations.empty()) {
    for (const Function* f : functions()) activations.emplace_back(*f);
  }
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  bench::Bench bench;
  bool right = true;
  if (!options.json) fmt::print("{}ns an element\n", bench::machine_text());
  for (const std::string& type : options.types) {
    for (int threads : options.threads) {
      if (!options.json) fmt::print("\n{}, {} thread(s)\n{}", type, threads, bench::table_header());
      for (const Activation& activation : activations) {
        for (const std::string& name : options.directions) {
          const bench::Direction direction = direction_named(name);
          for (std::size_t elements : sizes(options, direction)) {
            bench::Request request;
            request.direction = direction;
            request.type = type_named(type);
            request.elements = elements;
            request.threads = threads;
            request.budget.seconds = options.seconds;
            request.budget.rounds = options.rounds;
            const bench::Measurement m = bench.measure(activation, request);
            right = right && m.wrong.empty();
            if (options.json) {
              all.push_back(bench::to_json(m));
            } else {
              fmt::print("{}", bench::table_row(m));
              std::fflush(stdout);
            }
          }
        }
      }
    }
  }
  if (options.json) fmt::print("{}\n", all.dump(1));
  return right;
}

}  // namespace

void add_bench(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("bench", "Time the functions beside copies and other libraries");
  CLI::Option* names = verb->add_option("activations", options->activations, "Which (default: all)");
  verb->add_option("--elements", options->elements,
                   "Array lengths, separated by commas (default: 65536,16777216; training 4194304)")
      ->delimiter(',')
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 30));
  verb->add_option("--dtype", options->types, "Element types: f32, f64, bf16, f16")
      ->delimiter(',')
      ->check(CLI::IsMember({"f32", "f64", "bf16", "f16"}))
      ->capture_default_str();
  verb->add_option("--direction", options->directions,
                   "forward, backward, training (forward and backward recorded by LibTorch's autograd)")
      ->delimiter(',')
      ->check(CLI::IsMember({"forward", "backward", "training"}))
      ->capture_default_str();
  verb->add_option("--threads", options->threads, "Threads, of ours and of the peers")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  verb->add_option("--target", options->target,
                   "Restrict ours and the peers to a SIMD target, such as AVX2 (default: the best one here)");
  verb->add_option("--seconds", options->seconds, "Time for each competitor in each measurement (--goals: 0.02)")
      ->check(CLI::Range(0.0001, 60.0))
      ->capture_default_str();
  verb->add_option("--rounds", options->rounds, "Turns that each competitor takes in a measurement")
      ->check(CLI::Range(1, 1001))
      ->capture_default_str();
  CLI::Option* small = verb->add_flag(
      "--small", options->small,
      "Calls on 64 to 1,024 elements instead: over spans, and through LibTorch beside its own operators");
  CLI::Option* goals =
      verb->add_flag("--goals", options->goals, "Measure what Ogee's goals of speed are about, and say which are met");
  verb->add_flag("--json", options->json, "Measurements as an array; with --goals, an object");
  // They choose these themselves.
  for (const char* chosen : {"--elements", "--dtype", "--direction", "--threads", "--rounds"}) {
    goals->excludes(verb->get_option(chosen));
    small->excludes(verb->get_option(chosen));
  }
  goals->excludes(names)->excludes(small);
  verb->footer(
      "Ours, copies and the peers take turns in one process, on the same arrays. A peer must first compute the same\n"
      "function (errors are given in units in the last place); one that does not is disqualified and listed so.\n"
      "'ogee' and 'copy' are each one's fastest round; 'ratio' is the median, over rounds, of the best peer's time\n"
      "over ours: above 1, ours is faster. Copies are the faster ones of ordinary and streaming stores. 'composed' is "
      "the\n"
      "formula out of LibTorch's operators.\n"
      "OGEE_PEERS names directories, separated by colons, where the libraries of peers that are only looked for when\n"
      "the program runs may lie: libdnnl.so.3 (oneDNN 3), libmkl_rt.so.2 or .3 (Intel MKL). ./dev peers installs "
      "them.\n"
      "Examples:\n"
      "  ogee bench gelu mish\n"
      "  ogee bench --elements 65536 --direction forward --json\n"
      "  ogee bench swiglu --direction training --dtype f32,bf16 --threads 1,2\n"
      "  ogee bench tanh --target AVX2\n"
      "  ogee bench --goals");
  verb->callback([options, verb, &status] {
    for (const std::string& text : options->activations) Activation{text};
    bench::restrict_to(options->target);
    bench::keep_freed_memory();
    status = 0;
    if (options->goals) {
      // Hundreds of measurements in less than ten minutes.
      const double seconds = verb->count("--seconds") > 0 ? options->seconds : 0.02;
      status = bench::run_goals({.target = options->target, .json = options->json, .seconds = seconds});
    } else if (options->small) {
      bench::run_small({.activations = options->activations, .json = options->json, .seconds = options->seconds});
    } else {
      status = measure_all(*options) ? 0 : 1;
    }
  });
}

}  // namespace ogee::cli
