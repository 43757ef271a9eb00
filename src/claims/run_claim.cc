#include "claims/run_claim.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <tuple>

#include "claims/verdict.h"
#include "data/bytes.h"
#include "lab/clock.h"
#include "lab/course.h"
#include "lab/laboratory.h"
#include "lab/toml_table.h"
#include "ogee/ogee.h"

namespace ogee::claims {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

// What an earlier call wrote of the same settings; null if there is none that can be read.
Json earlier(const fs::path& path, const Json& settings) {
  std::error_code error;
  if (!fs::exists(path, error)) return nullptr;
  Json json = Json::parse(lab::read_text(path.string()), nullptr, false);
  return json.is_object() && json.value("settings", Json()) == settings ? json : Json(nullptr);
}

Json judged(const Claim& claim, const std::vector<Observation>& observations, Verdict& verdict) {
  std::vector<Judgement> judgements;
  Json expectations = Json::array();
  for (const Expectation& expectation : claim.expectations) {
    const Judgement judgement = judge(expectation, observations, claim.expectations.size());
    expectations.push_back({{"text", expectation.text},
                            {"verdict", words_of(judgement.verdict)},
                            {"figure", judgement.figure},
                            {"measure", expectation.measure},
                            {"value", lab::number(judgement.value)},
                            {"other", expectation.than.empty() ? Json(nullptr) : lab::number(judgement.other)},
                            {"contrast", lab::number(judgement.contrast)},
                            {"low", lab::number(judgement.interval.low)},
                            {"high", lab::number(judgement.interval.high)},
                            {"seeds", judgement.seeds}});
    judgements.push_back(judgement);
  }
  verdict = judge(judgements);
  return expectations;
}

}  // namespace

Json run_claim(const Claim& claim, const RunOptions& options) {
  const fs::path folder = fs::path(options.out) / claim.name, path = folder / (claim.preset + ".json");
  const Json settings = claim.work->settings();
  Json result{{"what", "ogee claims run"},
              {"name", claim.name},
              {"claim", claim.claim},
              {"document", claim.document},
              {"source", claim.source},
              {"published", Json::array()},
              {"preset", claim.preset},
              {"scale", claim.scale},
              {"settings", settings},
              {"complete", false},
              {"missing", claim.work->missing()},
              {"seconds", 0.0}};
  for (const Published& each : claim.published)
    result["published"].push_back({{"figure", each.figure}, {"value", each.value}, {"source", each.source}});
  if (!result["missing"].get<std::string>().empty()) return result;
  const fs::path kept = folder / (claim.preset + "-" + data::checksum(settings.dump()));
  std::error_code error;
  fs::create_directories(kept, error);
  if (!fs::is_directory(kept)) throw Error(fmt::format("{}: cannot make this folder", kept.string()));
  const Json before = earlier(path, settings);
  const auto start = std::chrono::steady_clock::now();
  const std::vector<Observation> observations =
      claim.work->run({kept.string(), options.workers, options.stop, options.progress});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const bool complete = !(options.stop && options.stop->load());
  result["complete"] = complete;
  // One that was complete before has only been read again.
  const bool read = before.is_object() && before.value("complete", false);
  result["seconds"] = (before.is_object() ? before.value("seconds", 0.0) : 0.0) + (read ? 0 : seconds);
  Verdict verdict = Verdict::cannot_tell;
  Json expectations = judged(claim, observations, verdict);
  result["verdict"] = complete ? words_of(verdict) : "not finished";
  result["expectations"] = std::move(expectations);
  result["charts"] = Json::array();
  for (const Chart& chart : claim.charts)
    result["charts"].push_back({{"title", chart.title},
                                {"measure", chart.measure},
                                {"x", chart.x},
                                {"log_x", chart.log_x},
                                {"log_y", chart.log_y}});
  result["notes"] = claim.work->notes();
  result["measures"] = claim.work->measures();
  result["observations"] = Json::array();
  for (const Observation& each : observations)
    result["observations"].push_back({{"arm", each.arm},
                                      {"at", lab::number(each.at)},
                                      {"seed", each.seed},
                                      {"measure", each.measure},
                                      {"value", lab::number(each.value)}});
  lab::write_atomically(path.string(), result.dump(1) + "\n");
  return result;
}

std::vector<Json> stored_results(const std::string& out) {
  std::vector<std::string> order;
  for (const ClaimFile& file : claim_files()) order.push_back(file.name);
  std::vector<std::tuple<std::size_t, std::string, Json>> found;
  std::error_code error;
  for (const auto& folder : fs::directory_iterator(out, error))
    for (const char* preset : {"small", "paper"}) {
      const fs::path path = folder.path() / (std::string(preset) + ".json");
      if (!fs::exists(path)) continue;
      Json json = Json::parse(lab::read_text(path.string()), nullptr, false);
      if (!json.is_object() || json.value("what", "") != "ogee claims run")
        throw Error(fmt::format("{}: not a result of ogee claims run", path.string()));
      const auto at = std::find(order.begin(), order.end(), folder.path().filename().string());
      found.emplace_back(at - order.begin(), path.string(), std::move(json));
    }
  if (error || found.empty())
    throw Error(fmt::format("{}: holds no results; ogee claims run all --out {} makes them", out, out));
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::tie(std::get<0>(a), std::get<1>(a)) < std::tie(std::get<0>(b), std::get<1>(b));
  });
  std::vector<Json> results;
  for (auto& [at, path, json] : found) results.push_back(std::move(json));
  return results;
}

}  // namespace ogee::claims
