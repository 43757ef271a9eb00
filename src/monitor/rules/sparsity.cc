// Exact zeros: too many to learn with, or enough of them to save time.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "monitor/rules/rules.h"

namespace ogee::monitor::rules {
namespace {

// Rectifiers give 50 % zeros at the start; trained ones 80 to 95 % in wide layers, without harm.
constexpr double hardly_anything_left = 0.95;
constexpr double nothing_left = 0.995;
// From here on skipping zeros pays for itself in the blocks that can (`bench_sparse`).
constexpr double pays = 0.8;
constexpr std::int64_t wide = 256;

bool zeros_can_be_skipped(const FunctionFacts& f) {
  return f.text == "relu" || f.text == "squared_relu" || f.text == "reglu" || f.text == "drelu_glu";
}

}  // namespace

Findings too_sparse(const View& view) {
  Hits hits;
  double worst = 0;
  for (const Reading& reading : view.layers) {
    if (!(reading.recent.y_zero >= hardly_anything_left)) continue;
    hits.push_back(&reading);
    worst = std::max(worst, reading.recent.y_zero);
  }
  if (hits.empty()) return {};
  Finding finding = about(view, "too_sparse", hits);
  finding.severity = worst >= nothing_left ? Severity::error : Severity::warning;
  finding.sure = sure(view.windows, (1 - hardly_anything_left) / std::max(1 - worst, 1e-4));
  finding.since = first_since(hits, [](const Snapshot& s) { return s.y_zero >= hardly_anything_left; });
  finding.evidence = fmt::format("{}: up to {:.1f} % of the outputs are exactly 0", where(view, hits), 100 * worst);
  finding.why =
      "Each example reaches a few units only, and each unit learns from a few examples only: the layer is a narrow "
      "one, and most of its weights get no gradient in a step.";
  finding.advice = "Raise the biases, normalise before the function, or take one that is not 0 on the left.";
  finding.command = compare(view, {"leaky_relu", "elu", "gelu"});
  return {finding};
}

Findings useful_sparsity(const View& view) {
  if (!view.learning) return {};
  Hits hits;
  double least = 1;
  for (const Reading& reading : view.layers) {
    const double zeros = reading.recent.y_zero;
    if (!(zeros >= pays) || zeros >= nothing_left || reading.layer->units < wide) continue;
    if (!zeros_can_be_skipped(reading.layer->function)) continue;
    hits.push_back(&reading);
    least = std::min(least, zeros);
  }
  if (hits.empty()) return {};
  Finding finding = about(view, "useful_sparsity", hits);
  finding.severity = Severity::note;
  finding.sure = sure(view.windows, least / pays);
  finding.since = first_since(hits, [](const Snapshot& s) { return s.y_zero >= pays; });
  // One product of two is full, of the other only the active rows are read.
  finding.evidence = fmt::format(
      "{}: at least {} of the outputs are exactly 0, and the loss falls. The product behind such a layer needs {} of "
      "its weights: for one token at a time up to {:.1f} times as fast, a block of two products up to {:.1f} times",
      where(view, hits), percent(least), percent(1 - least), 1 / (1 - least), 2 / (2 - least));
  finding.why = "It does not hurt: it can be used. Weights of units that are 0 need not be read.";
  finding.advice =
      "For inference of a few tokens at a time, put ogee::nn::SparseFeedForward (ogee/torch_sparse.h) in the place of "
      "the two linear layers: it takes the dense way by itself where that is faster.";
  return {finding};
}

}  // namespace ogee::monitor::rules
