// The measures of a window, by name: for whoever treats them all alike (JSON, medians, tables).
#pragma once

#include "ogee/monitor_record.h"

namespace ogee::monitor {

struct Measure {
  const char* name;
  double Snapshot::*value;
};

inline constexpr Measure measures[] = {
    {"z_mean", &Snapshot::z_mean},
    {"z_deviation", &Snapshot::z_deviation},
    {"z_skew", &Snapshot::z_skew},
    {"z_kurtosis", &Snapshot::z_kurtosis},
    {"z_05", &Snapshot::z_05},
    {"z_25", &Snapshot::z_25},
    {"z_50", &Snapshot::z_50},
    {"z_75", &Snapshot::z_75},
    {"z_95", &Snapshot::z_95},
    {"y_mean", &Snapshot::y_mean},
    {"y_deviation", &Snapshot::y_deviation},
    {"y_zero", &Snapshot::y_zero},
    {"left", &Snapshot::left},
    {"right", &Snapshot::right},
    {"left_units", &Snapshot::left_units},
    {"right_units", &Snapshot::right_units},
    {"stuck_units", &Snapshot::stuck_units},
    {"silent_units", &Snapshot::silent_units},
    {"y_gradient", &Snapshot::y_gradient},
    {"z_gradient", &Snapshot::z_gradient},
    {"weight", &Snapshot::weight},
    {"weight_gradient", &Snapshot::weight_gradient},
    {"update_ratio", &Snapshot::update_ratio},
    {"reversal", &Snapshot::reversal},
    {"one_sign", &Snapshot::one_sign},
    {"one_sign_chance", &Snapshot::one_sign_chance},
    {"rank", &Snapshot::rank},
    {"correlation", &Snapshot::correlation},
    {"drift", &Snapshot::drift},
    {"spread_drift", &Snapshot::spread_drift},
    {"unit_offset", &Snapshot::unit_offset},
    {"unit_drift", &Snapshot::unit_drift},
    {"noise", &Snapshot::noise},
};

}  // namespace ogee::monitor
