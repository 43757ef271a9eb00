// A record as the rules read it: layers in order, each with what is typical of its windows; and the words that findings
// are made of. Numbers that were not measured stay NaN, and every comparison with NaN is false: a rule never fires on
// what was not seen.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "monitor/statistics.h"
#include "ogee/monitor_record.h"

namespace ogee::monitor::rules {

struct Reading {
  const Layer* layer = nullptr;
  Snapshot early;   // medians over the second to the sixth window: behind the first steps' jumps
  Snapshot recent;  // medians over the last third of the windows, but no more than 24 of them
};

struct View {
  const Record* record = nullptr;
  std::vector<Reading> layers;  // with at least one window
  std::int64_t windows = 0;     // of the layer that has the most
  // How much of the loss has gone: 1 - (median of the last fifth)/(median of the first few). NaN if no loss was seen.
  double progress = not_measured;
  // The loss has fallen by enough that slow or ill-conditioned training is no longer what one sees.
  bool learning = false;
  // A third of the training went by before it fell at all.
  bool delayed = false;
};

View look(const Record& record);

using Findings = std::vector<Finding>;
using Hits = std::vector<const Reading*>;

// ---- Numbers -------------------------------------------------------------------------------------------------------

// The slope of a line through (i, values[i]) that a quarter of wild values do not move (Theil and Sen: the median over
// pairs); NaN values are left out.
double robust_slope(const std::vector<double>& values);
// A measure of a layer, window by window.
std::vector<double> course(const Layer& layer, double Snapshot::*measure);
// A measure of all layers, layer by layer.
std::vector<double> profile(const View& view, double Snapshot::*measure, Snapshot Reading::*when);
// The step since which `holds` has held in all windows but one in five.
std::int64_t since(const Layer& layer, const std::function<bool(const Snapshot&)>& holds);
std::int64_t first_since(const Hits& hits, const std::function<bool(const Snapshot&)>& holds);
// Of N(0,1) below x.
double normal_share(double x);

// How sure a rule is: grows with the windows seen, and with how far beyond its threshold the measure lies
// (`excess` = measure/threshold, or its inverse where small is bad).
double sure(std::int64_t windows, double excess);

// ---- Words ---------------------------------------------------------------------------------------------------------

// A finding about these layers: one, several, or nearly all, which then is about the network.
Finding about(const View& view, const std::string& rule, const Hits& hits);
std::string percent(double share);
std::string number(double value);
// "layer a", "3 layers (a, b, c)", "17 of 20 layers (a ... q)".
std::string where(const View& view, const Hits& hits);
// An `ogee compare` of the functions in use with `others`, in a network of this one's shape.
std::string compare(const View& view, const std::vector<std::string>& others);
std::string function_of(const Layer& layer);  // its text, or its operator where Ogee does not know it

}  // namespace ogee::monitor::rules
