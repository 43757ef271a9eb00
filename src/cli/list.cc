// ogee list: the catalogue.
#include <fmt/core.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/verbs.h"
#include "ogee/ogee.h"

namespace ogee::cli {
namespace {

struct Options {
  bool json = false;
  std::string family;
};

std::string_view noise_name(Noise noise) {
  switch (noise) {
    case Noise::uniform: return "uniform";
    case Noise::normal: return "normal";
    case Noise::none: break;
  }
  return "none";
}

nlohmann::ordered_json describe(const Function& function) {
  const Spec& spec = spec_of(function);
  nlohmann::ordered_json aliases = nlohmann::ordered_json::array(), parameters = nlohmann::ordered_json::array();
  for (const Alias& a : spec.aliases) aliases.push_back(a.name);
  for (const Parameter& p : spec.parameters) {
    nlohmann::ordered_json entry{{"name", p.name}, {"default", p.value}, {"learned", p.role == Role::learned}};
    if (std::isfinite(p.low)) entry["low"] = p.low;
    if (std::isfinite(p.high)) entry["high"] = p.high;
    parameters.push_back(entry);
  }
  return {{"name", spec.name},       {"aliases", aliases},       {"family", family_of(function)},
          {"inputs", spec.inputs},   {"parameters", parameters}, {"noise", noise_name(spec.noise)},
          {"formula", spec.formula}, {"source", spec.source}};
}

void list(const Options& options) {
  bool found = options.family.empty();
  std::string families;
  std::string_view last;
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  for (const Function* f : functions()) {
    const std::string_view family = family_of(*f);
    if (family != last) families += (families.empty() ? "" : ", ") + std::string(family);
    if (!options.family.empty() && family != options.family) {
      last = family;
      continue;
    }
    found = true;
    if (options.json) {
      array.push_back(describe(*f));
    } else {
      if (family != last) fmt::print("{}{}\n", last.empty() ? "" : "\n", family);
      const Spec& spec = spec_of(*f);
      std::string parameters;
      for (const Parameter& p : spec.parameters) {
        parameters += fmt::format("{}{}={:.4g}{}", parameters.empty() ? "" : ", ", p.name, p.value,
                                  p.role == Role::learned ? " (learned)" : "");
      }
      fmt::print("  {:<28} {}{}\n", spec.name, spec.formula, parameters.empty() ? "" : "  [" + parameters + "]");
      for (const Alias& a : spec.aliases) {
        fmt::print("    {:<26} = {}{}\n", a.name, spec.name,
                   a.parameter.empty() ? "" : fmt::format("({}={:.4g})", a.parameter, a.value));
      }
    }
    last = family;
  }
  if (!found) throw Error("no family '" + options.family + "'; there are " + families);
  if (options.json) fmt::print("{}\n", array.dump(1));
}

}  // namespace

void add_list(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("list", "Every function, family by family");
  verb->add_flag("--json", options->json,
                 "An array of {name, aliases, family, inputs, parameters, noise, formula, source}");
  verb->add_option("--family", options->family, "Only this family");
  verb->footer("Examples:\n  ogee list\n  ogee list --family noisy\n  ogee list --json | jq -r '.[].name'");
  verb->callback([options, &status] {
    list(*options);
    status = 0;
  });
}

}  // namespace ogee::cli
