// The page on what the monitor saw: whole, alone, and safe from what a program calls its layers.
#include "lab/monitor_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

namespace ogee::lab {
namespace {

using testing::HasSubstr;
using testing::Not;

monitor::Record small_record() {
  monitor::Record record;
  record.steps = 4;
  monitor::Layer layer;
  layer.name = "</script><script>alert(1)</script>\xff";
  layer.function.text = "relu";
  for (std::int64_t step = 1; step <= 300; ++step) {
    monitor::Snapshot s;
    s.step = step;
    s.z_mean = 0.123456789;
    s.z_gradient = step == 7 ? std::numeric_limits<double>::infinity() : 1e-3;
    layer.history.push_back(s);
  }
  layer.windows = 300;
  layer.unit.push_back({.index = 0, .seen = 10, .zero_slope = 10});
  layer.unit.push_back({.index = 1, .seen = 10, .zero_slope = 9});
  record.layers.push_back(layer);
  record.losses = {{1, 2.5}, {4, std::numeric_limits<double>::quiet_NaN()}};
  return record;
}

nlohmann::json data_of(const std::string& page) {
  const std::string mark = R"(<script type="application/json" id="data">)";
  const std::size_t begin = page.find(mark) + mark.size();
  return nlohmann::json::parse(page.substr(begin, page.find("</script>", begin) - begin));
}

TEST(MonitorReport, HoldsTheNumbers) {
  monitor::Finding finding;
  finding.rule = "dead_units";
  finding.evidence = "1 of 2 units <never> fired";
  const auto data = data_of(monitor_report(small_record(), {finding}, {"train", "ogee watch -- train", {"a remark"}}));
  EXPECT_EQ(data["title"], "train");
  EXPECT_EQ(data["findings"][0]["evidence"], "1 of 2 units <never> fired");
  const auto& layer = data["layers"][0];
  EXPECT_EQ(layer["steps"].size(), 300u);
  EXPECT_EQ(layer["measures"]["z_mean"][0], 0.1235);
  EXPECT_TRUE(layer["measures"]["z_gradient"][6].is_null());
  EXPECT_FALSE(layer["measures"].contains("noise")) << "which nobody measured";
  EXPECT_EQ(layer["never_active"], 0.5);
  EXPECT_TRUE(data["losses"][1][1].is_null());
}

TEST(MonitorReport, StandsAlone) {
  const std::string page = monitor_report(small_record(), {}, {"train", "", {}});
  for (const char* outside : {"https://", " src=", "@import", "url(", "fetch("})
    EXPECT_THAT(page, Not(HasSubstr(outside)));
  EXPECT_THAT(page, Not(HasSubstr("alert(1)</script>")));
  EXPECT_THAT(page, Not(HasSubstr("{{")));
}

TEST(MonitorReport, StaysSmall) {
  monitor::Record record;
  const monitor::Layer layer = small_record().layers[0];
  for (int i = 0; i < 200; ++i) record.layers.push_back(layer);
  const std::string page = monitor_report(record, {}, {"large", "", {}});
  EXPECT_LT(page.size(), 5'000'000u);
  EXPECT_EQ(data_of(page)["layers"][199]["steps"].back(), 300);
}

}  // namespace
}  // namespace ogee::lab
