// The studies, one file each. Each makes itself from the settings of a preset; it takes its keys from the table.
#pragma once

#include <memory>

#include "claims/study.h"

namespace ogee::claims {

std::unique_ptr<Study> make_depth(lab::Table& table);
std::unique_ptr<Study> make_comparison(lab::Table& table);
std::unique_ptr<Study> make_noise(lab::Table& table);
std::unique_ptr<Study> make_overlap(lab::Table& table);
std::unique_ptr<Study> make_saturation(lab::Table& table);
std::unique_ptr<Study> make_slopes(lab::Table& table);
std::unique_ptr<Study> make_training(lab::Table& table);

}  // namespace ogee::claims
