#include "lab/experiment_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <sstream>
#include <string_view>
#include <utility>

#include "ogee/ogee.h"
#include "registry/suggestion.h"
#include "tasks/metric.h"

namespace ogee::lab {
namespace {

constexpr std::int64_t huge = std::int64_t{1} << 40;

// One table of the file: its keys are taken one by one, and none may be left over.
class Table {
 public:
  Table(const toml::table& table, std::string file, std::string where)
      : table_(table), file_(std::move(file)), where_(std::move(where)) {}

  void take(const char* key, std::string& value) {
    if (const toml::node* node = get(key)) value = text(*node, key);
  }
  void take(const char* key, bool& value) {
    const toml::node* node = get(key);
    if (!node) return;
    if (!node->is_boolean()) fail(*node, key, "true or false");
    value = node->as_boolean()->get();
  }
  void take(const char* key, std::int64_t& value, std::int64_t low, std::int64_t high) {
    const toml::node* node = get(key);
    if (!node) return;
    if (!node->is_integer() || node->as_integer()->get() < low || node->as_integer()->get() > high)
      fail(*node, key, fmt::format("a whole number from {} to {}", low, high));
    value = node->as_integer()->get();
  }
  // Above `low`, or equal to it where `closed`; at most `high`.
  void take(const char* key, double& value, double low, bool closed, double high) {
    if (const toml::node* node = get(key)) value = number(*node, key, low, closed, high);
  }
  void take(const char* key, std::vector<double>& values, double low, bool closed, double high) {
    const toml::node* node = get(key);
    if (!node) return;
    if (!node->is_array() || node->as_array()->empty()) fail(*node, key, "a list of numbers");
    values.clear();
    for (const toml::node& item : *node->as_array()) values.push_back(number(item, key, low, closed, high));
  }
  void take(const char* key, std::vector<std::string>& values) {
    const toml::node* node = get(key);
    if (!node) return;
    if (!node->is_array() || node->as_array()->empty()) fail(*node, key, "a list of texts");
    values.clear();
    for (const toml::node& item : *node->as_array()) values.push_back(text(item, key));
  }
  // A table within this one.
  void take(const char* key, const std::function<void(Table&)>& read) {
    const toml::node* node = get(key);
    if (!node) return;
    if (!node->is_table()) fail(*node, key, "a table");
    Table inner(*node->as_table(), file_, where_.empty() ? key : where_ + "." + key);
    read(inner);
    inner.finish();
  }
  // [[key]]
  void take_each(const char* key, const std::function<void(Table&)>& read) {
    const toml::node* node = get(key);
    if (!node) return;
    if (!node->is_array_of_tables()) fail(*node, key, fmt::format("tables, each headed [[{}]]", key));
    for (const toml::node& item : *node->as_array()) {
      Table inner(*item.as_table(), file_, key);
      read(inner);
      inner.finish();
    }
  }
  // All of the keys, whatever they are called.
  std::vector<std::string> keys() const {
    std::vector<std::string> names;
    for (const auto& [key, value] : table_) names.emplace_back(key.str());
    return names;
  }
  bool has(const char* key) const { return table_.contains(key); }

  void finish() const {
    for (const auto& [key, value] : table_) {
      if (std::find(known_.begin(), known_.end(), key.str()) != known_.end()) continue;
      const auto at = key.source().begin;
      throw Error(fmt::format("{}:{}:{}: unknown key '{}' in {}{}", file_, at.line, at.column, key.str(),
                              where_.empty() ? "an experiment" : "[" + where_ + "]",
                              suggestion(key.str(), {known_.begin(), known_.end()})));
    }
  }
  // An error at this key, or at the table.
  [[noreturn]] void fail(const char* key, const std::string& message) const {
    const toml::node* node = table_.get(key);
    const auto at = (node ? node->source() : table_.source()).begin;
    throw Error(fmt::format("{}:{}:{}: {}", file_, at.line, at.column, message));
  }

