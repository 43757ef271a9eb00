#include "lab/together.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "ogee/libtorch.h"
#include "lab/blas.h"
#include "lab/experiment.h"
#include "lab/laboratory.h"
#include "lab/run_json.h"
#include "ogee/ogee.h"

namespace ogee::lab {
namespace {

using Json = nlohmann::ordered_json;

// What rank 0 says between runs: a run and the state it goes on from, or nothing, and that is the end.
std::string written(const Json& json) {
  const std::vector<std::uint8_t> bytes = Json::to_cbor(json);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

Together::Together(const Rank& rank, const std::string& identity, const std::atomic<bool>* stop)
    : team_(rank, identity, stop) {}

Together::~Together() {
  if (lost_) return;
  try {
    team_.from_leader(written(Json()));
  } catch (const std::exception&) {  // nobody is there to be told
  }
}

RunResult Together::train(const Experiment& experiment, const data::Dataset& data, const RunKey& key, RunHooks hooks) {
  hooks.team = &team_;
  try {
    Json task{{"key", key}, {"state", Json::binary({hooks.state.begin(), hooks.state.end()})}};
    team_.from_leader(written(task));
    return lab::train(experiment, data, key, hooks);
  } catch (const StoreFailure&) {
    // The others are in the midst of a step: only the end of the connections reaches them there.
    lost_ = true;
    throw;
  }
}

void take_part(const Rank& rank, const Experiment& experiment, const std::string& identity, const data::Dataset& data,
               const Options& options) {
  at::set_num_threads(1);
  const OneBlasThread one;
  Team team(rank, identity, options.stop);
  while (true) {
    const Json task = Json::from_cbor(team.from_leader(""));
    if (task.is_null()) return;
    const auto key = task.at("key").get<RunKey>();
    const auto& state = task.at("state").get_binary();
    RunHooks hooks;
    hooks.team = &team;
    hooks.stop = options.stop;
    hooks.state = {state.begin(), state.end()};
    train(experiment, data, key, hooks);
  }
}

void check_batches(const Experiment& experiment, int world) {
  for (const ArmSettings& arm : experiment.arms)
    if (const std::int64_t batch = experiment.batch_of(arm); batch < world)
      throw Error(fmt::format("--data-parallel: arm {}: a batch of {} for {} ranks; expected an example for each",
                              arm.label(), batch, world));
}

}  // namespace ogee::lab
