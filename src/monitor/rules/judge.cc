// All rules together: causes before what follows from them, and without ten findings for one fault.
#include <algorithm>
#include <map>
#include <set>

#include "monitor/rules/rules.h"

namespace ogee::monitor {
namespace rules {
namespace {

// The nearer to the cause, the earlier, among findings of one severity.
const std::map<std::string, int> nearness = {{"non_finite", 0},
                                             {"poor_initialisation", 1},
                                             {"update_too_large", 2},
                                             {"dead_units", 3},
                                             {"dying", 4},
                                             {"saturated", 5},
                                             {"collapsed_rank", 6},
                                             {"exploding_gradient", 7},
                                             {"vanishing_gradient", 8},
                                             {"noise_drowns_signal", 9},
                                             {"covariate_drift", 10},
                                             {"learned_slopes_overfitting", 11},
                                             {"not_zero_centred", 12},
                                             {"update_too_small", 13},
                                             {"one_signed_gradients", 14},
                                             {"too_sparse", 15},
                                             {"non_normal", 16},
                                             {"useful_sparsity", 17}};

// What follows from a fault says nothing new beside it.
const std::map<std::string, std::set<std::string>> follows = {
    {"poor_initialisation",
     {"not_zero_centred", "one_signed_gradients", "non_normal", "covariate_drift", "update_too_small"}},
    {"update_too_large",
     {"not_zero_centred", "one_signed_gradients", "non_normal", "covariate_drift", "collapsed_rank"}},
    {"dead_units", {"too_sparse", "non_normal", "one_signed_gradients", "collapsed_rank", "update_too_small"}},
    {"dying", {"too_sparse", "non_normal", "one_signed_gradients", "collapsed_rank", "update_too_small"}},
    {"saturated", {"not_zero_centred", "one_signed_gradients", "non_normal", "update_too_small"}},
    {"collapsed_rank", {"non_normal", "one_signed_gradients"}},
    {"exploding_gradient", {"non_normal", "one_signed_gradients"}},
    {"vanishing_gradient", {"update_too_small", "one_signed_gradients", "non_normal"}},
    {"covariate_drift", {"non_normal", "not_zero_centred", "one_signed_gradients"}},
    {"not_zero_centred", {"one_signed_gradients", "non_normal"}},
    {"non_finite", {"non_normal", "one_signed_gradients", "not_zero_centred", "covariate_drift", "collapsed_rank"}}};

// The place in the network where a finding begins; the network's own come first.
std::size_t begins(const View& view, const Finding& finding) {
  std::size_t first = view.layers.size();
  for (std::size_t i = 0; i < view.layers.size(); ++i) {
    const std::string& name = view.layers[i].layer->name;
    if (std::find(finding.layers.begin(), finding.layers.end(), name) != finding.layers.end())
      first = std::min(first, i);
  }
  return first == view.layers.size() ? 0 : first;
}

bool from_the_start(const View& view, const Finding& finding) {
  return !view.layers.empty() && finding.since <= view.layers.front().layer->first.step;
}

bool causes(const View& view, const Finding& cause, const Finding& finding) {
  const auto list = follows.find(cause.rule);
  if (list == follows.end() || !list->second.contains(finding.rule)) return false;
  // Offsets that were there in the first window are a cause, not what a step too large has led to.
  if (finding.rule == "not_zero_centred" && from_the_start(view, finding) && cause.rule != "poor_initialisation")
    return false;
  // What begins nearer to the input does not follow from what lies behind it.
  return begins(view, cause) <= begins(view, finding) || cause.rule == "update_too_large" || cause.rule == "non_finite";
}

}  // namespace

Findings merge(const View& view, Findings findings) {
  std::map<std::string, std::vector<std::string>> dropped;
  Findings kept;
  for (const Finding& finding : findings) {
    const auto cause = std::find_if(findings.begin(), findings.end(),
                                    [&](const Finding& other) { return causes(view, other, finding); });
    if (cause == findings.end())
      kept.push_back(finding);
    else
      dropped[cause->rule].push_back(finding.rule);
  }
  for (Finding& finding : kept) {
    const auto more = dropped.find(finding.rule);
    if (more == dropped.end()) continue;
    finding.evidence += "; from it follows ";
    for (std::size_t i = 0; i < more->second.size(); ++i) finding.evidence += (i > 0 ? ", " : "") + more->second[i];
  }
  const auto place = [&](const Finding& finding) {
    // Offsets from the start come before what they lead to.
    const bool early = finding.rule == "not_zero_centred" && from_the_start(view, finding);
    return early ? nearness.at("update_too_large") : nearness.at(finding.rule);
  };
  std::stable_sort(kept.begin(), kept.end(), [&](const Finding& a, const Finding& b) {
    return a.severity != b.severity ? a.severity > b.severity : place(a) < place(b);
  });
  return kept;
}

}  // namespace rules

std::vector<Finding> judge(const Record& record) {
  const rules::View view = rules::look(record);
  rules::Findings all;
  for (const auto rule : {rules::non_finite, rules::poor_initialisation, rules::update_too_large, rules::dead_units,
                          rules::dying, rules::saturated, rules::collapsed_rank, rules::exploding_gradient,
                          rules::vanishing_gradient, rules::noise_drowns_signal, rules::covariate_drift,
                          rules::learned_slopes_overfitting, rules::not_zero_centred, rules::update_too_small,
                          rules::one_signed_gradients, rules::too_sparse, rules::non_normal, rules::useful_sparsity}) {
    for (Finding& finding : rule(view)) all.push_back(std::move(finding));
  }
  return rules::merge(view, std::move(all));
}

}  // namespace ogee::monitor
