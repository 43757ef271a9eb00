#include "models/script.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <set>

#include "data/bytes.h"
#include "models/gain.h"
#include "models/script_file.h"
#include "models/script_graph.h"
#include "models/script_program.h"
#include "models/script_weights.h"
#include "models/script_widen.h"

namespace ogee::models {
namespace {

// What a network needs of the data, which does not stay in memory for it.
data::Dataset outline_of(const data::Dataset& data) {
  data::Dataset outline = data;
  outline.train = outline.validation = outline.test = {};
  return outline;
}

struct Plan {
  std::string path, bytes;
  Weights weights;
  bool rows;                        // pictures go in as rows of pixels
  std::vector<std::size_t> places;  // replaced ones, in the order in which a run passes them
  at::Tensor examples;              // a few, to try networks on
  data::Dataset outline;
};

class ScriptNetwork final : public Network {
 public:
  ScriptNetwork(std::shared_ptr<const Plan> plan, const std::string& activation, at::Generator random)
      : Network(activation, random),
        plan_(std::move(plan)),
        model_(parse_script(plan_->bytes, plan_->path)),
        script_(model_) {
    for (const std::size_t index : plan_->places) {
      const Place& place = script_.places()[index];
      nn::ActivationOptions options(activation);
      if (place.inputs == 2) {
        // LibTorch's glu multiplies the first half by the gate in the second.
        options.layout(Layout::gate_last).gate_dim(place.gate_dim);
      } else if (packed_ == 2) {
        options.layout(Layout::gate_first).gate_dim(widened_dim(place));
        widen(model_, place);
      }
      layers.push_back({nn::Activation(options), {}});
    }
    if (plan_->weights == Weights::fresh)
      draw_weights(
          model_, script_, [&](const Place& p) { return gain_at(p); }, random);
    torch::jit::Value* training = training_switch(script_);
    for (std::size_t i = 0; i < layers.size(); ++i) replace(script_, plan_->places[i], layers[i].unit, i, training);
    program_.emplace(model_, script_);
    adopt_parameters();
    witness_ = [this](std::size_t layer, at::Tensor input) { return seen(layer, std::move(input)); };
  }

  at::Tensor forward(at::Tensor x) override {
    std::vector<c10::IValue> further{is_training()};
    for (const Layer& layer : layers) append_parameters(layer.unit, further);
    const std::int64_t examples = x.size(0);
    return fitted_output(program_->run(plan_->rows ? x.flatten(1) : x, further, &witness_), examples, plan_->outline);
  }

  void train(bool on) override {
    Network::train(on);
    model_.train(on);
  }

 private:
  double gain_at(const Place& place) const {
    for (const std::size_t replaced : plan_->places)
      if (&script_.places()[replaced] == &place) return gain_;
    return place.activation.empty() ? 1 : gain(Activation(place.activation));
  }

  at::Tensor seen(std::size_t layer, at::Tensor input) {
    if (!recording) return input;
    // Below frozen weights there is no gradient to keep: it then ends here.
    const bool with_gradient = at::GradMode::is_enabled();
    if (with_gradient && !input.requires_grad()) input = input.detach().requires_grad_();
    // Of a sequence every step is an example.
    const bool sequence = input.dim() > 2 && script_.places()[plan_->places[layer]].units_last;
    const at::Tensor z = sequence ? input.flatten(0, -2) : input;
    if (with_gradient) z.retain_grad();
    layers[layer].z = z;
    return sequence ? z.view(input.sizes()) : z;
  }