 private:
  const toml::node* get(const char* key) {
    known_.push_back(key);
    return table_.get(key);
  }
  std::string text(const toml::node& node, const char* key) const {
    if (!node.is_string()) fail(node, key, "a text in quotes");
    return node.as_string()->get();
  }
  double number(const toml::node& node, const char* key, double low, bool closed, double high) const {
    const auto value = node.is_number() ? node.value<double>() : std::nullopt;
    if (!value || !(closed ? *value >= low : *value > low) || !(*value <= high))
      fail(node, key,
           std::isinf(low) ? "a number"
                           : fmt::format("a number {} {:g}, at most {:g}", closed ? "from" : "above", low, high));
    return *value;
  }
  [[noreturn]] void fail(const toml::node& node, const char* key, const std::string& expected) const {
    std::ostringstream shown;
    node.visit([&](const auto& it) {
      if constexpr (toml::is_value<decltype(it)>) {
        shown << toml::toml_formatter{toml::array{it.get()}};
      } else {
        shown << (node.is_table() ? "a table" : "a list");
      }
    });
    std::string value = shown.str();
    if (value.starts_with("[ ") && value.ends_with(" ]")) value = value.substr(2, value.size() - 4);
    throw Error(fmt::format("{}:{}:{}: {} is {}; expected {}", file_, node.source().begin.line,
                            node.source().begin.column, key, value, expected));
  }

