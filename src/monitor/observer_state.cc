// The observer's state between two windows, as bytes: a training that goes on in another process is watched as though
// there had been no break. Between windows all sums of a window are empty, so that what has to be carried is the record
// itself and a few counters.
#include <fmt/format.h>

#include "monitor/json.h"
#include "monitor/observer.h"
#include "monitor/observer_thread.h"
#include "ogee/ogee.h"

namespace ogee::monitor {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* what = "ogee monitor state 2";

template <class T>
void number_from(const Json& json, T& value) {  // null is NaN
  value = json.is_null() ? static_cast<T>(not_measured) : json.get<T>();
}

std::vector<double> numbers_from(const Json& json) {
  std::vector<double> values;
  for (const Json& value : json) number_from(value, values.emplace_back());
  return values;
}

}  // namespace

// Reads and writes what is private to the parts.
struct Carrier {
  static Json of(const Covariance& c) {
    return {{"units", c.units_}, {"means", c.means_},     {"offset", c.offset_},
            {"moved", c.moved_}, {"samples", c.samples_}, {"sum", c.sum_}};
  }
  static void to(const Json& json, Covariance& c) {
    c.units_ = json.at("units").get<std::size_t>();
    c.means_ = json.at("means").get<std::vector<float>>();
    number_from(json.at("offset"), c.offset_);
    number_from(json.at("moved"), c.moved_);
    number_from(json.at("samples"), c.samples_);
    c.sum_ = numbers_from(json.at("sum"));
  }

  static Json of(const LayerState& layer) {
    return {{"record", layer.record_},
            {"function", layer.function_ ? layer.function_->facts.text : ""},
            {"weight", layer.weight},
            {"covariance", of(layer.covariance_)},
            {"covariance_due", layer.covariance_due_},
            {"rank", layer.rank_},
            {"correlation", layer.correlation_},
            {"last_mean", layer.last_mean_},
            {"last_deviation", layer.last_deviation_}};
  }
  static void to(const Json& json, std::deque<LayerState>& layers) {
    const std::string text = json.at("function").get<std::string>();
    auto record = json.at("record").get<Layer>();
    auto function = text.empty() ? nullptr : function_named(text);
    LayerState& layer = layers.emplace_back(record.name, record.op, std::move(function), record.order);
    const FunctionFacts facts = layer.record_.function;  // computed, as JSON knows no infinite bounds
    const auto room = layer.record_.history.capacity();
    layer.record_ = std::move(record);
    layer.record_.function = facts;
    layer.record_.history.reserve(room);
    layer.weight = json.at("weight").get<std::int64_t>();
    to(json.at("covariance"), layer.covariance_);
    layer.covariance_due_ = json.at("covariance_due").get<std::int64_t>();
    number_from(json.at("rank"), layer.rank_);
    number_from(json.at("correlation"), layer.correlation_);
    number_from(json.at("last_mean"), layer.last_mean_);
    number_from(json.at("last_deviation"), layer.last_deviation_);
  }

  static Json of(const Observer& o) {
    Json json{{"what", what},
              {"record", o.record_},
              {"keys", o.layer_keys_},
              {"names", o.names_taken_},
              {"kinds", o.kinds_seen_},
              {"steps", o.steps_.load()},
              {"forward_step", o.forward_step_.load()},
              {"window", o.window_.load()},
              {"next_window", o.next_window_},
              {"turn", o.turn_.load()},
              {"training", o.training_.load()},
              {"hooks_now", o.hooks_now_},
              {"hooks_before", o.hooks_before_},
              {"passes", o.passes_},
              {"last_loss", o.last_loss_},
              {"loss_stride", o.loss_stride_},
              {"losses_seen", o.losses_seen_},
              {"phased", o.phased_.load()},
              {"steady", o.steady_},
              {"hearing_next", o.hearing_next_.load()},
              {"tellers", o.tellers_},
              {"windows_opened", o.windows_opened_},
              {"mishearings", o.mishearings_},
              {"weights", Json::array()},
              {"layers", Json::array()}};
    for (const Weight& weight : o.weights_)
      json["weights"].push_back({{"name", weight.name()}, {"passes", weight.backward_passes}});
    for (const LayerState& layer : o.layers_) json["layers"].push_back(of(layer));
    return json;
  }

