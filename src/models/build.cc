// The models by name: their usual sizes, and what data they fit.
#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "models/attributes.h"
#include "models/gates.h"
#include "models/names.h"
#include "models/network.h"
#include "registry/suggestion.h"

namespace ogee::models {
namespace {

using Make = std::shared_ptr<Network> (*)(const Settings&, const data::Dataset&, at::Generator);

// What a network may be asked for, each a bit.
enum Kind : unsigned {
  pictures = 1,
  columns = 2,  // examples of so many numbers
  series = 4,
  text = 8,
  recall = 16,  // answers along a sequence
  translation = 32,
  captions = 64,
};
Kind kind_of(const data::Dataset& data) {
  return data.translation() ? translation
         : data.captions()  ? captions
         : data.text()      ? text
         : data.recall()    ? recall
         : data.images()    ? pictures
         : data.series()    ? series
                            : columns;
}

struct Model {
  const char* name;
  Make make;
  std::int64_t depth, width;
  unsigned fits;
  const char* needs;  // in words
};
constexpr const char *examples = "examples of their own, not running text",
                     *sequences = "a sequence: text, a series or images, row by row";
constexpr Model models[] = {
    {"mlp", make_mlp, 12, 64, pictures | columns | series, examples},
    {"convnet", make_convnet, 2, 16, pictures, "images"},
    {"resnet", make_resnet, 3, 16, pictures | columns | series, examples},
    {"lstm", make_lstm, 2, 64, pictures | series | text | recall, sequences},
    {"gru", make_gru, 2, 64, pictures | series | text | recall, sequences},
    {"transformer", make_transformer, 2, 64, pictures | series | text, sequences},
    {"ntm", make_ntm, 1, 100, pictures | series | text | recall, sequences},
    {"attention", make_attention, 1, 256, translation, "translation"},
    {"captioner", make_captioner, 3, 256, captions, "captions"},
};

// The models that fit one of these kinds: "a, b or c".
std::string names_of(unsigned kinds) {
  std::vector<std::string_view> names;
  for (const Model& model : models)
    if (model.fits & kinds) names.emplace_back(model.name);
  return alternatives(names);
}

const Model& model_of(const Settings& settings) {
  const std::string name = name_of(settings);
  for (const Model& model : models)
    if (name == model.name) return model;
  throw Error(fmt::format("--model {}: expected {}", settings.model, names_of(~0U)));
}

}  // namespace

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const Model& model : models) all.emplace_back(model.name);
  return all;
}

Settings resolve(Settings settings, const data::Dataset& data) {
  if (settings.design) return settings;
  const Kind kind = kind_of(data);
  if (settings.model.empty())
    settings.model = kind == text          ? "transformer"
                     : kind == recall      ? "lstm"
                     : kind == translation ? "attention"
                     : kind == captions    ? "captioner"
                                           : "mlp";
  const Model& model = model_of(settings);
  settings.attention.lstm = model.fits == captions;  // what Xu et al. have, and what Bahdanau et al. have
  read_attributes(settings);
  if (!(model.fits & kind)) {
    const std::string what = kind == translation ? "asks for translation"
                             : kind == captions  ? "asks for captions"
                             : kind == text      ? "is running text"
                             : kind == recall    ? "asks for answers along a sequence"
                             : kind == series    ? fmt::format("is a series of {} columns", data.shape[1])
                                                 : fmt::format("has {} columns", data.shape[0]);
    throw Error(fmt::format("--model {} needs {}, and {} {}: use --model {}", model.name, model.needs, data.name, what,
                            names_of(kind)));
  }
  if (settings.mean_head && data.stepwise())
    throw Error(fmt::format(
        "--model {}: head=mean gives one answer to all of a sequence, and {} {}", settings.model, data.name,
        data.text() ? "is running text, which asks for one after every token" : "asks for answers along it"));
  if (settings.memory.feedforward && settings.all_gates)
    throw Error(fmt::format("--model {}: a feedforward controller has no gates", settings.model));
  if (kind == captions) {
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
