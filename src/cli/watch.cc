// ogee watch: what activations do to a network in training, seen from outside.
#include "cli/watch.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <tuple>
#include <utility>

#include "cli/shell.h"
#include "cli/verbs.h"
#include "lab/monitor_report.h"
#include "monitor/show/lines.h"
#include "monitor/show/table.h"
#include "ogee/ogee.h"

namespace ogee::cli {
namespace {

std::string command_line(const CLI::App& verb, const WatchFlags& flags) {
  std::string line = "ogee watch";
  for (const CLI::Option* option : verb.get_options()) {
    if (option->count() == 0 || option->get_positional() || option->get_name() == "--help") continue;
    line += " " + option->get_name();
    if (option->get_items_expected_max() > 0) line += " " + quoted(option->results().back());
  }
  if (!flags.program.empty()) line += " --";
  for (const std::string& word : flags.program) line += " " + quoted(word);
  return line;
}

Watched read_stored(const std::string& path) {
  const monitor::show::LineReader reader = monitor::show::read_lines(path);
  Watched watched;
  watched.title = reader.program().empty() ? path : reader.program();
  watched.record = reader.record();
  watched.observed = !watched.record.layers.empty() || !watched.record.non_finite.empty();
  watched.findings = reader.complete() ? reader.findings() : united(reader.findings(), judge(watched.record));
  if (!reader.complete())
    watched.remarks.push_back("The program ended before the monitor could: what it kept of single units is missing.");
  if (reader.bad_lines() > 0)
    watched.remarks.push_back(fmt::format("{} line{} of {} could not be read.", reader.bad_lines(),
                                          reader.bad_lines() == 1 ? "" : "s", path));
  return watched;
}

void write_report(const WatchFlags& flags, const Watched& watched, const std::string& command) {
  std::ofstream file(flags.report, std::ios::binary);
  file << lab::monitor_report(watched.record, watched.findings, {watched.title, command, watched.remarks});
  file.close();
  if (!file) throw Error(flags.report + ": cannot be written");
}

// What will be written at the end should not fail only then.
void check_writable(const std::string& path) {
  if (path.empty()) return;
  std::error_code error;
  const auto folder = std::filesystem::absolute(path).parent_path();
  if (std::filesystem::is_directory(path, error) || !std::filesystem::is_directory(folder, error) ||
      access(folder.c_str(), W_OK) != 0)
    throw Error(path + ": cannot be written");
}

void check(const CLI::App& verb, const WatchFlags& flags) {
  const int ways = !flags.program.empty() + !flags.model.empty() + !flags.read.empty();
  if (ways != 1)
    throw Error("watch: expected one of a program (ogee watch -- PROGRAM ARGS), --model FILE, or --read FILE");
  if (flags.model.empty())
    for (const char* name :
         {"--data", "--target", "--train-limit", "--steps", "--batch", "--rate", "--train", "--evaluate"})
      if (verb.get_option(name)->count() > 0) throw Error(fmt::format("watch: {} goes with --model", name));
  if (!flags.read.empty())
    for (const char* name : {"--json", "--tensorboard", "--every", "--budget", "--trace-non-finite"})
      if (verb.get_option(name)->count() > 0) throw Error(fmt::format("watch: {} does not go with --read", name));
  if (flags.train && flags.evaluate) throw Error("watch: --train and --evaluate exclude each other");
  if (!flags.program.empty() && flags.json == "-") throw Error("watch: stdout is the program's; expected --json FILE");
  check_writable(flags.report);
}

int run(const CLI::App& verb, const WatchFlags& flags) {
  check(verb, flags);
  Watched watched;
  if (!flags.program.empty()) {
    watched = watch_program(flags);
  } else if (!flags.model.empty()) {
    watched = watch_model(flags, stop_when_interrupted());
  } else {
    watched = read_stored(flags.read);
  }
  // A program's own output stays as it would be; what Ogee says comes beside it.
  std::FILE* const out = !flags.program.empty() || flags.json == "-" ? stderr : stdout;
  const monitor::show::Style terminal = monitor::show::style_for(fileno(out));
  monitor::show::Style style = terminal;
  style.rows = 0;
  std::string text;
  if (watched.observed && !flags.quiet) {
    style.rows = std::max<std::size_t>(terminal.rows, 40) / 2 + 2;
    text += monitor::show::layers(watched.record, watched.findings, style);
    style.rows = 0;
    const std::string details = monitor::show::report(watched.record, watched.findings, style);
    if (!details.empty()) text += "\n" + details;
  }
  for (const std::string& remark : watched.remarks) text += fmt::format("ogee: {}\n", printable(remark, style));
  if (!flags.report.empty() && watched.observed) {
    write_report(flags, watched, command_line(verb, flags));
    if (!flags.quiet) text += fmt::format("report: {}\n", flags.report);
  }
  fmt::print(out, "{}", text);
  if (watched.status != 0) return watched.status;
  return std::any_of(watched.findings.begin(), watched.findings.end(),
                     [](const monitor::Finding& f) { return f.severity != monitor::Severity::note; });
}

}  // namespace

std::vector<monitor::Finding> united(std::vector<monitor::Finding> first, const std::vector<monitor::Finding>& second) {
  for (const monitor::Finding& f : second)
    if (std::none_of(first.begin(), first.end(),
                     [&](const monitor::Finding& g) { return f.rule == g.rule && f.layer == g.layer; }))
      first.push_back(f);
  std::stable_sort(first.begin(), first.end(), [](const monitor::Finding& a, const monitor::Finding& b) {
    return std::tie(a.severity, a.sure) > std::tie(b.severity, b.sure);
  });
  return first;
}

void add_watch(CLI::App& app, int& status) {
  CLI::App* verb =
      app.add_subcommand("watch", "See what activations do to a network in training, without touching its code");
  const auto flags = std::make_shared<WatchFlags>();
  verb->add_option("program", flags->program, "a program that uses LibTorch, or Python and its script, with arguments");
  verb->add_option("--model", flags->model, "a TorchScript file to train further, instead of a program");
  verb->add_option("--read", flags->read, "lines that --json has stored, instead of a program");
  verb->add_option("--report", flags->report, "write what was seen as a page");
  verb->add_option("--json", flags->json, "write a line of JSON for each window, and all of it at the end");
  verb->add_option("--tensorboard", flags->tensorboard, "write TensorBoard's event files into this folder");
  verb->add_option("--every", flags->every, "observe two steps of every so many (1: all; default: as --budget allows)")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40));
  verb->add_option("--budget", flags->budget, "the share of the time that observing may take")
      ->check(CLI::Range(0.0001, 1.0))
      ->capture_default_str();
  verb->add_flag("--trace-non-finite", flags->trace_non_finite,
                 "look at every operator's results, to name the one that makes the first NaN or infinity");
  verb->add_flag("--quiet", flags->quiet, "no table; nothing where nothing is wrong with the watching itself");
  verb->add_option("--data", flags->data.data, "for --model: data as ogee compare reads them")->capture_default_str();
  verb->add_option("--target", flags->data.target, "for --model: the CSV column to predict");
  verb->add_option("--train-limit", flags->data.train_limit, "for --model: use at most so many training examples")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
  verb->add_option("--steps", flags->steps, "for --model: batches to run")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40))
      ->capture_default_str();
  verb->add_option("--batch", flags->batch, "for --model: examples of a batch")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20))
      ->capture_default_str();
  verb->add_option("--rate", flags->rate, "for --model: Adam's learning rate")
      ->check(CLI::Range(1e-12, 1e6))
      ->capture_default_str();
  verb->add_flag("--train", flags->train, "for --model: train it further, in memory (the default)");
  verb->add_flag("--evaluate", flags->evaluate, "for --model: only run it, as at evaluation");
  verb->footer(
      "A program must load LibTorch as a shared library, the one that Ogee was built with; it is not changed, and its\n"
      "output and results are the same as without. Exit status: the program's own if that is not 0; else 0 where "
      "nothing\n"
      "was found, 1 where something was, 2 where nothing could be watched.\n"
      "Examples:\n"
      "  ogee watch -- ./train --epochs 3\n"
      "  ogee watch --report page.html --json run.jsonl -- python3 train.py\n"
      "  ogee watch --trace-non-finite -- ./train\n"
      "  ogee watch --model model.pt --data fashion-mnist --steps 1000 --rate 0.01\n"
      "  ogee watch --read run.jsonl --report page.html");
  verb->callback([verb, flags, &status] { status = run(*verb, *flags); });
}

}  // namespace ogee::cli
