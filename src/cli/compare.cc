// ogee compare: which activation a network needs, found by training it with each.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/shell.h"
#include "cli/verbs.h"
#include "lab/experiment_file.h"
#include "lab/laboratory.h"
#include "lab/ranks.h"
#include "lab/report.h"

namespace ogee::cli {
namespace {

struct Flags {
  lab::Experiment experiment;
  lab::Options options;
  std::string file, activations;
  // Flags that were given, by what they set: a file's settings give way to them.
  std::vector<std::pair<CLI::Option*, std::function<void(lab::Experiment&)>>> set;
  bool json = false, quiet = false;
};

// A flag for a field of the experiment.
template <class T>
CLI::Option* add(CLI::App& verb, Flags& flags, const std::string& name, T lab::Experiment::*field,
                 const std::string& help) {
  CLI::Option* option = verb.add_option(name, flags.experiment.*field, help);
  flags.set.emplace_back(option, [&flags, field](lab::Experiment& to) { to.*field = flags.experiment.*field; });
  return option;
}

lab::Experiment experiment_of(const Flags& flags) {
  lab::Experiment experiment = flags.file.empty() ? lab::Experiment() : lab::read_experiment(flags.file);
  for (const auto& [option, set] : flags.set)
    if (option->count() > 0) set(experiment);
  return experiment;
}

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
        name == "--quiet" || name == "--help" || name == "--keep-every")
      continue;
    if (option->get_positional()) {
      line += " " + quoted(option->results().back());
      continue;
    }
    line += " " + name;
    if (option->get_items_expected_max() > 0) line += " " + quoted(option->results().back());
  }
  return line;
}

std::string check_rate(const std::string& text) {
  double rate = 0;
  if (CLI::detail::lexical_cast(text, rate) && rate > 0 && rate <= 100) return "";
  return fmt::format("{} is no rate, expected a number above 0, at most 100", text);
}

