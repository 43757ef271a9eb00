// ogee accuracy: how exact the kernels are on this machine, function by function, against exact values.
#include "accuracy/sweep.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "accuracy/fingerprint.h"
#include "cli/kept.h"
#include "cli/verbs.h"

namespace ogee::cli {
namespace {

struct Options {
  std::vector<std::string> activations, dtypes = {"f32"}, targets;
  bool exhaustive = false, json = false;
  std::uint64_t stride = 10007, samples = 0;  // 0: by the function
  std::string precision = "exact", document, keep;
  int threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
};

using accuracy::Finding;

std::string argument_of(const Finding& f) {
  return f.argument.empty() ? f.direction : fmt::format("{} by {}", f.direction, f.argument);
}

nlohmann::ordered_json as_json(const Finding& f) {
  // JSON has no infinity or NaN: as text.
  const auto number = [](double v) -> nlohmann::ordered_json {
    if (std::isfinite(v)) return v;
    return std::isnan(v) ? "nan" : v > 0 ? "inf" : "-inf";
  };
  nlohmann::ordered_json worst = nlohmann::ordered_json::array();
  for (double x : f.worst_x) worst.push_back(number(x));
  return {{"function", f.function},
          {"direction", f.direction},
          {"argument", f.argument},
          {"dtype", accuracy::name_of(f.type)},
          {"target", f.target},
          {"max_ulp", number(f.max_ulp)},
          {"bound", f.bound},
          {"holds", f.holds()},
          {"worst_x", f.worst_x.size() == 1 ? worst[0] : worst},
          {"got", number(f.got)},
          {"exact", number(f.expected)},
          {"checked", f.checked}};
}

double number_of(const nlohmann::ordered_json& value) {
  if (value.is_number()) return value.get<double>();
  const auto text = value.get<std::string>();
  return text == "nan" ? std::nan("") : text == "inf" ? infinity : -infinity;
}
// Back from as_json.
Finding from_json(const nlohmann::ordered_json& json) {
  Finding f;
  f.function = json.at("function");
  f.direction = json.at("direction");
  f.argument = json.at("argument");
  for (Type type : {Type::float32, Type::bfloat16, Type::float16}) {
    if (json.at("dtype") == accuracy::name_of(type)) f.type = type;
  }
  f.target = json.at("target");
  f.max_ulp = number_of(json.at("max_ulp"));
  f.bound = json.at("bound");
  const auto& worst = json.at("worst_x");
  if (worst.is_array()) {
    for (const auto& x : worst) f.worst_x.push_back(number_of(x));
  } else {
    f.worst_x.push_back(number_of(worst));
  }
  f.got = number_of(json.at("got"));
  f.expected = number_of(json.at("exact"));
  f.checked = json.at("checked");
  return f;
}

constexpr std::uint64_t fast_stride = 10007;  // in the document

std::string points_of(const Finding& f) {
  std::string text;
  for (double x : f.worst_x) text += (text.empty() ? "" : ", ") + fmt::format("{:.9g}", x);
  return text;
}

void print_finding(const Finding& f) {
  fmt::print("{:<26} {:<22} {:<5} {:<7} {:>8.3f} {:>5} {:<4} {:>11}  {}\n", f.function, argument_of(f),
             accuracy::name_of(f.type), f.target, f.max_ulp, f.bound, f.holds() ? "" : "FAIL", f.checked,
             f.holds() ? points_of(f) : fmt::format("at {}: {:.9g}, exactly {:.17g}", points_of(f), f.got, f.expected));
}

// The processor, as the system names it.
std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  std::string name, family, model;
  for (std::string line; std::getline(info, line) && !line.empty();) {
    const auto value = line.substr(std::min(line.size(), line.find(':') + 2));
    if (line.rfind("model name", 0) == 0) name = value;
    if (line.rfind("cpu family", 0) == 0) family = value;
    if (line.rfind("model\t", 0) == 0) model = value;
  }
  return name.empty() ? "an unnamed processor" : fmt::format("{}, family {}, model {}", name, family, model);
}

// The points that a function is measured at, where they are not all floats: many more where all floats are no measure
// of it, and no option says how many.
std::uint64_t samples_of(const Options& options, const Activation& activation) {
  if (options.samples > 0) return options.samples;
  const Spec& spec = activation.spec();
  return options.exhaustive && (spec.inputs > 1 || spec.noise != Noise::none) ? 1 << 24 : 1 << 16;
}

// One row a function and type: the largest error over the targets, of the value and of every derivative.
struct Row {
  double value = 0, slope = 0, others = 0;
  bool has_others = false, holds = true;
};
struct Table {
  std::vector<std::string> order;
  std::map<std::string, std::map<Type, Row>> rows;