  const toml::table& table_;
  const std::string file_, where_;
  std::vector<std::string> known_;
};

constexpr double unbounded = std::numeric_limits<double>::infinity();

void read_schedule(Table& table, Schedule& schedule) {
  for (const char* key : {"from", "to"})
    if (!table.has(key)) table.fail(key, fmt::format("the schedule of {} has no '{}'", schedule.attribute, key));
  table.take("from", schedule.from, -unbounded, false, unbounded);
  table.take("to", schedule.to, -unbounded, false, unbounded);
  std::string shape = name_of(schedule.shape);
  table.take("shape", shape);
  try {
    schedule.shape = shape_named(shape);
  } catch (const Error& error) {
    table.fail("shape", error.what());
  }
  if (schedule.shape == Schedule::Shape::inverse_root)
    table.take("every", schedule.every, 1, huge);
  else
    table.take("until", schedule.until, 0, false, 1);
  if (const std::string problem = problem_of(schedule); !problem.empty()) table.fail("from", problem);
}

void read_arm(Table& table, Experiment& experiment) {
  ArmSettings arm;
  std::vector<std::string> several;
  if (table.has("activation") == table.has("activations"))
    table.fail("activation", "an arm has either an activation, or a list of activations");
  table.take("activation", arm.activation);
  table.take("activations", several);
  table.take("name", arm.name);
  if (table.has("name") && !several.empty()) table.fail("name", "a list of activations cannot share one name");
  table.take("learning_rate", arm.learning_rate, 0, false, 100);
  table.take("depth", arm.depth, 1, 1000);
  table.take("width", arm.width, 1, 65536);
  table.take("epochs", arm.epochs, 1, 1000000);
  table.take("batch", arm.batch, 1, 1 << 20);
  table.take("schedule", [&](Table& schedules) {
    for (const std::string& attribute : schedules.keys())
      schedules.take(attribute.c_str(), [&](Table& its) {
        Schedule schedule;
        schedule.attribute = attribute;
        read_schedule(its, schedule);
        arm.schedules.push_back(schedule);
      });
  });
  table.take("tune", [&](Table& attributes) {
    for (const std::string& attribute : attributes.keys()) {
      Choice choice{attribute, {}};
      attributes.take(attribute.c_str(), choice.values, -unbounded, false, unbounded);
      arm.choices.push_back(std::move(choice));
    }
  });
  if (several.empty()) several = {arm.activation};
  for (const std::string& activation : several) {
    arm.activation = activation;
    try {
      Activation{activation};
      activation_of(arm);
      for (const Choice& choice : arm.choices)
        for (const double value : choice.values) Activation(activation).set(choice.attribute, value);
    } catch (const Error& error) {
      table.fail(table.has("activation") ? "activation" : "activations", error.what());
    }
    experiment.arms.push_back(arm);
  }
}

void read_all(Table& table, Experiment& experiment) {
  table.take("data", [&](Table& data) {
    data.take("data", experiment.data);
    data.take("target", experiment.target);
    data.take("train_limit", experiment.train_limit, 1, huge);
    data.take("kind", experiment.kind);
    data.take("validation", experiment.validation);
    data.take("test", experiment.test);
    data.take("validation_share", experiment.validation_share, 0, false, 1);
    data.take("test_share", experiment.test_share, 0, false, 1);
    data.take("context", experiment.context, 1, 65536);
    data.take("horizon", experiment.horizon, 1, 65536);
    data.take("tokens", experiment.tokens);
    data.take("size", experiment.size, 1, 4096);
  });
  table.take("model", [&](Table& model) {
    model.take("name", experiment.model);
    model.take("depth", experiment.depth, 1, 1000);
    model.take("width", experiment.width, 1, 65536);
    model.take("replace", experiment.replace);
    model.take("weights", experiment.weights);
    model.take("fingerprint", experiment.model_fingerprint);
  });
  table.take_each("arm", [&](Table& arm) { read_arm(arm, experiment); });
  table.take("training", [&](Table& training) {
    training.take("epochs", experiment.epochs, 1, 1000000);
    training.take("batch", experiment.batch, 1, 1 << 20);
    training.take("seeds", experiment.seeds, 1, 1000);
    training.take("learning_rate", experiment.learning_rate, 0, false, 100);
    training.take("device", experiment.device);
    training.take("data_parallel", experiment.data_parallel);
    training.take("optimiser", experiment.optimiser.name);
    training.take("momentum", experiment.optimiser.momentum, 0, true, 1);
    training.take("weight_decay", experiment.optimiser.weight_decay, 0, true, 1);
  });
  table.take("fairness", [&](Table& fairness) {
    fairness.take("match_parameters", experiment.match_parameters);
    fairness.take("rates", experiment.rates, 0, false, 100);
    fairness.take("budget", experiment.tuning_budget, 1, huge);
    fairness.take("stop_early", experiment.stop_early);
    fairness.take("metric", experiment.metric);
    if (fairness.has("metric") && !tasks::is_metric(experiment.metric)) {
      std::vector<std::string_view> keys;
      for (const tasks::Metric& metric : tasks::metrics())
        if (std::find(keys.begin(), keys.end(), metric.key) == keys.end()) keys.emplace_back(metric.key);
      fairness.fail("metric", fmt::format("there is no metric '{}'{}; expected one of {}", experiment.metric,
                                          suggestion(experiment.metric, keys), fmt::join(keys, ", ")));
    }
  });
}

toml::table arm_table(const ArmSettings& arm) {
  toml::table table;
  if (!arm.name.empty()) table.insert("name", arm.name);
  table.insert("activation", arm.activation);
  if (arm.learning_rate > 0) table.insert("learning_rate", arm.learning_rate);
  if (arm.depth > 0) table.insert("depth", arm.depth);
  if (arm.width > 0) table.insert("width", arm.width);
  if (arm.epochs > 0) table.insert("epochs", arm.epochs);
  if (arm.batch > 0) table.insert("batch", arm.batch);
  toml::table schedules, choices;
  for (const Schedule& schedule : arm.schedules) {
    toml::table its{{"from", schedule.from}, {"to", schedule.to}, {"shape", name_of(schedule.shape)}};
    if (schedule.shape == Schedule::Shape::inverse_root)
      its.insert("every", schedule.every);
    else
      its.insert("until", schedule.until);
    its.is_inline(true);
    schedules.insert(schedule.attribute, its);
  }
  for (const Choice& choice : arm.choices) {
    toml::array values;
    for (const double value : choice.values) values.push_back(value);
    choices.insert(choice.attribute, values);
  }
  if (!schedules.empty()) table.insert("schedule", schedules);
  if (!choices.empty()) table.insert("tune", choices);
  return table;
}

}  // namespace

Experiment parse_experiment(const std::string& text, const std::string& name) {
  toml::table file;
  try {
    file = toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    const auto at = error.source().begin;
    throw Error(fmt::format("{}:{}:{}: {}", name, at.line, at.column, error.description()));
  }
  Experiment experiment;
  Table table(file, name, "");
  read_all(table, experiment);
  table.finish();
  return experiment;
}

Experiment read_experiment(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) throw Error(fmt::format("{}: cannot be read", path));
  return parse_experiment(text, path);
}

