// A study run from the text of its settings, and its observations by arm, condition and seed.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "claims/study.h"
#include "lab/toml_table.h"

namespace ogee::claims {

inline std::unique_ptr<Study> study_of(const std::string& name, const std::string& settings) {
  const toml::table parsed = lab::parse_toml(settings, "test.toml");
  lab::Table table(parsed, "test.toml", "", "a test");
  auto study = make_study(name, table);
  table.finish();
  return study;
}

inline std::vector<Observation> observe(Study& study) {
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / (std::string("ogee_") + test.test_suite_name() + "_" + test.name());
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  Work work;
  work.folder = folder.string();
  std::vector<Observation> observations = study.run(work);
  std::filesystem::remove_all(folder);
  return observations;
}

// NaN if it was not measured; the mean over seeds where `seed` is 0.
inline double value_of(const std::vector<Observation>& observations, const std::string& arm, double at,
                       const std::string& measure, std::uint64_t seed = 0) {
  double sum = 0, count = 0;
  for (const Observation& each : observations) {
    if (each.arm != arm || each.at != at || each.measure != measure || (seed > 0 && each.seed != seed)) continue;
    sum += each.value;
    ++count;
  }
  return sum / count;
}

}  // namespace ogee::claims
