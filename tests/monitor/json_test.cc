// Records and findings go into JSON and come back as they were; what is no record is refused, never a crash.
#include "monitor/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "monitor/measures.h"

namespace ogee::monitor {
namespace {

using Json = nlohmann::ordered_json;

Snapshot snapshot(std::int64_t step) {
  Snapshot s;
  s.step = step;
  double value = 0.1 * static_cast<double>(step);
  for (const Measure& measure : measures) s.*measure.value = value += 1.0 / 3;
  s.parameters = {0.25, value};
  s.parameters_low = {-1, 0};
  s.parameters_high = {1, 2};
  return s;
}

Record record() {
  Record r;
  r.steps = 1000;
  r.observed_steps = 20;
  r.seconds = 3.5;
  r.normalised = true;
  r.optimiser = "Adam";
  r.learning_rate = 1e-3;
  Layer layer;
  layer.name = "encoder.0 \"quoted\" \xc3\xa9";
  layer.op = "aten::relu_";
  layer.weight = "encoder.0.weight";
  layer.function.text = "relu";
  layer.function.left = Saturation::hard;
  layer.function.left_bound = 0;
  layer.units = 64;
  layer.first = snapshot(1);
  layer.history = {snapshot(1), snapshot(5)};
  layer.unit = {{3, 100, 40, 0, 40, 30, 10, 1e-3, 1e-4}};
  r.layers = {layer, Layer{}};
  r.losses = {{1, 2.3}, {5, 1.1}};
  r.non_finite = {{7, "aten::log", "encoder.0", true, true, 12, 1, "log of 0", "the loss"}};
  r.notes = {"nothing"};
  return r;
}

TEST(MonitorJson, RecordsComeBack) {
  const Json written = record();
  const auto read = Json::parse(written.dump()).get<Record>();
  EXPECT_EQ(Json(read).dump(), written.dump());
  EXPECT_EQ(read.layers[0].history[1].z_skew, record().layers[0].history[1].z_skew);
  EXPECT_EQ(read.layers[0].function.left, Saturation::hard);
  EXPECT_EQ(read.non_finite[0].how, "log of 0");
}

TEST(MonitorJson, FindingsComeBack) {
  Finding finding;
  finding.rule = "dead_units";
  finding.layers = {"a", "b"};
  finding.severity = Severity::error;
  finding.sure = 0.75;
  const Json written = finding;
  EXPECT_EQ(written["severity"], "error");
  EXPECT_EQ(Json(written.get<Finding>()).dump(), written.dump());
}

// What a training goes on with in another process: a measure that was infinite must not come back as unknown.
TEST(MonitorJson, BinaryKeepsWhatIsNotFinite) {
  Record r = record();
  r.layers[0].first.z_mean = -std::numeric_limits<double>::infinity();
  r.losses[0].value = std::numeric_limits<double>::quiet_NaN();
  const auto read = Json::from_cbor(Json::to_cbor(Json(r))).get<Record>();
  EXPECT_EQ(read.layers[0].first.z_mean, -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(read.losses[0].value));
}

TEST(MonitorJson, WhatWasNotMeasuredIsNull) {
  Record r = record();
  r.layers[0].first.z_mean = std::numeric_limits<double>::quiet_NaN();
  r.losses[0].value = std::numeric_limits<double>::infinity();
  const Json json = Json::parse(Json(r).dump());
  EXPECT_TRUE(json["layers"][0]["first"]["z_mean"].is_null());
  const auto read = json.get<Record>();
  EXPECT_TRUE(std::isnan(read.layers[0].first.z_mean));
  EXPECT_TRUE(std::isnan(read.losses[0].value));
  EXPECT_TRUE(std::isnan(read.layers[1].first.z_mean));
  EXPECT_EQ(read.layers[0].function.right_bound, std::numeric_limits<double>::infinity());
}

TEST(MonitorJson, EveryMeasureIsListed) {
  Snapshot empty;
  for (const Measure& measure : measures) EXPECT_TRUE(std::isnan(empty.*measure.value)) << measure.name;
  EXPECT_EQ(sizeof(Snapshot),
            sizeof(std::int64_t) + std::size(measures) * sizeof(double) + 3 * sizeof(std::vector<double>))
      << "a field of Snapshot is missing in src/monitor/measures.h";
}

TEST(MonitorJson, WhatIsNoRecordIsRefused) {
  for (const char* text : {"null", "3", "[]", "{}", "\"record\"", R"({"steps": 1})", R"({"steps": 1, "layers": 3})",
                           R"({"steps": 1.5, "layers": []})", R"({"steps": 1, "layers": [{"history": [7]}]})",
                           R"({"steps": 1, "layers": [{"function": {"left": "sideways"}}]})"}) {
    EXPECT_THROW(Json::parse(text).get<Record>(), nlohmann::json::exception) << text;
  }
  EXPECT_NO_THROW(Json::parse(R"({"steps": 1, "layers": [], "from_a_later_version": 1})").get<Record>());
}

// Bytes of a good record overwritten at random: either it still is one, or an exception says that it is not; and the
// rules take whatever it then says.
TEST(MonitorJson, DamagedRecordsAreRefusedOrRead) {
  const std::string good = Json(record()).dump();
  std::mt19937_64 random(7);
  int read = 0, judged = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string text = good;
    for (int hits = 1 + i % 4; hits > 0; --hits) {
      const char bytes[] = "0123456789-+.eE{}[]\",:ntf\\ x";
      text[random() % text.size()] = bytes[random() % (sizeof(bytes) - 1)];
    }
    try {
      const auto damaged = Json::parse(text).get<Record>();
      ++read;
      judged += judge(damaged).empty() ? 0 : 1;
    } catch (const nlohmann::json::exception&) {
    }
  }
  EXPECT_GT(read, 0);
  EXPECT_GE(judged, 0);
}

}  // namespace
}  // namespace ogee::monitor
