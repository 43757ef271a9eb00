#include "data/attributes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "ogee/ogee.h"
#include "registry/suggestion.h"

namespace ogee::data {

Attributes::Attributes(std::string_view option, const std::string& text)
    : text_(fmt::format("{} {}", option, text)), name_(text.substr(0, text.find('('))) {
  if (name_.size() == text.size()) return;
  if (!text.ends_with(')')) throw Error(fmt::format("{}: the parenthesis is never closed", text_));
  for (std::size_t at = name_.size() + 1; at + 1 < text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size() - 1);
    std::string item = text.substr(at, end - at);
    std::erase(item, ' ');
    at = end + 1;
    const std::size_t equals = item.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == item.size())
      throw Error(fmt::format("{}: '{}': expected attribute=number", text_, item));
    if (!given_.emplace(item.substr(0, equals), item.substr(equals + 1)).second)
      throw Error(fmt::format("{}: {} stands there twice", text_, item.substr(0, equals)));
  }
}

const std::string* Attributes::find(const std::string& key) {
  known_.push_back(key);
  const auto found = given_.find(key);
  return found == given_.end() ? nullptr : &found->second;
}

void Attributes::refuse(const std::string& key, const std::string& got, const std::string& expected) const {
  throw Error(fmt::format("{}: {} is {}, expected {}", text_, key, got, expected));
}

std::int64_t Attributes::take(const std::string& key, std::int64_t usual, std::int64_t low, std::int64_t high) {
  std::int64_t value = usual;
  if (const std::string* const word = find(key); word != nullptr) {
    const char* const last = word->data() + word->size();
    if (std::from_chars(word->data(), last, value) != std::from_chars_result{last, std::errc()})
      throw Error(fmt::format("{}: '{}={}': expected attribute=number", text_, key, *word));
  }
  if (value < low || value > high)
    refuse(key, std::to_string(value), fmt::format("{} {} {}", low, high == low + 1 ? "or" : "to", high));
  return value;
}

std::int64_t Attributes::take_given(const std::string& key, std::int64_t otherwise, std::int64_t low,
                                    std::int64_t high) {
  if (given_.contains(key)) return take(key, otherwise, low, high);
  known_.push_back(key);
  return otherwise;
}

double Attributes::take_real(const std::string& key, double usual, double bound) {
  const std::string* const word = find(key);
  if (word == nullptr) return usual;
  double value = 0;
  const char* const last = word->data() + word->size();
  if (std::from_chars(word->data(), last, value) != std::from_chars_result{last, std::errc()} || !(value >= 0) ||
      !(value < bound))
    refuse(key, "'" + *word + "'", fmt::format("0 or more, below {}", bound));
  return value;
}

bool Attributes::take_second(const std::string& key, std::string_view first, std::string_view second, bool usual) {
  const std::string* const word = find(key);
  if (word == nullptr) return usual;
  if (*word != first && *word != second) refuse(key, "'" + *word + "'", fmt::format("{} or {}", first, second));
  return *word == second;
}

std::string Attributes::take_text(const std::string& key) {
  const std::string* const word = find(key);
  if (word == nullptr) throw Error(fmt::format("{}: it has no {}; expected {}=...", text_, key, key));
  return *word;
}

std::string Attributes::take_text(const std::string& key, const std::string& usual) {
  const std::string* const word = find(key);
  return word == nullptr ? usual : *word;
}

void Attributes::finish() const {
  for (const auto& [key, value] : given_) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string has = known_.empty() ? "" : fmt::format("; it has {}", fmt::join(known_, ", "));
    throw Error(fmt::format("{}: {} has no attribute '{}'{}{}", text_, name_, key,
                            suggestion(key, {known_.begin(), known_.end()}), has));
  }
}

}  // namespace ogee::data
