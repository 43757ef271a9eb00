// Names: finding a function, reading "name(attribute=value, ...)", and "did you mean".
#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <unordered_map>

#include "registry/catalogue.h"
#include "registry/suggestion.h"

namespace ogee {
namespace {

struct Entry {
  const Function* function;
  const Alias* alias;  // null: the name itself
};

const std::unordered_map<std::string_view, Entry>& names() {
  static const auto* map = [] {
    auto* m = new std::unordered_map<std::string_view, Entry>;
    for (const Function& f : catalogue()) m->emplace(f.spec->name, Entry{&f, nullptr});
    for (const Function& f : catalogue()) {
      for (const Alias& a : f.spec->aliases) m->emplace(a.name, Entry{&f, &a});
    }
    // The bare name of a group ("nan") is its first member.
    for (const Function& f : catalogue()) {
      if (!f.spec->group.empty()) m->emplace(f.spec->group, Entry{&f, nullptr});
    }
    return m;
  }();
  return *map;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substitute, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::size_t common_prefix(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

}  // namespace

std::string alternatives(const std::vector<std::string_view>& names) {
  std::string all;
  for (std::size_t i = 0; i < names.size(); ++i)
    all.append(i == 0 ? "" : i + 1 < names.size() ? ", " : " or ").append(names[i]);
  return all;
}

// Among equals the one that begins alike for longest.
std::string suggestion(std::string_view wrong, const std::vector<std::string_view>& candidates) {
  std::string_view best;
  std::size_t least = std::max<std::size_t>(2, wrong.size() / 3) + 1;
  for (std::string_view name : candidates) {
    const std::size_t distance = edit_distance(wrong, name);
    const std::size_t prefix = common_prefix(wrong, name), best_prefix = common_prefix(wrong, best);
    const bool tie_won = !best.empty() && (prefix > best_prefix || (prefix == best_prefix && name < best));
    if (distance < least || (distance == least && tie_won)) {
      least = distance;
      best = name;
    }
  }
  return best.empty() ? "" : "; did you mean '" + std::string(best) + "'?";
}

namespace {

std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

bool number(std::string_view text, double& value) {
  double scale = 1;
  // "1/6", as the literature writes slopes.
  if (const auto slash = text.find('/'); slash != std::string_view::npos) {
    if (!number(trim(text.substr(slash + 1)), scale)) return false;
    text = trim(text.substr(0, slash));
  }
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return false;
  value /= scale;
  return true;
}

std::string to_text(double value) {
  char buffer[32];
  const auto result = std::to_chars(buffer, buffer + sizeof(buffer), value);
  return std::string(buffer, result.ptr);
}

// The member of a group for one choice: group "nan", variant "base", choice "tanh". A choice may be said as users know
// it ("hardtanh" for "hard_tanh").
const Function* member(std::string_view group, std::string_view variant, std::string_view choice) {
  const auto squeezed = [](std::string_view s) {
    std::string out;
    for (char c : s) {
      if (c != '_' && c != '-') out.push_back(c);
    }
    return out;
  };
  for (const Function& f : catalogue()) {
    if (f.spec->group == group && f.spec->variant == variant && squeezed(f.spec->choice) == squeezed(choice)) return &f;
  }
  return nullptr;
}

}  // namespace

const Function* find_function(std::string_view name) {
  const auto found = names().find(name);
  return found == names().end() ? nullptr : found->second.function;
}

Activation::Activation(const Function& function) : function_(&function) {
  for (const Parameter& p : function.spec->parameters) values_.push_back(p.value);
}

Activation::Activation(std::string_view text) : function_(nullptr) {
  std::string_view name = trim(text), attributes;
  if (const auto open = name.find('('); open != std::string_view::npos) {
    if (name.back() != ')') throw Error("'" + std::string(text) + "': expected ')' at the end");
    attributes = name.substr(open + 1, name.size() - open - 2);
    name = trim(name.substr(0, open));
  }
  const auto found = names().find(name);
  if (found == names().end()) {
    std::vector<std::string_view> candidates;
    for (const auto& [known, entry] : names()) candidates.push_back(known);
    throw Error("unknown activation '" + std::string(name) + "'" + suggestion(name, candidates));
  }
  const Alias* alias = found->second.alias;
  *this = Activation(*found->second.function);
  if (alias != nullptr && !alias->parameter.empty()) set(alias->parameter, alias->value);

  // Choices first: they decide which function's parameters the others are.
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  while (!attributes.empty()) {
    const auto comma = attributes.find(',');
    const std::string_view pair = trim(attributes.substr(0, comma));
    attributes = comma == std::string_view::npos ? std::string_view() : attributes.substr(comma + 1);
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      throw Error("'" + std::string(text) + "': expected attribute=value, found '" + std::string(pair) + "'");
    }
    pairs.emplace_back(trim(pair.substr(0, equals)), trim(pair.substr(equals + 1)));
  }
  for (const auto& [key, value] : pairs) {
    if (spec().variant.empty() || key != spec().variant) continue;
    const Function* choice = member(spec().group, key, value);
    if (choice == nullptr) {
      std::string known;
      for (const Function& f : catalogue()) {
        if (f.spec->group == spec().group) known += (known.empty() ? "" : ", ") + std::string(f.spec->choice);
      }
      throw Error("'" + std::string(text) + "': " + std::string(key) + " '" + std::string(value) + "' is none of " +
                  known);
    }
    *this = Activation(*choice);
  }
  for (const auto& [key, value] : pairs) {
    if (!spec().variant.empty() && key == spec().variant) continue;
    double numeric;
    if (!number(value, numeric)) {
      throw Error("'" + std::string(text) + "': " + std::string(key) + " must be a number, not '" + std::string(value) +
                  "'");
    }
    set(key, numeric);
  }
}

namespace {

std::size_t index_of(const Spec& spec, std::string_view name) {
  std::vector<std::string_view> known;
  for (std::size_t k = 0; k < spec.parameters.size(); ++k) {
    if (spec.parameters[k].name == name) return k;
    known.push_back(spec.parameters[k].name);
  }
  if (!spec.variant.empty()) known.push_back(spec.variant);
  std::string list;
  for (std::string_view k : known) list += (list.empty() ? "" : ", ") + std::string(k);
  throw Error(std::string(spec.name) + " has no attribute '" + std::string(name) + "'" +
              (list.empty() ? "; it takes none" : suggestion(name, known) + " (it takes " + list + ")"));
}

}  // namespace

double Activation::parameter(std::string_view name) const { return values_[index_of(spec(), name)]; }

Activation& Activation::set(std::string_view name, double value) {
  const std::size_t k = index_of(spec(), name);
  const Parameter& p = spec().parameters[k];
  if (std::isnan(value) || value < p.low || value > p.high) {
    throw Error(std::string(spec().name) + ": " + std::string(name) + " = " + to_text(value) + " is out of range [" +
                to_text(p.low) + ", " + to_text(p.high) + "]");
  }
  values_[k] = value;
  return *this;
}

std::string Activation::text() const {
  std::string attributes;
  for (std::size_t k = 0; k < values_.size(); ++k) {
    const Parameter& p = spec().parameters[k];
    if (values_[k] == p.value) continue;
    attributes += (attributes.empty() ? "" : ",") + std::string(p.name) + "=" + to_text(values_[k]);
  }
  return std::string(spec().name) + (attributes.empty() ? "" : "(" + attributes + ")");
}

}  // namespace ogee
