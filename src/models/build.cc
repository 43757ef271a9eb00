// The models by name: their attributes, their usual sizes, and what data they fit.
#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "models/gates.h"
#include "models/network.h"

namespace ogee::models {
namespace {

using Make = std::shared_ptr<Network> (*)(const Settings&, const data::Dataset&, at::Generator);

struct Model {
  const char* name;
  Make make;
  std::int64_t depth, width;
  bool text, flat, series, recall, translation, captions;  // fits these; all but the last two's fit pictures
  const char* needs;                                       // in words
};
constexpr Model models[] = {
    {"mlp", make_mlp, 12, 64, false, true, true, false, false, false, "examples of their own, not running text"},
    {"convnet", make_convnet, 2, 16, false, false, false, false, false, false, "images"},
    {"resnet", make_resnet, 3, 16, false, true, true, false, false, false, "examples of their own, not running text"},
    {"lstm", make_lstm, 2, 64, true, false, true, true, false, false,
     "a sequence: text, a series or images, row by row"},
    {"gru", make_gru, 2, 64, true, false, true, true, false, false, "a sequence: text, a series or images, row by row"},
    {"transformer", make_transformer, 2, 64, true, false, true, false, false, false,
     "a sequence: text, a series or images, row by row"},
    {"ntm", make_ntm, 1, 100, true, false, true, true, false, false,
     "a sequence: text, a series or images, row by row"},
    {"attention", make_attention, 1, 256, false, false, false, false, true, false, "translation"},
    {"captioner", make_captioner, 3, 256, false, false, false, false, false, true, "captions"},
};

const Model& model_of(const Settings& settings) {
  const std::string name = name_of(settings);
  for (const Model& model : models)
    if (name == model.name) return model;
  throw Error(
      fmt::format("--model {}: expected mlp, convnet, resnet, lstm, gru, transformer, ntm, attention or captioner",
                  settings.model));
}

bool fits(const Model& model, const data::Dataset& data) {
  if (data.translation() || model.translation) return data.translation() && model.translation;
  if (data.captions() || model.captions) return data.captions() && model.captions;
  if (data.text()) return model.text;
  if (data.recall()) return model.recall;
  return data.images() || (data.series() ? model.series : model.flat);
}

// "128x20".
bool read_memory(const std::string& text, MemorySettings& memory) {
  const char *at = text.data(), *last = at + text.size();
  const auto locations = std::from_chars(at, last, memory.locations);
  if (locations.ec != std::errc() || locations.ptr == last || *locations.ptr != 'x') return false;
  const auto width = std::from_chars(locations.ptr + 1, last, memory.width);
  const auto fits = [](std::int64_t size, std::int64_t most) { return size >= 1 && size <= most; };
  return width.ec == std::errc() && width.ptr == last && fits(memory.locations, 65536) && fits(memory.width, 4096);
}

// name(key=value, ...) into settings.
void read_attributes(Settings& settings) {
  const std::string& text = settings.model;
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
    const std::string key = item.substr(0, equals);
    const bool recurrent = name == "lstm" || name == "gru", ntm = name == "ntm", captioner = name == "captioner",
               attention = name == "attention" || captioner;
    const std::string word = equals == std::string::npos ? "" : item.substr(equals + 1);
    if ((recurrent && (key == "gates" || key == "head")) || (ntm && (key == "gates" || key == "controller")) ||
        (attention && (key == "gates" || key == "cell"))) {
      const auto one_of = [&](const char* usual, const char* other) {
        if (word != usual && word != other)
          throw Error(fmt::format("--model {}: {} is '{}', expected {} or {}", text, key, word, usual, other));
        return word == other;
      };
      if (key == "gates")
        settings.all_gates = one_of("sigmoid", "all");
      else if (attention)
        settings.attention.lstm = one_of("gru", "lstm");
      else if (ntm)
        settings.memory.feedforward = one_of("lstm", "feedforward");
      else
        settings.mean_head = one_of("last", "mean");
      continue;
    }
    if (ntm && key == "memory") {
      if (!read_memory(word, settings.memory))
        throw Error(fmt::format("--model {}: memory is '{}', expected LOCATIONSxWIDTH, as in 128x20", text, word));
      continue;
    }
    if (attention && (key == "dropout" || (captioner && key == "coverage"))) {
      const char* last = word.data() + word.size();
      const bool rate = key == "dropout";
      double& to = rate ? settings.attention.dropout : settings.attention.coverage;
      if (std::from_chars(word.data(), last, to) != std::from_chars_result{last, std::errc()} || !(to >= 0) ||
          !(to < (rate ? 1 : 1e6)))
        throw Error(
            fmt::format("--model {}: {} is '{}', expected 0 or more, below {}", text, key, word, rate ? "1" : "1e6"));
      continue;
    }
    std::int64_t value = 0;
    const char* last = item.data() + item.size();
    if (equals == std::string::npos || std::from_chars(item.data() + equals + 1, last, value).ptr != last)
      throw Error(fmt::format("--model {}: '{}': expected attribute=number", text, item));
    if (name == "resnet" && key == "batch_norm") {
      if (value != 0 && value != 1)
        throw Error(fmt::format("--model {}: batch_norm is {}, expected 0 or 1", text, value));
      settings.batch_norm = value == 1;
    } else if (name == "transformer" && key == "heads") {
      if (value < 1) throw Error(fmt::format("--model {}: heads is {}, expected 1 or more", text, value));
      settings.heads = value;
    } else if (ntm && (key == "reads" || key == "writes")) {
      if (value < 1 || value > 64) throw Error(fmt::format("--model {}: {} is {}, expected 1 to 64", text, key, value));
      (key == "reads" ? settings.memory.reads : settings.memory.writes) = value;
    } else if (attention &&
               (key == "embedding" || key == "size" || key == "beam" || (captioner && key == "channels"))) {
      const std::int64_t most = key == "beam" ? 100 : 65536;
      if (value < 1 || value > most)
        throw Error(fmt::format("--model {}: {} is {}, expected 1 to {}", text, key, value, most));
      AttentionSettings& its = settings.attention;
      (key == "beam" ? its.beam : key == "size" ? its.size : key == "channels" ? its.channels : its.embedding) = value;
    } else {
      throw Error(fmt::format("--model {}: {} has no attribute '{}'{}", text, name, key,
                              name == "resnet"        ? "; it has batch_norm"
                              : name == "transformer" ? "; it has heads"
                              : recurrent             ? "; it has gates and head"
                              : ntm                   ? "; it has controller, gates, memory, reads and writes"
                              : captioner
                                  ? "; it has beam, cell, channels, coverage, dropout, embedding, gates and size"
                              : attention ? "; it has beam, cell, dropout, embedding, gates and size"
                                          : ""));
    }
  }
}

}  // namespace

