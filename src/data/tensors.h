// A data set from a program's own tensors.
#pragma once

#include <cstdint>
#include <string>

#include "data/dataset.h"

namespace ogee::data {

// x: [n, features] or [n, channels, height, width], any numbers; y: class numbers from 0 (integers, [n]) or values
// (floating point, [n]). Split, limited and standardised as the other kinds. Throws Error; `name` is for messages.
Dataset from_tensors(const std::string& name, const at::Tensor& x, const at::Tensor& y, std::int64_t train_limit);

}  // namespace ogee::data
