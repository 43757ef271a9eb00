// What the monitor has seen of a training network: plain numbers of fixed size, however long the training. The observer
// fills it, the rules judge it, everything that shows it reads it. Nothing here needs LibTorch.
//
// A number that could not be measured is NaN. `step` counts backward passes from 1; 0 is what came before the first.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace ogee::monitor {

inline constexpr double not_measured = std::numeric_limits<double>::quiet_NaN();

// How a function saturates on one side: not at all, its slope tending to 0, or its slope exactly 0.
enum class Saturation { none, soft, hard };

// What is known of a layer's function from its definition alone.
struct FunctionFacts {
  std::string text;  // as ogee::Activation reads it; "" if it is none that Ogee knows
  Saturation left = Saturation::none, right = Saturation::none;
  double left_bound = -std::numeric_limits<double>::infinity();  // below it the slope is under 5 % of the largest
  double right_bound = std::numeric_limits<double>::infinity();  // above it likewise
  double largest_slope = 1;
  double gain = 1;  // what keeps the second moment of N(0,1): weights of deviation gain/sqrt(fan_in)
  double mean = 0;  // of the function's output under N(0,1)
  double least_output = -std::numeric_limits<double>::infinity();
  bool zero_centred = true;  // |mean| of the output under N(0,1) below a tenth of its deviation
  bool noisy = false, learned = false, gated = false;
};

// One layer in one window of observation (one or two steps). Shares are of elements, or of units where it says so.
struct Snapshot {
  std::int64_t step = 0;
  // The input of the function: moments, quantiles.
  double z_mean = not_measured, z_deviation = not_measured, z_skew = not_measured;
  double z_kurtosis = not_measured;  // in excess of the normal distribution's
  double z_05 = not_measured, z_25 = not_measured, z_50 = not_measured, z_75 = not_measured, z_95 = not_measured;
  // Its output.
  double y_mean = not_measured, y_deviation = not_measured;
  double y_zero = not_measured;  // share of exact zeros
  // Shares of elements whose slope is below 5 % of the function's largest, on either side; and of units (channels)
  // that were so for at least 95 % of the examples.
  double left = not_measured, right = not_measured;
  double left_units = not_measured, right_units = not_measured, stuck_units = not_measured;  // stuck: on either side
  double silent_units = not_measured;  // share of units whose slope was exactly 0 for every example of the window
  // Gradients, as root mean squares over elements: of the loss by the output and by the input.
  double y_gradient = not_measured, z_gradient = not_measured;
  // The weights in front of the layer.
  double weight = not_measured, weight_gradient = not_measured;  // root mean squares
  double update_ratio = not_measured;                            // RMS of one step's change over RMS of the weights
  double reversal = not_measured;  // minus the cosine between two successive changes: 1 is straight back
  double one_sign = not_measured;  // mean over units of |sum g|/sum |g|, g: gradients of the unit's incoming weights
  double one_sign_chance = not_measured;  // what independent signs would give
  // The outputs' directions, from a sketch of at most 32 units: participation ratio (sum lambda)^2/sum lambda^2 of the
  // covariance over the number of units in the sketch; mean of |correlation|.
  double rank = not_measured, correlation = not_measured;
  // Against the window before: |difference of means| over the deviation, and |log2 of the ratio of deviations|.
  double drift = not_measured, spread_drift = not_measured;
  // Unit by unit, from the same sketch: root mean squares over units, of a unit's mean output, and of how far that
  // moved since the window before, over that of the units' deviations; what chance makes of few samples is taken off.
  double unit_offset = not_measured, unit_drift = not_measured;
  // Noisy functions: RMS of (output - output without noise) over the deviation of the output without noise.
  double noise = not_measured;
  // Learned parameters of the function, the mean over channels and the extremes.
  std::vector<double> parameters, parameters_low, parameters_high;
};

// A unit over everything observed. At most 4,096 of a layer are kept, evenly spaced.
struct Unit {
  std::int64_t index = 0;                                // in its layer
  double seen = 0, left = 0, right = 0, zero_slope = 0;  // elements: all, saturated on a side, of slope exactly 0
  double recent_seen = 0, recent_zero_slope = 0;         // the same, older windows fading (a sixteenth each window)
  double gradient = 0;         // largest |dL/dz| seen, or |dL/dy * slope| where that is all there is
  double recent_gradient = 0;  // likewise, over the last sixteen windows or so
};

struct Layer {
  std::string name;    // "encoder.0.linear1", or "linear 3" without a module to ask
  std::string op;      // the operator that computed it: "aten::relu_"
  std::string weight;  // the parameter in front of it, by name; "" if none
  FunctionFacts function;
  std::int64_t order = 0;          // of first use in a forward pass, from 0
  std::int64_t units = 0;          // channels
  std::int64_t fan_in = 0;         // of the weights in front; 0 if unknown
  std::int64_t calls = 0;          // observed
  double elements = 0;             // observed
  std::int64_t windows = 0;        // observed
  std::int64_t steps_as_seen = 0;  // step of the latest observation
  Snapshot first;                  // the first window, which shows the initialisation
  std::vector<Snapshot> history;   // oldest first, at most 256: thinned evenly as training goes on
  std::vector<Unit> unit;          // empty where units are unknown
};

// The first operator that made a number not finite out of finite ones.
struct NonFinite {
  std::int64_t step = 0;  // of the forward pass, from 1
  std::string op;         // "aten::log"; "" if none was seen, which `how` then explains
  std::string layer;      // the parameterised layer before it, if any
  bool backward = false;
  bool is_nan = false;         // or an infinity
  std::int64_t position = -1;  // of the first such element, flattened; for a tensor with a batch dimension, `row` too
  std::int64_t row = -1;
  std::string how;      // in words, with the shape and the values that went in
  std::string reached;  // where it arrived: "the loss", "gradient of hidden3.weight", "input"
};

struct Loss {
  std::int64_t step = 0;
  double value = 0;
};

struct Record {
  std::int64_t steps = 0;  // backward passes, observed or not
  std::int64_t observed_steps = 0;
  double seconds = 0;                   // since attaching
  double own_seconds = 0;               // spent observing
  bool normalised = false;              // a batch, layer, group or instance normalisation was seen
  bool residual = false;                // two branches that share an origin were added
  std::string optimiser;                // if known
  double learning_rate = not_measured;  // if known
  std::vector<Layer> layers;            // in order
  std::vector<Loss> losses;             // of observed steps, at most 512, thinned
  std::vector<NonFinite> non_finite;    // the first, and the first of each kind; at most 8
  std::vector<std::string> notes;       // what could not be seen, and why
};

enum class Severity { note, warning, error };

struct Finding {
  std::string rule;                 // "vanishing_gradient"
  std::string layer;                // "" for the network as a whole
  std::vector<std::string> layers;  // where there are several
  std::int64_t since = 0;           // step
  Severity severity = Severity::warning;
  double sure = 0;        // 0 to 1
  std::string evidence;   // with numbers
  std::string why;        // why it hurts
  std::string advice;     // what to do
  std::string command;    // that tests the cure; "" if there is none
  std::string explained;  // where: "docs/monitor.md#vanishing_gradient"
};

// Everything that the rules find, worst first. A healthy network gives none (notes of severity `note`, such as useful
// sparsity, aside).
std::vector<Finding> judge(const Record& record);

}  // namespace ogee::monitor
