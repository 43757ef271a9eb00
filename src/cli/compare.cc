// ogee compare: which activation a network needs, found by training it with each.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/shell.h"
#include "cli/verbs.h"
#include "lab/laboratory.h"
#include "lab/report.h"

namespace ogee::cli {
namespace {

struct Flags {
  lab::Experiment experiment;
  lab::Options options;
  std::string activations;
  bool json = false, quiet = false;
};

void show_progress(const lab::Progress& progress) {
  std::string left = "";
  if (progress.steps_done > 0) {
    const double rate = static_cast<double>(progress.steps_done) / progress.seconds;
    const auto seconds =
        static_cast<std::int64_t>(static_cast<double>(progress.steps - progress.steps_done) / rate) + 1;
    left = fmt::format(", {}:{:02} left", seconds / 60, seconds % 60);
  }
  const std::string line = fmt::format("{} of {} runs{}{}{}", progress.runs_done, progress.runs, left,
                                       progress.latest.empty() ? "" : "; last: ", progress.latest);
  fmt::print(stderr, "\r\x1b[K{}", line.substr(0, 79));
  std::fflush(stderr);
}

// The flags that shape the results, as they were given.
std::string command_line(const CLI::App& verb) {
  std::string line = "ogee compare";
  for (const CLI::Option* option : verb.get_options()) {
    const std::string name = option->get_name();
    if (option->count() == 0 || name == "--workers" || name == "--tensorboard" || name == "--json" ||
        name == "--quiet" || name == "--help")
      continue;
    line += " " + name + " " + quoted(option->results().back());
  }
  return line;
}

std::string check_rate(const std::string& text) {
  double rate = 0;
  if (CLI::detail::lexical_cast(text, rate) && rate > 0 && rate <= 100) return "";
  return fmt::format("{} is no rate, expected a number above 0, at most 100", text);
}

int run(const CLI::App& verb, Flags& flags) {
  if (verb.get_option("--activations")->count() > 0)
    flags.experiment.activations = lab::split_activations(flags.activations);
  flags.options.command = command_line(verb);
  flags.options.stop = &stop_when_interrupted();
  const bool terminal = isatty(STDERR_FILENO) && !flags.quiet;
  if (terminal) flags.options.progress = show_progress;
  const lab::Outcome outcome = lab::compare(flags.experiment, flags.options);
  if (terminal) fmt::print(stderr, "\r\x1b[K");
  if (flags.json) {
    fmt::print("{}\n", outcome.results.dump(1));
  } else {
    fmt::print("{}\nreport: {}/report.html\n", lab::text_report(outcome.results), flags.options.out);
  }
  if (outcome.ending == lab::Ending::stopped)
    fmt::print(stderr, "ogee: stopped after {} of {} runs; the same command again goes on from there\n",
               outcome.results["runs_done"].get<int>(), outcome.results["runs_wanted"].get<int>());
  if (outcome.ending == lab::Ending::nothing_worked) fmt::print(stderr, "ogee: no arm learned anything of use\n");
  return outcome.ending == lab::Ending::complete ? 0 : 1;
}

}  // namespace

void add_compare(CLI::App& app, int& status) {
  CLI::App* verb = app.add_subcommand(
      "compare", "Train a network with each of several activations, fairly, and say which to use and how sure that is");
  const auto flags = std::make_shared<Flags>();
  lab::Experiment& experiment = flags->experiment;
  verb->add_option("--data", experiment.data,
                   "optdigits (built in), mnist, fashion-mnist (under $OGEE_DATA), or a .csv or .csv.gz file")
      ->capture_default_str();
  verb->add_option("--target", experiment.target,
                   "the CSV column to predict, by name or number from 1 (default: the last)");
  verb->add_option("--train-limit", experiment.train_limit, "use at most so many training examples")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
  verb->add_option("--model", experiment.model, "mlp or convnet")->capture_default_str();
  verb->add_option("--depth", experiment.depth, "hidden layers (mlp: 12) or convolution stages (convnet: 2)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000}));
  verb->add_option("--width", experiment.width,
                   "units of a layer (mlp: 64) or channels of the first stage (convnet: 16)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{65536}));
  verb->add_option("--activations", flags->activations,
                   "names with attributes, as in relu,nah(base=tanh,c=0.3),swiglu (default: ten well-known ones)");
  verb->add_option("--epochs", experiment.epochs, "passes over the training data (default: 30; 5 from 10,000 examples)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000000}));
  verb->add_option("--batch", experiment.batch, "examples of a step")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20))
      ->capture_default_str();
  verb->add_option("--seeds", experiment.seeds, "runs of each activation")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000}))
      ->capture_default_str();
  verb->add_option("--learning-rate", experiment.learning_rate, "one rate for all, instead of tuning it for each")
      ->check(CLI::Validator(check_rate, "RATE"));
  verb->add_option("--device", experiment.device, "cpu or cuda")->capture_default_str();
  verb->add_option("--workers", flags->options.workers, "runs at a time (default: one for each core)")
      ->check(CLI::Range(1, 1024));
  verb->add_option("--out", flags->options.out, "the folder of results.db, results.json and report.html")
      ->capture_default_str();
  verb->add_option("--tensorboard", flags->options.tensorboard,
                   "a folder for event files, one subfolder for each arm and seed: tensorboard --logdir FOLDER");
  verb->add_flag("--json", flags->json, "print results.json and nothing else");
  verb->add_flag("--quiet", flags->quiet, "no progress on the terminal");
  verb->footer(
      "Runs are kept in the folder: the same command again goes on where it was stopped. Ctrl-C leaves a report of "
      "what\n"
      "there is.\n"
      "Examples:\n"
      "  ogee compare\n"
      "  ogee compare --data wine.csv --target quality --depth 4 --seeds 10\n"
      "  ogee compare --data fashion-mnist --model convnet --epochs 2 --activations relu,gelu --out fashion");
  verb->callback([verb, flags, &status] { status = run(*verb, *flags); });
}

}  // namespace ogee::cli