std::string name_of(const Settings& settings) { return settings.model.substr(0, settings.model.find('(')); }

Settings resolve(Settings settings, const data::Dataset& data) {
  if (settings.design) return settings;
  if (settings.model.empty())
    settings.model = data.text()          ? "transformer"
                     : data.recall()      ? "lstm"
                     : data.translation() ? "attention"
                     : data.captions()    ? "captioner"
                                          : "mlp";
  const Model& model = model_of(settings);
  settings.attention.lstm = model.captions;  // what Xu et al. have, and what Bahdanau et al. have
  read_attributes(settings);
  if (!fits(model, data)) {
    const std::string what = data.translation() ? "asks for translation"
                             : data.captions()  ? "asks for captions"
                             : data.text()      ? "is running text"
                             : data.recall()    ? "asks for answers along a sequence"
                             : data.series()    ? fmt::format("is a series of {} columns", data.shape[1])
                                                : fmt::format("has {} columns", data.shape[0]);
    throw Error(fmt::format("--model {} needs {}, and {} {}: use --model {}", model.name, model.needs, data.name, what,
                            data.translation() ? "attention"
                            : data.captions()  ? "captioner"
                            : data.text()      ? "lstm, gru, transformer or ntm"
                            : data.recall()    ? "lstm, gru or ntm"
                            : data.series()    ? "mlp, lstm, gru, transformer or ntm"
                                               : "mlp"));
  }
  if (settings.mean_head && data.stepwise())
    throw Error(fmt::format(
        "--model {}: head=mean gives one answer to all of a sequence, and {} {}", settings.model, data.name,
        data.text() ? "is running text, which asks for one after every token" : "asks for answers along it"));
  if (settings.memory.feedforward && settings.all_gates)
    throw Error(fmt::format("--model {}: a feedforward controller has no gates", settings.model));
  if (model.captions) {
    const bool features = data.pictures.all.dim() == 3;
    if (features && (settings.depth > 1 || settings.attention.channels > 0))
      throw Error(
          fmt::format("--model {}: {} has features, which are looked at as they are: it has no convolutions, and "
                      "takes neither channels nor a depth but 1",
                      settings.model, data.name));
    if (features)
      settings.depth = 1;
    else if (settings.attention.channels == 0)
      settings.attention.channels = 16;
  }
  const bool flat_resnet = model.make == make_resnet && !data.images();
  if (settings.depth == 0) settings.depth = flat_resnet ? 6 : model.depth;
  if (settings.width == 0) settings.width = flat_resnet ? 64 : model.width;
  if (model.make == make_transformer) {
    if (settings.heads == 0) settings.heads = settings.width % 4 == 0 ? 4 : settings.width % 2 == 0 ? 2 : 1;
    if (settings.width % settings.heads != 0)
      throw Error(fmt::format("--model {}: width {} is not divisible by {} heads", settings.model, settings.width,
                              settings.heads));
  }
  return settings;
}

void check_activation(const Settings& settings) {
  if (const std::string name = name_of(settings); (name == "ntm" || name == "attention" || name == "captioner") &&
                                                  Activation(settings.activation).spec().inputs > 1)
    throw Error(
        fmt::format("--model {}: {} takes two inputs, and its units have one", settings.model, settings.activation));
  if (!settings.all_gates) return;
  try {
    gate_functions(settings.activation);
  } catch (const Error& error) {
    throw Error(fmt::format("--model {}: {}", settings.model, error.what()));
  }
}

std::shared_ptr<Network> build(const Settings& settings, const data::Dataset& data, std::uint64_t seed) {
  if (settings.design) return settings.design->build(settings.activation, seed);
  const Settings resolved = resolve(settings, data);
  at::Generator random = at::detail::createCPUGenerator(seed);
  GeneratorGuard guard(random);  // learned parameters may start at random, too
  return model_of(resolved).make(resolved, data, random);
}

}  // namespace ogee::models