  static void to(const Json& json, Observer& o, const std::map<std::string, at::Tensor>& parameters) {
    o.record_ = json.at("record").get<Record>();
    o.layer_keys_ = json.at("keys").get<std::map<std::string, std::size_t>>();
    o.names_taken_ = json.at("names").get<std::map<std::string, int>>();
    o.kinds_seen_ = json.at("kinds").get<std::map<std::string, int>>();
    o.steps_ = json.at("steps").get<std::int64_t>();
    o.forward_step_ = json.at("forward_step").get<std::int64_t>();
    o.window_ = json.at("window").get<std::int64_t>();
    o.next_window_ = json.at("next_window").get<std::int64_t>();
    o.turn_ = json.at("turn").get<std::uint64_t>();
    o.training_ = json.at("training").get<bool>();
    o.hooks_now_ = json.at("hooks_now").get<std::int64_t>();
    o.hooks_before_ = json.at("hooks_before").get<std::int64_t>();
    o.passes_ = json.at("passes").get<std::int64_t>();
    number_from(json.at("last_loss"), o.last_loss_);
    o.loss_stride_ = json.at("loss_stride").get<std::int64_t>();
    o.losses_seen_ = json.at("losses_seen").get<std::int64_t>();
    o.phased_ = json.at("phased").get<bool>();
    o.steady_ = json.at("steady").get<bool>();
    o.hearing_next_ = json.at("hearing_next").get<bool>();
    o.tellers_ = json.at("tellers").get<std::int64_t>();
    o.windows_opened_ = json.at("windows_opened").get<std::int64_t>();
    o.mishearings_ = json.at("mishearings").get<std::int64_t>();
    for (const Json& weight : json.at("weights")) {
      const auto name = weight.at("name").get<std::string>();
      const auto found = parameters.find(name);
      if (found == parameters.end())
        throw Error(fmt::format("monitor: the state names the parameter {}, which the model has not", name));
      const std::size_t number = o.weights_.size();
      o.weights_.emplace_back(found->second, name);
      o.weight_numbers_[found->second.unsafeGetTensorImpl()] = number;
      o.weights_.back().backward_passes = weight.at("passes").get<std::int64_t>();
      if (!found->second.requires_grad() || !found->second.is_leaf()) continue;
      o.weights_.back().hook = found->second.register_hook(
          [observer = o.number_, number](const at::Tensor& gradient) { weight_hook(observer, number, gradient); });
    }
    for (const Json& layer : json.at("layers")) to(layer, o.layers_);
    o.watching_ = false;
    o.listen(false);
    o.attend(Ear::nothing);
  }
};

std::string Observer::save() const {
  const std::lock_guard lock(mutex_);
  if (trace_) throw Error("monitor: a state with trace_non_finite cannot be saved");
  if (watching_) return "";
  const auto bytes = Json::to_cbor(Carrier::of(*this));
  return {bytes.begin(), bytes.end()};
}

void Observer::restore(const std::string& state, const std::map<std::string, at::Tensor>& parameters) {
  const std::lock_guard lock(mutex_);
  if (trace_) throw Error("monitor: a state cannot be restored with trace_non_finite");
  if (steps_ != 0 || !layers_.empty()) throw Error("monitor: a state can only be restored before the first step");
  const Json json = Json::from_cbor(state, /*strict=*/true, /*allow_exceptions=*/false);
  if (!json.is_object() || json.value("what", "") != what) throw Error("monitor: these bytes are no saved state");
  try {
    Carrier::to(json, *this, parameters);
  } catch (const Json::exception& error) {
    throw Error(fmt::format("monitor: a damaged state: {}", error.what()));
  }
}

}  // namespace ogee::monitor
