#include "models/attributes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string>
#include <string_view>

namespace ogee::models {
namespace {

// key=word, of a model's text.
struct Item {
  const std::string& text;
  std::string key, word;
  bool assigned;

  template <class Got>
  [[noreturn]] void expected(const Got& got, std::string_view what) const {
    throw Error(fmt::format("--model {}: {} is {}, expected {}", text, key, got, what));
  }
  [[noreturn]] void not_a_word_but(std::string_view what) const { expected("'" + word + "'", what); }

  // Whether it is the other of two words.
  bool chooses(std::string_view usual, std::string_view other) const {
    if (word != usual && word != other) not_a_word_but(fmt::format("{} or {}", usual, other));
    return word == other;
  }
  std::int64_t whole(std::int64_t least, std::int64_t most, std::string_view what) const {
    std::int64_t value = 0;
    const char* const last = word.data() + word.size();
    if (!assigned || std::from_chars(word.data(), last, value) != std::from_chars_result{last, std::errc()})
      throw Error(fmt::format("--model {}: '{}{}{}': expected attribute=number", text, key, assigned ? "=" : "", word));
    if (value < least || value > most) expected(value, what);
    return value;
  }
  std::int64_t count(std::int64_t most) const { return whole(1, most, fmt::format("1 to {}", most)); }
  double below(double bound, std::string_view bound_text) const {
    double value = 0;
    const char* const last = word.data() + word.size();
    if (std::from_chars(word.data(), last, value) != std::from_chars_result{last, std::errc()} || !(value >= 0) ||
        !(value < bound))
      not_a_word_but(fmt::format("0 or more, below {}", bound_text));
    return value;
  }
};

// "128x20".
void read_memory(MemorySettings& memory, const Item& item) {
  const std::string& word = item.word;
  const char *at = word.data(), *last = at + word.size();
  const auto within = [](std::int64_t size, std::int64_t most) { return size >= 1 && size <= most; };
  const auto locations = std::from_chars(at, last, memory.locations);
  if (locations.ec == std::errc() && locations.ptr != last && *locations.ptr == 'x') {
    const auto width = std::from_chars(locations.ptr + 1, last, memory.width);
    if (width.ec == std::errc() && width.ptr == last && within(memory.locations, 65536) && within(memory.width, 4096))
      return;
  }
  item.not_a_word_but("LOCATIONSxWIDTH, as in 128x20");
}

constexpr std::int64_t most_units = 65536;

struct Attribute {
  std::string_view models, key;  // models, separated by spaces
  void (*read)(Settings&, const Item&);
};
// By key, as messages list them.
constexpr Attribute attributes[] = {
    {"resnet", "batch_norm", [](Settings& s, const Item& i) { s.batch_norm = i.whole(0, 1, "0 or 1") == 1; }},
    {"attention captioner", "beam", [](Settings& s, const Item& i) { s.attention.beam = i.count(100); }},
    {"attention captioner", "cell", [](Settings& s, const Item& i) { s.attention.lstm = i.chooses("gru", "lstm"); }},
    {"captioner", "channels", [](Settings& s, const Item& i) { s.attention.channels = i.count(most_units); }},
    {"ntm", "controller", [](Settings& s, const Item& i) { s.memory.feedforward = i.chooses("lstm", "feedforward"); }},
    {"captioner", "coverage", [](Settings& s, const Item& i) { s.attention.coverage = i.below(1e6, "1e6"); }},
    {"attention captioner", "dropout", [](Settings& s, const Item& i) { s.attention.dropout = i.below(1, "1"); }},
    {"attention captioner", "embedding",
     [](Settings& s, const Item& i) { s.attention.embedding = i.count(most_units); }},
    {"lstm gru ntm attention captioner", "gates",
     [](Settings& s, const Item& i) { s.all_gates = i.chooses("sigmoid", "all"); }},
    {"lstm gru", "head", [](Settings& s, const Item& i) { s.mean_head = i.chooses("last", "mean"); }},
    {"transformer", "heads", [](Settings& s, const Item& i) { s.heads = i.whole(1, most_units, "1 or more"); }},
    {"ntm", "memory", [](Settings& s, const Item& i) { read_memory(s.memory, i); }},
    {"ntm", "reads", [](Settings& s, const Item& i) { s.memory.reads = i.count(64); }},
    {"attention captioner", "size", [](Settings& s, const Item& i) { s.attention.size = i.count(most_units); }},
    {"ntm", "writes", [](Settings& s, const Item& i) { s.memory.writes = i.count(64); }},
};

bool has(std::string_view models, const std::string& name) {
  return fmt::format(" {} ", models).find(" " + name + " ") != std::string::npos;
}

[[noreturn]] void refuse(const std::string& text, const std::string& name, const std::string& key) {
  std::string keys;
  for (std::size_t i = std::size(attributes); i-- > 0;) {
    if (!has(attributes[i].models, name)) continue;
    const bool last = keys.empty(), last_but_one = !last && keys.find(' ') == std::string::npos;
    keys = std::string(attributes[i].key) + (last ? "" : last_but_one ? " and " : ", ") + keys;
  }
  throw Error(
      fmt::format("--model {}: {} has no attribute '{}'{}", text, name, key, keys.empty() ? "" : "; it has " + keys));
}

}  // namespace

std::string name_of(const Settings& settings) { return settings.model.substr(0, settings.model.find('(')); }

void read_attributes(Settings& settings) {
  const std::string text = settings.model;
  const std::size_t open = text.find('(');
  if (open == std::string::npos) return;
  if (!text.ends_with(')')) throw Error(fmt::format("--model {}: the parenthesis is never closed", text));
  const std::string name = name_of(settings);
  for (std::size_t at = open + 1; at + 1 < text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size() - 1);
    std::string item = text.substr(at, end - at);
    std::erase(item, ' ');
    at = end + 1;
    const std::size_t equals = item.find('=');
    const bool assigned = equals != std::string::npos;
    const std::string key = item.substr(0, equals);
    const auto* const found =
        std::find_if(std::begin(attributes), std::end(attributes),
                     [&](const Attribute& attribute) { return attribute.key == key && has(attribute.models, name); });
    if (found == std::end(attributes)) refuse(text, name, key);
    found->read(settings, {text, key, assigned ? item.substr(equals + 1) : "", assigned});
  }
}

}  // namespace ogee::models