  // The model's parameters under its own names, in modules that mirror its own; they are the same tensors.
  void adopt_parameters() {
    std::set<const c10::TensorImpl*> seen;
    const auto adopt = [&](const std::string& name, const at::Tensor& tensor, bool trained) {
      if (!tensor.defined() || !seen.insert(tensor.unsafeGetTensorImpl()).second) return;
      torch::nn::Module* module = this;
      std::string rest = name;
      for (std::size_t dot = rest.find('.'); dot != std::string::npos; dot = rest.find('.')) {
        const std::string child = rest.substr(0, dot);
        const auto children = module->named_children();
        module = children.contains(child)
                     ? children[child].get()
                     : module->register_module(child, std::make_shared<torch::nn::Module>(child)).get();
        rest = rest.substr(dot + 1);
      }
      if (trained)
        module->register_parameter(rest, tensor);
      else
        module->register_buffer(rest, tensor);
    };
    for (const auto& parameter : model_.named_parameters()) {
      const bool trained = parameter.value.requires_grad();
      if (trained && parameter.value.scalar_type() != torch::kFloat)
        throw Error(fmt::format("{}: {} is of type {}, expected float32: save the model after .float()", plan_->path,
                                parameter.name, c10::toString(parameter.value.scalar_type())));
      adopt(parameter.name, parameter.value, trained);
    }
    for (const auto& buffer : model_.named_buffers()) adopt(buffer.name, buffer.value, false);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      std::string name = "activation." + script_.places()[plan_->places[i]].name;
      std::replace(name.begin(), name.end(), '.', '_');
      register_module(name, layers[i].unit);
    }
  }

  const std::shared_ptr<const Plan> plan_;
  torch::jit::Module model_;
  ScriptGraph script_;
  std::optional<ScriptProgram> program_;
  Witness witness_;
};

class ScriptDesign final : public Design {
 public:
  ScriptDesign(const ScriptOptions& options, const data::Dataset& data) : replace_(options.replace) {
    Plan plan{options.path, read_script(options.path), options.weights, false, {}, {}, outline_of(data)};
    fingerprint_ = data::checksum(plan.bytes);
    torch::jit::Module model = parse_script(plan.bytes, plan.path);
    try {
      bool trained = false;
      for (const at::Tensor& parameter : model.parameters()) trained = trained || parameter.requires_grad();
      if (!trained) throw Error("it has no parameters that require gradients: there is nothing to train");
      const ScriptGraph script(model);
      plan.rows = wants_rows(model, data);
      notes_ = script.notes();
      batch_norm_ = has_operator(script.graph()->block(), "aten::batch_norm");
      const std::set<std::size_t> chosen = choose(script);
      plan.examples = data.train.x.narrow(0, 0, std::min<std::int64_t>(2, data.train.size())).clone();
      const at::Tensor x = plan.rows ? plan.examples.flatten(1) : plan.examples;
      for (const Sighting& sighting : sightings(model.copy(), x, false))
        if (chosen.contains(sighting.place)) plan.places.push_back(sighting.place);
      for (const std::size_t place : plan.places)
        why_not_gated_.push_back(why_not_widened(script, script.places()[place]));
      if (plan.places.empty()) throw Error("none of the activations to replace is passed when it runs");
      for (const std::size_t place : plan.places) places_.push_back(script.places()[place]);
      for (Place& place : places_) place.input = place.output = nullptr;  // the graph goes
      if (plan.weights == Weights::fresh) {
        const auto kept = draw_weights(
            model, script, [](const Place&) { return 1; }, at::detail::createCPUGenerator(1));
        if (!kept.empty())
          notes_.push_back(
              fmt::format("parameters of no known layer keep their saved values: {}", fmt::join(kept, ", ")));
      }
    } catch (const std::exception& e) {
      throw Error(fmt::format("{}: does not fit {} (examples of shape {}): {}", plan.path, data.name,
                              shape_text(data.shape), reason_of(e)));
    }
    plan_ = std::make_shared<const Plan>(std::move(plan));
  }

