#include "bench/speed/judgement.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "bench/speed/timing.h"

namespace ogee::bench {

using Json = nlohmann::ordered_json;

bool Part::met() const { return at_least ? figure >= bound : figure <= bound; }

bool Goal::met() const {
  return !parts.empty() && std::all_of(parts.begin(), parts.end(), [](const Part& p) { return p.met(); });
}

double Figures::geometric() const {
  std::vector<double> values;
  for (const auto& [name, figure] : all_) values.push_back(figure);
  return geometric_mean(values);
}
double Figures::least() const { return extreme(false); }
double Figures::most() const { return extreme(true); }

std::string Figures::list() const {
  std::string text;
  for (const auto& [name, figure] : sorted(true))
    text += fmt::format("{}{} {:.2f}", text.empty() ? "" : ", ", name, figure);
  return text;
}

std::string Figures::missing(bool at_least, double bound) const {
  std::string text;
  std::size_t count = 0;
  for (const auto& [name, figure] : sorted(at_least)) {
    if (at_least ? figure >= bound : figure <= bound) break;
    text += fmt::format("{}{} {:.2f}", count++ == 0 ? "" : ", ", name, figure);
  }
  if (count == 0) return all_.empty() ? "nothing to compare" : "all " + std::to_string(all_.size());
  return fmt::format("{} of {} miss it: {}", count, all_.size(), text);
}

Part Figures::every_at_least(std::string what, double bound) const {
  return {std::move(what), least(), true, bound, missing(true, bound)};
}
Part Figures::every_at_most(std::string what, double bound) const {
  return {std::move(what), most(), false, bound, missing(false, bound)};
}
Part Figures::mean_at_least(std::string what, double bound) const {
  return {std::move(what), geometric(), true, bound, fmt::format("geometric mean of {}", all_.size())};
}

double Figures::extreme(bool largest) const {
  if (all_.empty()) return std::nan("");
  double value = all_.front().second;
  for (const auto& [name, figure] : all_) value = largest ? std::max(value, figure) : std::min(value, figure);
  return value;
}

std::vector<std::pair<std::string, double>> Figures::sorted(bool least_first) const {
  auto result = all_;
  std::stable_sort(result.begin(), result.end(), [&](const auto& a, const auto& b) {
    return least_first ? a.second < b.second : a.second > b.second;
  });
  return result;
}

Json to_json(const std::vector<Goal>& goals) {
  Json result = Json::array();
  for (const Goal& goal : goals) {
    Json parts = Json::array();
    for (const Part& part : goal.parts) {
      parts.push_back({{"what", part.what},
                       {"figure", std::isfinite(part.figure) ? Json(part.figure) : Json(nullptr)},
                       {"bound", fmt::format("at {} {}", part.at_least ? "least" : "most", part.bound)},
                       {"met", part.met()},
                       {"detail", part.detail}});
    }
    result.push_back({{"goal", goal.name}, {"met", goal.met()}, {"parts", parts}});
  }
  return result;
}

std::string text_of(const Json& report) {
  std::string text;
  for (const Json& line : report["wrong"]) text += fmt::format("\nogee itself is wrong: {}\n", line.get<std::string>());
  for (const Json& goal : report["goals"]) {
    text += fmt::format("\n{}: {}\n", goal["goal"].get<std::string>(), goal["met"].get<bool>() ? "met" : "not met");
    for (const Json& part : goal["parts"]) {
      text += fmt::format("  {:<7} {:>8}  ({}) {}\n          {}\n", part["met"].get<bool>() ? "met" : "not met",
                          part["figure"].is_null() ? "-" : fmt::format("{:.2f}", part["figure"].get<double>()),
                          part["bound"].get<std::string>(), part["what"].get<std::string>(),
                          part["detail"].get<std::string>());
    }
  }
  return text;
}

bool all_met(const Json& report) {
  const Json& goals = report["goals"];
  return report["wrong"].empty() &&
         std::all_of(goals.begin(), goals.end(), [](const Json& goal) { return goal["met"].get<bool>(); });
}

}  // namespace ogee::bench
