// Networks made from a TorchScript file, with activations of ours in place of its own.
#pragma once

#include <memory>
#include <string>

#include "models/network.h"

namespace ogee::models {

enum class Weights {
  fresh,  // drawn anew for each seed, by the new function's gain (script_weights.h)
  kept    // as saved, the same for every seed
};

struct ScriptOptions {
  std::string path;
  // Which places, by their names as `ogee show FILE` lists them: patterns with * and ?, separated by commas. "": every
  // activation between layers; gates, and what has no weight after it, stay as they are.
  std::string replace;
  Weights weights = Weights::fresh;
};

// Reads the file and tries the model on a few of the data's examples. Throws Error, in a line, where it cannot be read,
// has no place to replace, or does not fit the data. `data` is not needed later.
//
// An ungated activation goes where an ungated one was, a gated one where there was a gated unit (glu), which packs both
// inputs. Where there was an ungated one, a gated activation doubles the outputs of the linear layer or convolution
// right before it, whose new weights are always fresh: the network then has more parameters, and the notes say so. It
// is refused where anything lies between the two, or something else uses what the layer makes, and with Weights::kept.
std::shared_ptr<const Design> script_design(const ScriptOptions& options, const data::Dataset& data);

}  // namespace ogee::models
