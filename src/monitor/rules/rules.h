// The rules: each a pure function of what was seen. docs/monitor.md explains them one by one, under these names.
#pragma once

#include "monitor/rules/view.h"

namespace ogee::monitor::rules {

// gradient.cc
Findings vanishing_gradient(const View& view);
Findings exploding_gradient(const View& view);
// How many powers of ten the gradient gains (or, below 0, loses) from the last layer to the first in the first window.
double first_decay(const View& view);
// saturation.cc
Findings saturated(const View& view);
// dead.cc
Findings dead_units(const View& view);
Findings dying(const View& view);
// centre.cc
Findings not_zero_centred(const View& view);
Findings one_signed_gradients(const View& view);
// distribution.cc
Findings covariate_drift(const View& view);
Findings non_normal(const View& view);
// directions.cc
Findings collapsed_rank(const View& view);
// sparsity.cc
Findings too_sparse(const View& view);
Findings useful_sparsity(const View& view);
// noise.cc
Findings noise_drowns_signal(const View& view);
Findings learned_slopes_overfitting(const View& view);
// initialisation.cc
Findings poor_initialisation(const View& view);
// update.cc
Findings update_too_small(const View& view);
Findings update_too_large(const View& view);
// non_finite.cc
Findings non_finite(const View& view);

// judge.cc: without what follows from another finding, worst first.
Findings merge(const View& view, Findings findings);

}  // namespace ogee::monitor::rules
