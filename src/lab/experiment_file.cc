#include "lab/experiment_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <sstream>
#include <string_view>
#include <utility>

#include "lab/curriculum.h"
#include "lab/toml_table.h"
#include "ogee/ogee.h"
#include "registry/suggestion.h"
#include "tasks/metric.h"

namespace ogee::lab {
namespace {

constexpr std::int64_t huge = std::int64_t{1} << 40;

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
  if (schedule.shape == Schedule::Shape::inverse_root) {
    table.take("every", schedule.every, 1, huge);
  } else if (schedule.shape == Schedule::Shape::validation) {
    table.take("factor", schedule.factor, 0, false, 1);
    table.take("patience", schedule.patience, 1, huge);
  } else {
    table.take("until", schedule.until, 0, false, 1);
  }
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
  table.take("per_channel", arm.per_channel);
  if (table.is_text("curriculum"))
    table.take("curriculum", arm.regime, regimes());
  else
    table.take("curriculum", arm.curriculum, 0, false, 1);
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

}  // namespace

void take_experiment(Table& table, Experiment& experiment) {
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
    model.take("initial_range", experiment.initial_range, 0, false, 100);
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
    training.take("carry_state", experiment.carry_state);
    training.take("decay", [&](Table& decay) {
      for (const char* key : {"after", "factor"})
        if (!decay.has(key)) decay.fail(key, fmt::format("the rate's decay has no '{}'", key));
      decay.take("after", experiment.rate_course.epochs, 1, 1000000);
      decay.take("factor", experiment.rate_course.factor, 0, false, 1);
    });
    training.take("optimiser", experiment.optimiser.name);
    training.take("momentum", experiment.optimiser.momentum, 0, true, 1);
    training.take("clip_norm", experiment.optimiser.clip_norm, 0, false, 1e9);
    training.take("clip_value", experiment.optimiser.clip_value, 0, false, 1e9);
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

namespace {

toml::table arm_table(const ArmSettings& arm) {
  toml::table table;
  if (!arm.name.empty()) table.insert("name", arm.name);
  table.insert("activation", arm.activation);
  if (arm.learning_rate > 0) table.insert("learning_rate", arm.learning_rate);
  if (arm.depth > 0) table.insert("depth", arm.depth);
  if (arm.width > 0) table.insert("width", arm.width);
  if (arm.epochs > 0) table.insert("epochs", arm.epochs);
  if (arm.batch > 0) table.insert("batch", arm.batch);
  if (arm.per_channel) table.insert("per_channel", true);
  if (arm.curriculum > 0) table.insert("curriculum", arm.curriculum);
  if (!arm.regime.empty()) table.insert("curriculum", arm.regime);
  toml::table schedules, choices;
  for (const Schedule& schedule : arm.schedules) {
    toml::table its{{"from", schedule.from}, {"to", schedule.to}, {"shape", name_of(schedule.shape)}};
    if (schedule.shape == Schedule::Shape::inverse_root) {
      its.insert("every", schedule.every);
    } else if (schedule.shape == Schedule::Shape::validation) {
      its.insert("factor", schedule.factor);
      its.insert("patience", schedule.patience);
    } else {
      its.insert("until", schedule.until);
    }
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
  const toml::table file = parse_toml(text, name);
  Table table(file, name, "");
  Experiment experiment;
  take_experiment(table, experiment);
  table.finish();
  return experiment;
}

Experiment read_experiment(const std::string& path) { return parse_experiment(read_text(path), path); }

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
  if (experiment.carry_state) training.insert("carry_state", true);
  if (experiment.rate_course.epochs > 0) {
    toml::table decay{{"after", experiment.rate_course.epochs}, {"factor", experiment.rate_course.factor}};
    decay.is_inline(true);
    training.insert("decay", decay);
  }
  training.insert("optimiser", experiment.optimiser.name);
  if (experiment.optimiser.name != "adam") training.insert("momentum", experiment.optimiser.momentum);
  training.insert("weight_decay", experiment.optimiser.weight_decay);
  if (experiment.optimiser.clip_norm > 0) training.insert("clip_norm", experiment.optimiser.clip_norm);
  if (experiment.optimiser.clip_value > 0) training.insert("clip_value", experiment.optimiser.clip_value);
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
  if (experiment.initial_range > 0) model.insert("initial_range", experiment.initial_range);
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