  explicit Table(const std::vector<Finding>& findings) {
    for (const Finding& f : findings) {
      if (rows.find(f.function) == rows.end()) order.push_back(f.function);
      Row& row = rows[f.function][f.type];
      const bool first = f.argument == "x" || f.argument == "a";
      double& cell = f.direction == "value" ? row.value : first ? row.slope : row.others;
      if (f.direction != "value" && !first) row.has_others = true;
      row.holds = row.holds && f.holds();
      cell = std::max(cell, f.max_ulp);
    }
  }
};

std::string number_text(double ulp) {
  return ulp < 1000 ? fmt::format("{:.2f}", ulp) : std::isfinite(ulp) ? fmt::format("{:.1e}", ulp) : "infinite";
}

// `fast` are the findings of the same with float32 arithmetic throughout.
void write_document(const Options& options, const std::vector<Finding>& findings, const std::vector<Finding>& fast,
                    double seconds) {
  std::ofstream out(options.document);
  std::string targets;
  std::uint64_t most = 0;
  std::vector<Type> types;
  for (const Finding& f : findings) {
    most = std::max(most, f.checked);
    if (targets.find(f.target) == std::string::npos) targets += (targets.empty() ? "" : ", ") + f.target;
    if (std::find(types.begin(), types.end(), f.type) == types.end()) types.push_back(f.type);
  }
  const Table table(findings);
  fmt::memory_buffer text;
  const auto add = [&](std::string_view format, const auto&... arguments) {
    fmt::format_to(std::back_inserter(text), fmt::runtime(format), arguments...);
  };
  add("<!-- Generated by `ogee accuracy{} --dtype {} --document`; do not edit. -->\n# How exact the kernels are\n\n",
      options.exhaustive ? " --exhaustive" : fmt::format(" --stride {}", options.stride),
      fmt::join(options.dtypes, ","));
  add("The largest error seen, in units in the last place of the exact result (of the smallest normal number below "
      "it),\n"
      "at default parameters, over {}, on {}, targets {} ({}, {:.0f} s). The contract is 2 for values and 4 for\n"
      "derivatives in f32, and 1 in the 16-bit types. \"Slope\" is the derivative by the (first) input; \"others\" "
      "the\n"
      "largest over the second input and the parameters. Functions of two inputs and of noise are swept over {} random "
      "points,\nedges included, derivatives by parameters over {} or a 64th of that.\n\nSome sums vanish where their "
      "terms cancel, and there no float arithmetic keeps all digits. Beyond the contract, errors count there in units "
      "of "
      "the largest term: near the roots that a function declares (`ogee show NAME`: within a tenth of it), of "
      "noisy\nfunctions in training (h(x), the linear part and the noise), and of channel limits (sigma(a) and b "
      "sigma'(a)). In units\nof such a result itself they may be large.\n\n",
      options.exhaustive ? std::string("all 2^32 floats")
                         : fmt::format("every {}th float ({} points)", options.stride, most),
      processor(), targets, options.precision == "fast" ? "precision fast" : "precision exact", seconds,
      options.samples > 0  ? options.samples
      : options.exhaustive ? 1U << 24
                           : 1U << 16,
      1U << 14);
  std::string head = "| function |", line = "|---|";
  for (Type type : types) {
    const auto name = accuracy::name_of(type);
    head += fmt::format(" {0} value | {0} slope | {0} others |", name);
    line += "---|---|---|";
  }
  add("{}\n{}\n", head, line);
  for (const std::string& function : table.order) {
    add("| {} |", function);
    for (Type type : types) {
      const Row& row = table.rows.at(function).at(type);
      add(" {} | {} | {} |", number_text(row.value), number_text(row.slope),
          row.has_others ? number_text(row.others) : "");
    }
    add("\n");
  }
  if (!fast.empty()) {
    const Table wider(fast);
    add("\n## Precision fast\n\nFloat32 arithmetic throughout (`RunOptions::precision`, `--precision fast`), measured "
        "alike, but over every {}th\nfloat and {} points. Functions that are not listed keep the contract's "
        "bounds.\n\n| function | value | slope | others |\n|---|---|---|---|\n",
        fast_stride, 1 << 16);
    for (const std::string& function : wider.order) {
      const Row& row = wider.rows.at(function).at(Type::float32);
      if (!row.holds)
        add("| {} | {} | {} | {} |\n", function, number_text(row.value), number_text(row.slope),
            row.has_others ? number_text(row.others) : "");
    }
  }
  out << fmt::to_string(text);
  out.close();
  if (!out) throw std::runtime_error(options.document + ": cannot be written");
}

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// One type's findings, from the file where it has them; `before` grows by the seconds that those took. Kept by all that
// the numbers depend on, so that another kernel's are measured again. The 16-bit types take no time worth keeping.
std::vector<Finding> recall_or_measure(const Activation& activation, Type type, const accuracy::Plan& whole,
                                       std::uint64_t samples, Kept& kept, double& before) {
  accuracy::Plan plan = whole;
  plan.types = {type};
  plan.samples = samples;
  if (type != Type::float32) return measure(activation, plan);
  const std::vector<std::string> targets = plan.targets.empty() ? accuracy::simd_targets() : plan.targets;
  const auto fingerprint = std::find_if(std::begin(accuracy::fingerprints), std::end(accuracy::fingerprints),
                                        [&](const auto& f) { return f.first == family_of(activation.function()); });
  const std::string key =
      fmt::format("{} f32 {} stride {} samples {} {} kernels {}", activation.text(), fmt::join(targets, ","),
                  plan.stride, plan.samples, plan.precision == Precision::fast ? "fast" : "exact", fingerprint->second);
  std::vector<Finding> findings;
  if (const auto* known = kept.find(key)) {
    for (const auto& row : known->at("findings")) findings.push_back(from_json(row));
    before += known->at("seconds").get<double>();
    return findings;
  }
  const auto start = Clock::now();
  findings = measure(activation, plan);
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Finding& f : findings) rows.push_back(as_json(f));
  kept.add(key, {{"seconds", seconds_since(start)}, {"findings", std::move(rows)}});
  return findings;
}