  std::string fingerprint() const override { return fingerprint_; }
  std::vector<std::string> notes(const std::vector<std::string>& activations) const override {
    std::vector<std::string> notes = notes_;
    for (const std::string& activation : activations) {
      const bool gated = Activation(activation).spec().inputs == 2;
      if (!gated || std::none_of(places_.begin(), places_.end(), [](const Place& p) { return p.inputs == 1; }))
        continue;
      notes.push_back(fmt::format("{}: the layers before it are twice as wide, {} parameters in place of {}",
                                  activation, build(activation, 1)->parameter_count(),
                                  build("relu", 1)->parameter_count()));
    }
    return notes;
  }

  bool normalises_batches() const override { return batch_norm_; }

  void check(const std::string& text) const override {
    const Activation activation(text);
    const std::size_t inputs = activation.spec().inputs;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const Place& place = places_[i];
      const auto refuse = [&](const std::string& why) {
        return Error(
            fmt::format("{}: {} cannot replace {} at {}: {}", plan_->path, text, place.activation, place.name, why));
      };
      if (place.inputs == inputs) continue;
      if (inputs == 1) throw refuse("there a gated unit takes two inputs, and this function takes one");
      if (plan_->weights == Weights::kept)
        throw refuse("a gated function doubles the layer before it, whose weights are then new (--weights new)");
      if (!why_not_gated_[i].empty())
        throw refuse("a gated function needs twice the width before it: " + why_not_gated_[i]);
    }
    // All that can go wrong goes wrong now, not in the middle of a comparison.
    try {
      const auto network = build(text, 1);
      network->eval();
      const torch::NoGradGuard no_gradients;
      network->forward(plan_->examples);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& e) {
      throw Error(fmt::format("{}: does not run with {}: {}", plan_->path, text, reason_of(e)));
    }
  }

  std::shared_ptr<Network> build(const std::string& activation, std::uint64_t seed) const override {
    at::Generator random = at::detail::createCPUGenerator(seed);
    const GeneratorGuard guard(random);  // learned parameters may start at random, too
    return std::make_shared<ScriptNetwork>(plan_, activation, random);
  }

 private:
  std::set<std::size_t> choose(const ScriptGraph& script) const {
    std::set<std::size_t> chosen;
    std::vector<std::string> names;
    for (const Place& place : script.places()) names.push_back(place.name);
    if (names.empty()) throw Error("no activation was found in it");
    if (replace_.empty()) {
      for (std::size_t i = 0; i < names.size(); ++i)
        if (script.places()[i].role == PlaceRole::hidden) chosen.insert(i);
      if (chosen.empty())
        throw Error(
            fmt::format("it has no activation between layers; --replace names others: {}", fmt::join(names, ", ")));
    }
    std::string rest = replace_;
    while (!rest.empty()) {
      const std::string pattern = rest.substr(0, rest.find(','));
      rest = pattern.size() < rest.size() ? rest.substr(pattern.size() + 1) : "";
      bool matched = false;
      for (std::size_t i = 0; i < names.size(); ++i) {
        if (fnmatch(pattern.c_str(), names[i].c_str(), 0) != 0) continue;
        matched = true;
        chosen.insert(i);
      }
      if (!matched)
        throw Error(
            fmt::format("--replace {}: no activation has this name; there are {}", pattern, fmt::join(names, ", ")));
    }
    for (const std::size_t i : chosen)
      if (script.places()[i].writes_in_place)
        throw Error(fmt::format("{} ({}) writes into memory that is read otherwise, too, and cannot be replaced",
                                names[i], script.places()[i].operators));
    return chosen;
  }

  const std::string replace_;
  std::string fingerprint_;
  std::vector<std::string> notes_;
  bool batch_norm_ = false;
  std::vector<Place> places_;               // the replaced ones, for messages
  std::vector<std::string> why_not_gated_;  // for each of them
  std::shared_ptr<const Plan> plan_;
};

}  // namespace

std::shared_ptr<const Design> script_design(const ScriptOptions& options, const data::Dataset& data) {
  return std::make_shared<const ScriptDesign>(options, data);
}

}  // namespace ogee::models
