#include "cli/show_model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "models/script_file.h"
#include "models/script_graph.h"
#include "models/script_program.h"
#include "ogee/ogee.h"

namespace ogee::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Parameters {
  std::int64_t trained = 0, frozen = 0, buffers = 0;
};

Parameters count(const torch::jit::Module& model) {
  Parameters counts;
  for (const at::Tensor& parameter : model.parameters())
    (parameter.requires_grad() ? counts.trained : counts.frozen) += parameter.numel();
  for (const at::Tensor& buffer : model.buffers()) counts.buffers += buffer.numel();
  return counts;
}

std::vector<std::string> inputs_of(const torch::jit::Module& model) {
  std::vector<std::string> inputs;
  const auto& arguments = model.get_method("forward").function().getSchema().arguments();
  for (std::size_t i = 1; i < arguments.size(); ++i)
    inputs.push_back(arguments[i].name() + ": " + arguments[i].type()->annotation_str());
  return inputs;
}

std::string spaced(std::int64_t number) {
  std::string text = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
    text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

std::map<std::size_t, models::Sighting> run_once(const torch::jit::Module& model, const std::string& path,
                                                 const std::vector<std::int64_t>& shape) {
  std::map<std::size_t, models::Sighting> seen;
  try {
    for (const models::Sighting& sighting : models::sightings(model, torch::zeros(shape), false))
      seen.emplace(sighting.place, sighting);
  } catch (const std::exception& e) {
    throw Error(fmt::format("{}: does not run on an input of shape {}: {}", path, models::shape_text(shape),
                            models::reason_of(e)));
  }
  return seen;
}

void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths.resize(std::max(widths.size(), row.size()));
      widths[i] = std::max(widths[i], row[i].size());
    }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("  {:<{}}", row[i], widths[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    fmt::print("{}\n", line);
  }
}

}  // namespace

bool names_a_model(const std::string& text) { return models::names_a_script(text); }

void show_model(const std::string& path, const std::vector<std::int64_t>& input, bool json) {
  const torch::jit::Module model = models::parse_script(models::read_script(path), path);
  if (!model.find_method("forward")) throw Error(path + ": it has no method forward");
  const auto script = [&] {
    try {
      return models::ScriptGraph(model);
    } catch (const Error& e) {
      throw Error(path + ": " + e.what());
    }
  }();
  const Parameters parameters = count(model);
  const std::vector<std::string> inputs = inputs_of(model);
  const auto seen = input.empty() ? std::map<std::size_t, models::Sighting>() : run_once(model, path, input);

  Json sheet{{"file", path},
             {"parameters", parameters.trained},
             {"frozen", parameters.frozen},
             {"buffers", parameters.buffers},
             {"inputs", inputs}};
  sheet["activations"] = Json::array();
  std::vector<std::vector<std::string>> rows{{"name", "activation", "operators", "role", "behind"}};
  if (!input.empty()) rows[0].insert(rows[0].end(), {"shape", "times"});
  for (std::size_t i = 0; i < script.places().size(); ++i) {
    const models::Place& place = script.places()[i];
    Json entry{{"name", place.name},           {"activation", place.activation}, {"operators", place.operators},
               {"role", words_of(place.role)}, {"inputs", place.inputs},         {"behind", place.weight},
               {"in_loop", place.repeated}};
    std::string role = words_of(place.role);
    if (place.repeated) role += ", in a loop";
    rows.push_back({place.name, place.activation.empty() ? "(no name)" : place.activation, place.operators, role,
                    place.weight.empty() ? "-" : place.weight});
    if (!input.empty()) {
      const auto found = seen.find(i);
      entry["times"] = found == seen.end() ? 0 : found->second.times;
      entry["shape"] = found == seen.end() ? Json(nullptr) : Json(found->second.shape);
      rows.back().push_back(found == seen.end() ? "not passed" : models::shape_text(found->second.shape));
      rows.back().push_back(entry["times"].dump());
    }
    sheet["activations"].push_back(std::move(entry));
  }
  sheet["notes"] = script.notes();
  if (json) {
    fmt::print("{}\n", sheet.dump(1));
    return;
  }
  fmt::print("{}: {} parameters", path, spaced(parameters.trained));
  if (parameters.frozen > 0) fmt::print(", {} more that are not trained", spaced(parameters.frozen));
  fmt::print("; takes ({})\n", fmt::join(inputs, ", "));
  if (script.places().empty())
    fmt::print("no activation was found in it\n");
  else
    print_table(rows);
  for (const std::string& note : script.notes()) fmt::print("{}\n", note);
}

}  // namespace ogee::cli