int run(const CLI::App& verb, Flags& flags) {
  const lab::Experiment experiment = experiment_of(flags);
  flags.options.command = command_line(verb);
  flags.options.stop = &stop_when_interrupted();
  flags.options.rank = lab::rank_of_environment();
  if (flags.options.rank && flags.options.rank->rank > 0) {
    lab::serve(experiment, flags.options);
    return 0;
  }
  const bool terminal = isatty(STDERR_FILENO) && !flags.quiet;
  if (terminal) flags.options.progress = show_progress;
  const lab::Outcome outcome = lab::compare(experiment, flags.options);
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
  using lab::Experiment;
  const auto steps = CLI::Range(std::int64_t{1}, std::int64_t{65536});
  verb->add_option("experiment", flags->file, "a file with the experiment (.toml); flags override what it says")
      ->option_text("[EXPERIMENT.toml]");
  add(*verb, *flags, "--data", &Experiment::data,
      "optdigits (built in), mnist, fashion-mnist (under $OGEE_DATA), a file or folder (see --kind), or drawn: "
      "unique_integers(length=26,values=11), programs(length=2,nesting=1), copy(bits=8,longest=20), "
      "associative_recall(bits=6,length=3,most=6), shapes(size=32); or translation(train=multi30k/train,validation=...,"
      "test=...,source=en,target=de): text files, a sentence a line; or "
      "captions(images=FOLDER,captions=FILE,train=FILE,"
      "validation=FILE,test=FILE): pictures, or features=FILE.npy,names=FILE, in the layout of Flickr8k")
      ->capture_default_str();
  add(*verb, *flags, "--kind", &Experiment::kind,
      "csv, idx (folder), npy (x.npy or .npz), images (a folder for each class), text or series (CSV in order of "
      "time); default: as the name says");
  add(*verb, *flags, "--validation", &Experiment::validation, "a file or folder of the same kind to validate with");
  add(*verb, *flags, "--test", &Experiment::test, "a file or folder of the same kind to test with");
  add(*verb, *flags, "--validation-share", &Experiment::validation_share, "split off to validate with")
      ->check(CLI::Range(0.0, 1.0));
  add(*verb, *flags, "--test-share", &Experiment::test_share, "split off to test with")->check(CLI::Range(0.0, 1.0));
  add(*verb, *flags, "--context", &Experiment::context,
      "tokens of a text's window (64 characters, 32 words), or steps of a series to see (96)")
      ->check(steps);
  add(*verb, *flags, "--horizon", &Experiment::horizon, "steps of a series to forecast (24)")->check(steps);
  add(*verb, *flags, "--tokens", &Experiment::tokens, "of a text: characters (default) or words");
  add(*verb, *flags, "--size", &Experiment::size, "images: resize them all to size x size")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{4096}));
  add(*verb, *flags, "--target", &Experiment::target,
      "the column to predict, by name or number from 1 (CSV: default the last; series: default all)");
  add(*verb, *flags, "--train-limit", &Experiment::train_limit, "use at most so many training examples")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
  add(*verb, *flags, "--model", &Experiment::model,
      "mlp, convnet, resnet, lstm, gru, transformer, ntm, attention or captioner, as in resnet(batch_norm=1), "
      "transformer(heads=2), "
      "lstm(gates=all,head=mean), ntm(gates=all,memory=128x20) attention(gates=all,dropout=0.3) or "
      "captioner(gates=all,beam=3), or a TorchScript "
      "file of your own (.pt, .pth, .ts; "
      "see ogee show FILE); default: mlp, for text transformer, for recall lstm, for translation attention, for "
      "captions captioner");
  add(*verb, *flags, "--replace", &Experiment::replace,
      "which of a model file's activations give way: names as in ogee show FILE, * and ? stand for anything (default: "
      "all between layers)");
  add(*verb, *flags, "--weights", &Experiment::weights,
      "of a model file: new (drawn for each seed, by each function's gain) or keep (as saved)")
      ->capture_default_str();
  add(*verb, *flags, "--depth", &Experiment::depth, "hidden layers (mlp: 12) or convolution stages (convnet: 2)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000}));
  add(*verb, *flags, "--width", &Experiment::width,
      "units of a layer (mlp: 64) or channels of the first stage (convnet: 16)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{65536}));
  CLI::Option* activations =
      verb->add_option("--activations", flags->activations,
                       "names with attributes, as in relu,nah(base=tanh,c=0.3),swiglu (default: ten well-known ones); "
                       "instead of all arms of a file");
  flags->set.emplace_back(activations, [given = flags.get()](Experiment& to) {
    to.activations = lab::split_activations(given->activations);
    to.arms.clear();
  });
  add(*verb, *flags, "--epochs", &Experiment::epochs,
      "passes over the training data (default: 30; 5 from 10,000 examples)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000000}));
  add(*verb, *flags, "--batch", &Experiment::batch, "examples of a step")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20))
      ->capture_default_str();
  add(*verb, *flags, "--seeds", &Experiment::seeds, "runs of each activation")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000}))
      ->capture_default_str();
  add(*verb, *flags, "--learning-rate", &Experiment::learning_rate, "one rate for all, instead of tuning it for each")
      ->check(CLI::Validator(check_rate, "RATE"));
  add(*verb, *flags, "--device", &Experiment::device, "cpu or cuda")->capture_default_str();
  CLI::Option* data_parallel = verb->add_flag(
      "--data-parallel", flags->experiment.data_parallel,
      "ranks (torchrun, mpirun, srun) train every run together, each a part of every batch, instead of a run each");
  flags->set.emplace_back(data_parallel, [](Experiment& to) { to.data_parallel = true; });
  add(*verb, *flags, "--metric", &Experiment::metric,
      "what arms are judged by: error, balanced_error, macro_f1, top5_error, loss (classes); rmse, mae, r2, loss "
      "(values); perplexity, bits, loss, error (text); mse, mae (series); wrong_bits, error, loss (recall); bleu, "
      "perplexity, loss (translation); bleu, bleu_1, bleu_2, bleu_3, perplexity, loss (captions); default: "
      "the "
      "first of them");
  CLI::Option* stop_early = verb->add_flag("--stop-early", flags->experiment.stop_early,
                                           "arms that cannot win any more get no further seeds");
  flags->set.emplace_back(stop_early, [](Experiment& to) { to.stop_early = true; });
  verb->add_option("--workers", flags->options.workers, "runs at a time (default: one for each core)")
      ->check(CLI::Range(1, 1024));
  verb->add_option("--keep-every", flags->options.keep_seconds,
                   "seconds between two checkpoints of a run in progress: what a killed program loses at most")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  verb->add_option("--out", flags->options.out,
                   "the folder of results.db, results.json, report.html and experiment.toml")
      ->capture_default_str();
  verb->add_option("--tensorboard", flags->options.tensorboard,
                   "a folder for event files, one subfolder for each arm and seed: tensorboard --logdir FOLDER");
  verb->add_flag("--json", flags->json, "print results.json and nothing else");
  verb->add_flag("--quiet", flags->quiet, "no progress on the terminal");
  verb->footer(
      "Runs are kept in the folder: the same command again goes on where it was stopped or killed, and several at a "
      "time\n"
      "share the work. Ctrl-C leaves a report of what there is. examples/*.toml show what a file can say.\n"
      "Examples:\n"
      "  ogee compare\n"
      "  ogee compare examples/annealing.toml --seeds 3\n"
      "  ogee compare --data wine.csv --target quality --depth 4 --seeds 10\n"
      "  ogee compare --data fashion-mnist --model convnet --epochs 2 --activations relu,gelu --out fashion");
  verb->callback([verb, flags, &status] { status = run(*verb, *flags); });
}

}  // namespace ogee::cli