std::string to_toml(const Experiment& experiment) {
  std::ostringstream text;
  text << "# The experiment with all its settings; `ogee compare` runs it again.\n\n";
  toml::table data{{"data", experiment.data}};
  if (!experiment.target.empty()) data.insert("target", experiment.target);
  if (experiment.train_limit > 0) data.insert("train_limit", experiment.train_limit);
  for (const auto& [key, word] : {std::pair("kind", &experiment.kind), std::pair("validation", &experiment.validation),
                                  std::pair("test", &experiment.test), std::pair("tokens", &experiment.tokens)})
    if (!word->empty()) data.insert(key, *word);
  for (const auto& [key, share] :
       {std::pair("validation_share", experiment.validation_share), std::pair("test_share", experiment.test_share)})
    if (share > 0) data.insert(key, share);
  for (const auto& [key, count] : {std::pair("context", experiment.context), std::pair("horizon", experiment.horizon),
                                   std::pair("size", experiment.size)})
    if (count > 0) data.insert(key, count);
  toml::table training{{"epochs", experiment.epochs}, {"batch", experiment.batch}, {"seeds", experiment.seeds}};
  if (experiment.learning_rate > 0) training.insert("learning_rate", experiment.learning_rate);
  training.insert("device", experiment.device);
  if (experiment.data_parallel) training.insert("data_parallel", true);
  training.insert("optimiser", experiment.optimiser.name);
  if (experiment.optimiser.name == "sgd") training.insert("momentum", experiment.optimiser.momentum);
  training.insert("weight_decay", experiment.optimiser.weight_decay);
  toml::array rates;
  for (const double rate : experiment.rates) rates.push_back(rate);
  toml::table fairness{
      {"match_parameters", experiment.match_parameters}, {"rates", rates}, {"stop_early", experiment.stop_early}};
  if (experiment.tuning_budget > 0) fairness.insert("budget", experiment.tuning_budget);
  if (!experiment.metric.empty()) fairness.insert("metric", experiment.metric);
  toml::array arms;
  for (const ArmSettings& arm : experiment.arms) arms.push_back(arm_table(arm));
  // One by one, as a table of tables would be sorted by name.
  const auto write = [&](const char* name, const toml::node& node) {
    toml::table one;
    one.insert(name, node);
    text << toml::toml_formatter{one} << "\n\n";
  };
  write("data", data);
  toml::table model{{"name", experiment.model}};
  if (experiment.model_fingerprint.empty()) {
    model.insert("depth", experiment.depth);
    model.insert("width", experiment.width);
  } else {
    if (!experiment.replace.empty()) model.insert("replace", experiment.replace);
    model.insert("weights", experiment.weights);
    model.insert("fingerprint", experiment.model_fingerprint);
  }
  write("model", model);
  write("training", training);
  write("fairness", fairness);
  write("arm", arms);
  return text.str();
}

}  // namespace ogee::lab
