// ogee show: one function's sheet, and its picture.
#include <fmt/core.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/curve_svg.h"
#if OGEE_WITH_LIBTORCH
#include "cli/show_model.h"
#endif
#include "cli/verbs.h"
#include "ogee/ogee.h"

namespace ogee::cli {
namespace {

struct Options {
  std::string activation, svg;
  std::vector<double> range = {-5, 5};
  std::vector<std::int64_t> input;
  bool json = false;
};

std::string in_words(const Saturation& s) {
  if (!s.saturates) return "none";
  return s.hard ? fmt::format("hard, from {:.6g}", s.from) : "soft";
}

nlohmann::ordered_json to_json(const Saturation& s) {
  nlohmann::ordered_json j{{"saturates", s.saturates}, {"hard", s.hard}};
  if (s.hard) j["from"] = s.from;
  return j;
}

// JSON has no infinities; they are written as strings, a missing limit as null.
nlohmann::ordered_json number(double x) {
  if (std::isnan(x)) return nullptr;
  if (std::isinf(x)) return x > 0 ? "inf" : "-inf";
  return x;
}

std::string smoothness(int order) {
  switch (order) {
    case -1: return "discontinuous";
    case 0: return "continuous, with kinks";
    case 1: return "continuous slope, its own slope jumps";
    default: return "at least two continuous derivatives";
  }
}

std::string join(const std::vector<double>& values) {
  std::string out;
  for (double v : values) out += fmt::format("{}{:.6g}", out.empty() ? "" : ", ", v);
  return out;
}

std::string inputs_in_words(const Spec& spec) { return spec.inputs == 1 ? "1 (x)" : "2 (gate a, value b)"; }

void print_sheet(const Activation& activation) {
  const Spec& spec = activation.spec();
  const auto row = [](std::string_view label, std::string_view text) { fmt::print("  {:<16} {}\n", label, text); };
  fmt::print("{}\n", activation.text());
  row("formula", spec.formula);
  row("source", spec.source.empty() ? "textbook" : spec.source);
  row("family", family_of(activation.function()));
  std::string aliases;
  for (const Alias& a : spec.aliases) {
    aliases += fmt::format("{}{}{}", aliases.empty() ? "" : ", ", a.name,
                           a.parameter.empty() ? "" : fmt::format(" ({} = {:.6g})", a.parameter, a.value));
  }
  if (!spec.group.empty()) {
    aliases += fmt::format("{}{}({}={})", aliases.empty() ? "" : ", ", spec.group, spec.variant, spec.choice);
  }
  if (!aliases.empty()) row("also known as", aliases);
  row("inputs", inputs_in_words(spec));
  for (std::size_t k = 0; k < spec.parameters.size(); ++k) {
    const Parameter& p = spec.parameters[k];
    std::string range;
    if (std::isfinite(p.low) || std::isfinite(p.high)) range = fmt::format(", in [{:g}, {:g}]", p.low, p.high);
    row(k == 0 ? "parameters" : "", fmt::format("{} = {:.8g} ({}{})", p.name, activation.parameters()[k],
                                                p.role == Role::learned ? "learned" : "fixed", range));
  }
  if (spec.noise != Noise::none) {
    row("noise", fmt::format("{} per element in training; {:.6g} in its place at evaluation",
                             spec.noise == Noise::normal ? "N(0,1)" : "U(0,1)", spec.noise_at_evaluation));
  }
  std::string kinks;
  for (const Kink& k : spec.kinks) {
    kinks += fmt::format("{}slope {:g} at {:g}", kinks.empty() ? "" : ", ", k.slope, k.at);
  }
  if (!kinks.empty()) row("chosen slopes", kinks + " (at default parameters)");
  if (!spec.differentiable) row("derivative", "chosen by definition (straight-through)");
  if (spec.inputs != 1) return;
  const Properties p = properties(activation);
  fmt::print("computed{}\n", spec.noise != Noise::none ? ", at evaluation" : "");
  row("range", fmt::format("[{:.6g}, {:.6g}]", p.low, p.high));
  const auto limit = [](double x) { return std::isnan(x) ? std::string("none") : fmt::format("{:.6g}", x); };
  row("limits", fmt::format("{} at -infinity, {} at infinity", limit(p.limit_left), limit(p.limit_right)));
  row("monotonic", p.monotonic ? "yes" : "no");
  row("saturation", fmt::format("left: {}; right: {}", in_words(p.left), in_words(p.right)));
  row("smoothness", smoothness(p.smoothness) + (p.kinks.empty() ? "" : " at " + join(p.kinks)));
  row("largest slope", std::isinf(p.lipschitz) ? "unbounded" : fmt::format("{:.6g} (Lipschitz constant)", p.lipschitz));
  row("under N(0,1)", fmt::format("mean {:.6g}, deviation {:.6g}, mean square slope {:.6g}, zero {:.4g} % of the time",
                                  p.mean, p.deviation, p.slope_square, 100 * p.zero_share));
  row("zero-centred", std::fabs(p.mean) < 0.05 * std::max(p.deviation, 1e-12) ? "yes" : "no");
  row("gain", fmt::format("{:.6g} (weights of variance gain^2/fan_in keep the second moment)", p.gain));
}

void print_json(const Activation& activation) {
  const Spec& spec = activation.spec();
  nlohmann::ordered_json j{{"name", spec.name},
                           {"text", activation.text()},
                           {"formula", spec.formula},
                           {"source", spec.source},
                           {"family", family_of(activation.function())},
                           {"inputs", spec.inputs}};
  j["parameters"] = nlohmann::ordered_json::object();
  for (std::size_t k = 0; k < spec.parameters.size(); ++k) {
    j["parameters"][std::string(spec.parameters[k].name)] = activation.parameters()[k];
  }
  if (spec.inputs == 1) {
    const Properties p = properties(activation);
    j["properties"] = {{"range", {number(p.low), number(p.high)}},
                       {"limit_left", number(p.limit_left)},
                       {"limit_right", number(p.limit_right)},
                       {"monotonic", p.monotonic},
                       {"saturation_left", to_json(p.left)},
                       {"saturation_right", to_json(p.right)},
                       {"smoothness", p.smoothness},
                       {"kinks", p.kinks},
                       {"lipschitz", number(p.lipschitz)},
                       {"mean", p.mean},
                       {"deviation", p.deviation},
                       {"slope_square", p.slope_square},
                       {"zero_share", p.zero_share},
                       {"gain", number(p.gain)}};
  }
  fmt::print("{}\n", j.dump(1));
}

void show(const Options& options) {
#if OGEE_WITH_LIBTORCH
  if (names_a_model(options.activation)) {
    if (!options.svg.empty()) throw Error("--svg draws functions, and " + options.activation + " is a model");
    return show_model(options.activation, options.input, options.json);
  }
  if (!options.input.empty()) throw Error("--input is for model files (.pt, .pth, .ts)");
#endif
  const Activation activation(options.activation);
  if (!options.svg.empty()) {
    if (activation.spec().inputs != 1) throw Error("--svg draws functions of one input");
    if (!(options.range[0] < options.range[1])) throw Error("--range: expected LOW below HIGH");
    std::ofstream file(options.svg, std::ios::trunc);
    if (!file) throw Error(options.svg + ": cannot be written: " + std::strerror(errno));
    file << curve_svg(activation, options.range[0], options.range[1]);
    file.close();
    if (!file) throw std::runtime_error(options.svg + ": writing failed");
  }
  if (options.json) {
    print_json(activation);
  } else {
    print_sheet(activation);
  }
}

}  // namespace

void add_show(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* verb =
      app.add_subcommand("show", "A function's formula, source and computed properties; or a model file's activations");
  verb->add_option("activation", options->activation,
                   "Name, with attributes in parentheses if wanted; or a TorchScript file (.pt, .pth, .ts)")
      ->required();
  verb->add_flag("--json", options->json, "The sheet as a JSON object");
  CLI::Option* svg =
      verb->add_option("--svg", options->svg, "Draw value, derivative and second derivative to this file");
  verb->add_option("--range", options->range, "What --svg draws: LOW HIGH")
      ->expected(2)
      ->capture_default_str()
      ->needs(svg);
#if OGEE_WITH_LIBTORCH
  verb->add_option("--input", options->input,
                   "Of a model file: the shape of an input, as in 1,1,28,28; runs it once to see shapes and counts")
      ->delimiter(',')
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
#endif
  verb->footer(
      "Examples:\n  ogee show mish\n  ogee show 'elu(alpha=0.5)' --svg elu.svg --range -4 4\n  ogee show nah --json\n"
      "  ogee show model.pt --input 1,1,28,28");
  verb->callback([options, &status] {
    show(*options);
    status = 0;
  });
}

}  // namespace ogee::cli
