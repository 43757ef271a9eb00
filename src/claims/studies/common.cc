#include "claims/studies/common.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "lab/toml_table.h"
#include "models/network.h"
#include "ogee/ogee.h"

namespace ogee::claims {
namespace {

std::string trimmed(const std::string& text) {
  const auto from = text.find_first_not_of(' ');
  return from == std::string::npos ? "" : text.substr(from, text.find_last_not_of(' ') - from + 1);
}

Arm parse_arm(const std::string& text, const std::vector<std::string>& known) {
  const std::size_t semicolon = text.find(';');
  Arm arm{Activation(trimmed(text.substr(0, semicolon))).text(), {}};
  if (semicolon == std::string::npos) return arm;
  if (known.empty()) throw Error(fmt::format("{}: arms of this study have no settings of their own", text));
  for (std::size_t at = semicolon + 1; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string item = trimmed(text.substr(at, end - at));
    at = end + 1;
    const std::size_t equals = item.find('=');
    const std::string key = trimmed(item.substr(0, equals));
    if (equals == std::string::npos || std::find(known.begin(), known.end(), key) == known.end())
      throw Error(
          fmt::format("{}: '{}': expected SETTING=NUMBER, the setting one of {}", text, item, fmt::join(known, ", ")));
    const std::string number = trimmed(item.substr(equals + 1));
    double value = 0;
    const char* last = number.data() + number.size();
    const auto [stop, error] = std::from_chars(number.data(), last, value);
    if (stop != last || error != std::errc() || !std::isfinite(value))
      throw Error(fmt::format("{}: {} is '{}', expected a number", text, key, number));
    arm.set[key] = value;
  }
  return arm;
}

std::vector<at::Tensor> named(const models::Network& network, const char* ending) {
  std::vector<at::Tensor> found;
  for (const auto& each : network.named_parameters(/*recurse=*/false))
    if (each.key().ends_with(ending)) found.push_back(each.value());
  return found;
}

}  // namespace

std::map<std::string, Arm> take_arms(lab::Table& table, std::vector<std::string>& names,
                                     const std::vector<std::string>& known) {
  table.take("arms", names);
  std::map<std::string, Arm> arms;
  for (const std::string& name : names) {
    try {
      if (!arms.emplace(name, parse_arm(name, known)).second) throw Error(name + " is there twice");
    } catch (const Error& error) {
      table.fail("arms", error.what());
    }
  }
  return arms;
}

void Source::take(lab::Table& table) {
  table.take("data", request_.data);
  table.take("train_limit", request_.train_limit, 0, 1'000'000'000);
}

std::string Source::fingerprint() const {
  try {
    return get().fingerprint;
  } catch (const Error&) {  // `missing` tells
    return "";
  }
}

std::string Source::missing() const {
  try {
    get();
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

const data::Dataset& Source::get() const {
  const std::lock_guard lock(mutex_);
  if (!data_) data_ = std::make_unique<const data::Dataset>(data::load(request_));
  return *data_;
}

std::vector<at::Tensor> weights_of(const models::Network& network) { return named(network, "_weight"); }

std::vector<at::Tensor> biases_of(const models::Network& network) {
  std::vector<at::Tensor> found = named(network, "_bias");
  found.pop_back();  // the output's
  return found;
}

}  // namespace ogee::claims
