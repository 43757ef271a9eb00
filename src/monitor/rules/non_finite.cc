// The first NaN or infinity.
#include <fmt/format.h>

#include "monitor/rules/rules.h"

namespace ogee::monitor::rules {

Findings non_finite(const View& view) {
  const auto& found = view.record->non_finite;
  if (found.empty()) return {};
  const NonFinite* first = &found.front();
  for (const NonFinite& one : found)
    if (one.step < first->step) first = &one;
  Finding finding = about(view, "non_finite", {});
  finding.layer = first->layer;
  if (!first->layer.empty()) finding.layers = {first->layer};
  finding.since = first->step;
  finding.severity = Severity::error;
  finding.sure = first->op.empty() ? 0.9 : 0.99;
  finding.evidence = fmt::format("the first {} came in step {}", first->is_nan ? "NaN" : "infinity", first->step);
  if (!first->op.empty())
    finding.evidence += fmt::format(" out of {}{}", first->op, first->backward ? ", going backward" : "");
  if (!first->layer.empty()) finding.evidence += ", behind layer " + first->layer;
  if (first->position >= 0) finding.evidence += fmt::format(", element {}", first->position);
  if (first->row >= 0) finding.evidence += fmt::format(" (row {})", first->row);
  if (!first->how.empty()) finding.evidence += ": " + first->how;
  if (!first->reached.empty()) finding.evidence += "; it reached " + first->reached;
  finding.why = "Everything computed from a NaN is NaN: from the first update on, the weights are lost.";
  finding.advice =
      first->op.empty()
          ? "Attach the monitor with trace_non_finite to learn which operator made it; look at the rows of data that "
            "were in the batch."
          : "Keep that operator's input inside its domain (clamp, add an epsilon, or use the stable form), look at "
            "the row of data named here, and lower the learning rate if the values that went in had grown.";
  return {finding};
}

}  // namespace ogee::monitor::rules
