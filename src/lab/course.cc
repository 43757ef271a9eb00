#include "lab/course.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace ogee::lab {
namespace {

using Json = nlohmann::ordered_json;
constexpr std::size_t most = 12;

Json spread(const std::vector<double>& values) {
  const Interval interval = mean_interval(values);
  return {{"mean", number(values.empty() ? unknown : mean(values))},
          {"low", number(interval.low)},
          {"high", number(interval.high)}};
}

// The points of all runs, by epoch.
std::map<std::int64_t, std::vector<const Point*>> by_epoch(const Arm& arm) {
  std::map<std::int64_t, std::vector<const Point*>> epochs;
  for (const StoredRun* run : arm.results)
    for (const Point& point : run->result.points) epochs[point.epoch].push_back(&point);
  return epochs;
}

// At most `most` of so many, evenly, the ends included.
std::vector<std::size_t> chosen(std::size_t count) {
  std::vector<std::size_t> result;
  const std::size_t wanted = std::min(count, most);
  for (std::size_t i = 0; i < wanted; ++i) result.push_back(wanted < 2 ? 0 : i * (count - 1) / (wanted - 1));
  return result;
}

double geometric_mean(const std::vector<const Point*>& points, std::size_t layer) {
  double sum = 0, count = 0;
  for (const Point* point : points)
    if (layer < point->gradients.size() && std::isfinite(point->gradients[layer])) {
      sum += std::log(std::max(point->gradients[layer], 1e-300));
      ++count;
    }
  return std::exp(sum / count);
}

double three_digits(double value) {
  if (!std::isfinite(value) || value == 0) return value;
  const double scale = std::pow(10, 2 - std::floor(std::log10(std::abs(value))));
  return std::round(value * scale) / scale;
}

}  // namespace

Json curve_of(const Arm& arm) {
  Json curve = Json::array();
  for (const auto& [epoch, measured] : by_epoch(arm)) {
    const std::vector<const Point*>& points = measured;  // Clang 14 cannot capture a structured binding
    const auto collect = [&](double Point::*field) {
      std::vector<double> values;
      for (const Point* point : points)
        if (std::isfinite(point->*field)) values.push_back(point->*field);
      return spread(values);
    };
    std::vector<double> ratios;
    for (const Point* point : points)
      if (!point->gradients.empty() && point->gradients.front() > 0 && point->gradients.back() > 0)
        ratios.push_back(std::log(point->gradients.front() / point->gradients.back()));
    curve.push_back({{"epoch", epoch},
                     {"train_loss", collect(&Point::train_loss)},
                     {"validation_error", collect(&Point::validation_error)},
                     {"validation_loss", collect(&Point::validation_loss)},
                     {"gradient_ratio", number(ratios.empty() ? unknown : std::exp(mean(ratios)))}});
    std::map<std::string, std::vector<double>> scheduled;
    for (const Point* point : points)
      for (const auto& [attribute, value] : point->scheduled) scheduled[attribute].push_back(value);
    for (const auto& [attribute, values] : scheduled) curve.back()["scheduled"][attribute] = spread(values);
  }
  return curve;
}

Json layers_of(const Arm& arm) {
  const auto epochs = by_epoch(arm);
  Json json{{"epochs", Json::array()}, {"layers", Json::array()}, {"gradients", Json::array()},
            {"low", histogram_low},    {"high", histogram_high},  {"histograms", Json::array()}};
  std::vector<std::pair<std::int64_t, const std::vector<const Point*>*>> all;
  std::size_t layers = 0;
  for (const auto& [epoch, points] : epochs) {
    all.emplace_back(epoch, &points);
    for (const Point* point : points) layers = std::max(layers, point->gradients.size());
  }
  const auto kept = chosen(layers);
  for (const std::size_t layer : kept) json["layers"].push_back(layer + 1);
  for (const std::size_t e : chosen(all.size())) {
    const auto& points = *all[e].second;
    json["epochs"].push_back(all[e].first);
    Json gradients = Json::array(), histograms = Json::array();
    for (const std::size_t layer : kept) gradients.push_back(number(three_digits(geometric_mean(points, layer))));
    for (const Point* point : points) {
      if (point->histograms.size() < layers) continue;
      for (const std::size_t layer : kept) {
        Json shares = Json::array();
        for (const double share : point->histograms[layer]) shares.push_back(std::lround(1000 * share));
        histograms.push_back(std::move(shares));
      }
      break;
    }
    json["gradients"].push_back(std::move(gradients));
    json["histograms"].push_back(std::move(histograms));
  }
  return json;
}

}  // namespace ogee::lab