int accuracy_of(const Options& options) {
  accuracy::Plan plan;
  for (const std::string& text : options.activations) plan.activations.emplace_back(text);
  if (plan.activations.empty()) {
    for (const Function* f : functions()) plan.activations.emplace_back(*f);
  }
  plan.types.clear();
  for (const std::string& name : options.dtypes) {
    plan.types.push_back(name == "f32" ? Type::float32 : name == "bf16" ? Type::bfloat16 : Type::float16);
  }
  plan.targets = options.targets;
  plan.stride = options.exhaustive ? 1 : options.stride;
  plan.precision = options.precision == "fast" ? Precision::fast : Precision::exact;
  plan.threads = options.threads;
  const bool terminal = isatty(STDERR_FILENO) != 0;
  if (terminal) plan.progress = [](const std::string& text) { fmt::print(stderr, "\r\033[K{}", text); };

  // What cannot be written is said before anything is measured.
  if (!options.document.empty() && !std::ofstream(options.document, std::ios::app))
    throw Error(options.document + ": cannot be written");
  const auto start = Clock::now();
  const auto elapsed = [&] { return seconds_since(start); };
  if (!options.json) {
    fmt::print("{:<26} {:<22} {:<5} {:<7} {:>8} {:>5} {:<4} {:>11}  {}\n", "function", "direction", "dtype", "target",
               "max ULP", "bound", "", "checked", "worst at");
  }
  std::vector<Finding> all;
  std::size_t failures = 0;
  Kept kept(options.keep);
  double before = 0;  // seconds that kept results took when they were measured
  for (const Activation& activation : plan.activations) {
    std::vector<Finding> findings;
    for (const Type type : plan.types) {
      std::vector<Finding> found =
          recall_or_measure(activation, type, plan, samples_of(options, activation), kept, before);
      findings.insert(findings.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
    }
    if (terminal) fmt::print(stderr, "\r\033[K");
    for (const Finding& f : findings) {
      failures += f.holds() ? 0 : 1;
      if (!options.json) print_finding(f);
    }
    if (!options.json) std::fflush(stdout);
    all.insert(all.end(), findings.begin(), findings.end());
  }
  if (options.json) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const Finding& f : all) rows.push_back(as_json(f));
    fmt::print("{}\n", rows.dump(1));
  } else {
    fmt::print("{} measurements of {} functions in {:.1f} s: {}\n", all.size(), plan.activations.size(),
               before + elapsed(),
               failures == 0 ? "all within the contract" : fmt::format("{} beyond the contract", failures));
  }
  if (!options.document.empty()) {
    const double seconds = before + elapsed();
    std::vector<Finding> fast;
    if (plan.precision == Precision::exact) {
      plan.precision = Precision::fast;
      plan.stride = std::max(plan.stride, fast_stride);
      plan.types = {Type::float32};
      plan.samples = 1 << 16;
      for (const Activation& activation : plan.activations) {
        const std::vector<Finding> found = measure(activation, plan);
        fast.insert(fast.end(), found.begin(), found.end());
      }
    }
    write_document(options, all, fast, seconds);
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace

void add_accuracy(CLI::App& app, int& status) {
  CLI::App* verb = app.add_subcommand("accuracy", "Measures the kernels' errors in units in the last place");
  verb->footer(
      "Examples:\n"
      "  ogee accuracy                          every function, every 10007th float\n"
      "  ogee accuracy gelu mish --exhaustive   all 2^32 floats\n"
      "  ogee accuracy --exhaustive --keep accuracy.jsonl   all of them, an hour or two; stopped, it goes on where it "
      "was\n"
      "  ogee accuracy --dtype bf16,f16         the 16-bit types, all 65,536 inputs\n"
      "The contract: values within 2 units, derivatives within 4; 16-bit types within 1. Beyond it errors count in "
      "units of\nthe largest term where a sum's terms cancel: near declared roots, in noisy functions in training, in "
      "channel limits.\nExit status 1 if it is broken.");
  auto options = std::make_shared<Options>();
  verb->add_option("NAME", options->activations, "Functions (default: all)");
  auto* exhaustive = verb->add_flag("--exhaustive", options->exhaustive, "All floats");
  verb->add_option("--stride", options->stride, "One float of every so many")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 32))
      ->capture_default_str()
      ->excludes(exhaustive);
  verb->add_option("--samples", options->samples,
                   "Points of two inputs, or of input and noise; of parameters' gradients 16384, or a 64th of "
                   "it if that is more (default: 65536, with --exhaustive 16777216)")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40));
  verb->add_option("--dtype", options->dtypes, "f32, bf16, f16")
      ->delimiter(',')
      ->check(CLI::IsMember({"f32", "bf16", "f16"}))
      ->capture_default_str();
  verb->add_option("--target", options->targets, "SIMD targets (default: every one of this machine)")->delimiter(',');
  verb->add_option("--precision", options->precision, "exact, or fast: float32 arithmetic throughout")
      ->check(CLI::IsMember({"exact", "fast"}))
      ->capture_default_str();
  verb->add_option("--threads", options->threads, "Threads")->check(CLI::Range(1, 1024))->capture_default_str();
  verb->add_option("--document", options->document, "Also write the table as Markdown to this file");
  verb->add_option("--keep", options->keep,
                   "Keeps each function's results in this file; the same command goes on from there");
  verb->add_flag("--json", options->json, "Print JSON");
  verb->callback([options, &status] { status = accuracy_of(*options); });
}

}  // namespace ogee::cli
