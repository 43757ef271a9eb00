#include "models/attributes.h"

#include <charconv>
#include <string>

#include "data/attributes.h"

namespace ogee::models {
namespace {

using data::Attributes;

constexpr std::int64_t most_units = 65536;

// "128x20".
void take_memory(Attributes& given, MemorySettings& memory) {
  const std::string word = given.take_text("memory", "");
  if (word.empty()) return;
  const char *at = word.data(), *last = at + word.size();
  const auto within = [](std::int64_t size, std::int64_t most) { return size >= 1 && size <= most; };
  const auto locations = std::from_chars(at, last, memory.locations);
  if (locations.ec == std::errc() && locations.ptr != last && *locations.ptr == 'x') {
    const auto width = std::from_chars(locations.ptr + 1, last, memory.width);
    if (width.ec == std::errc() && width.ptr == last && within(memory.locations, 65536) && within(memory.width, 4096))
      return;
  }
  given.refuse("memory", "'" + word + "'", "LOCATIONSxWIDTH, as in 128x20");
}

void take_gates(Attributes& given, Settings& settings) {
  settings.all_gates = given.take_second("gates", "sigmoid", "all", settings.all_gates);
}

// What is taken stands in the order in which messages list it.
void take_attention(Attributes& given, Settings& settings, bool pictures) {
  AttentionSettings& its = settings.attention;
  its.beam = given.take("beam", its.beam, 1, 100);
  its.lstm = given.take_second("cell", "gru", "lstm", its.lstm);
  if (pictures) {
    its.channels = given.take_given("channels", its.channels, 1, most_units);
    its.coverage = given.take_real("coverage", its.coverage, 1e6);
  }
  its.dropout = given.take_real("dropout", its.dropout, 1);
  its.embedding = given.take_given("embedding", its.embedding, 1, most_units);
  take_gates(given, settings);
  its.size = given.take_given("size", its.size, 1, most_units);
}

}  // namespace

std::string name_of(const Settings& settings) { return settings.model.substr(0, settings.model.find('(')); }

void read_attributes(Settings& settings) {
  Attributes given("--model", settings.model);
  const std::string& name = given.name();
  if (name == "resnet") {
    settings.batch_norm = given.take("batch_norm", settings.batch_norm, 0, 1) == 1;
  } else if (name == "lstm" || name == "gru") {
    take_gates(given, settings);
    settings.mean_head = given.take_second("head", "last", "mean", settings.mean_head);
  } else if (name == "transformer") {
    settings.heads = given.take_given("heads", settings.heads, 1, most_units);
  } else if (name == "ntm") {
    MemorySettings& its = settings.memory;
    its.feedforward = given.take_second("controller", "lstm", "feedforward", its.feedforward);
    take_gates(given, settings);
    take_memory(given, its);
    its.reads = given.take("reads", its.reads, 1, 64);
    its.writes = given.take("writes", its.writes, 1, 64);
  } else if (name == "attention" || name == "captioner") {
    take_attention(given, settings, name == "captioner");
  }
  given.finish();
}

}  // namespace ogee::models
