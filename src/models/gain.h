// How wide to draw the weights behind an activation.
#pragma once

#include "ogee/ogee.h"

namespace ogee::models {

// 1/sqrt(E[phi(z)^2]) with z ~ N(0,1), or of a gated function with independent inputs: weights of variance
// gain^2/fan_in then keep the second moment from layer to layer. It is the second moment, not the variance: a function
// with a large mean (sigmoid: 0.5) spends most of it on the mean, and its signal fades with depth; that is a property
// of the function which no choice of scale removes, and a comparison should show it.
// Held within [1/4, 4], which every common function is inside: beyond, outputs are so small (hard_shrink with a wide
// gap) or so large (powers) that the number says more about a few tails than about the layer. 1 if there is none.
double gain(const Activation& activation);

}  // namespace ogee::models
