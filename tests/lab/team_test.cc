// Ranks that train one run together, as threads of one process: their ring, and what comes of a run.
#include "ogee/libtorch.h"
#include "lab/team.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <mutex>
#include <thread>

#include "data/dataset.h"
#include "drawn.h"
#include "lab/slice.h"
#include "lab/together.h"
#include "ogee/ogee.h"

namespace ogee::lab::team_test {
namespace {

using testing::HasSubstr;

std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof own;
  EXPECT_EQ(bind(socket, reinterpret_cast<sockaddr*>(&own), size), 0);
  EXPECT_EQ(getsockname(socket, reinterpret_cast<sockaddr*>(&own), &size), 0);
  close(socket);
  return ntohs(own.sin_port);
}

// What each rank's work throws; "" where it throws nothing.
std::vector<std::string> on_ranks(int world, const std::function<void(const Rank&)>& work) {
  const std::uint16_t port = free_port();
  std::vector<std::string> thrown(static_cast<std::size_t>(world));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < world; ++rank)
    threads.emplace_back([&, rank] {
      at::set_num_threads(1);
      try {
        work({rank, world, "127.0.0.1", port});
      } catch (const std::exception& error) {
        thrown[static_cast<std::size_t>(rank)] = error.what();
      }
    });
  for (std::thread& thread : threads) thread.join();
  return thrown;
}
std::vector<std::string> in_team(int world, const std::function<void(Team&)>& work) {
  return on_ranks(world, [&](const Rank& rank) {
    Team team(rank, "same");
    work(team);
  });
}
std::vector<std::string> nothing(std::size_t count) { return std::vector<std::string>(count); }

TEST(Slice, PartsAreNeighboursOfAboutTheSameSize) {
  for (const std::int64_t whole : {1, 2, 7, 20, 64, 1437})
    for (int world = 1; world <= 9; ++world) {
      std::int64_t next = 0, least = whole, most = 0;
      for (int rank = 0; rank < world; ++rank) {
        const Slice slice = slice_of(whole, rank, world);
        EXPECT_EQ(slice.from, next);
        next = slice.from + slice.count;
        least = std::min(least, slice.count);
        most = std::max(most, slice.count);
      }
      EXPECT_EQ(next, whole);
      EXPECT_LE(most - least, 1);
    }
}

TEST(Team, SumsAreRightAndTheSameBitsOnAllRanks) {
  for (int world = 1; world <= 4; ++world) {
    for (const std::int64_t size : {0, 1, 2, 3, 1000, 300001}) {
      std::vector<at::Tensor> sums(static_cast<std::size_t>(world)), whole(sums.size());
      EXPECT_EQ(in_team(world,
                        [&](Team& team) {
                          torch::Generator random = at::detail::createCPUGenerator(7 + team.rank());
                          at::Tensor numbers = torch::randn({size}, random), exact = numbers.to(torch::kDouble);
                          team.sum(numbers);
                          team.sum(exact);
                          sums[static_cast<std::size_t>(team.rank())] = numbers;
                          whole[static_cast<std::size_t>(team.rank())] = exact;
                        }),
                nothing(sums.size()));
      at::Tensor expected = torch::zeros({size}, torch::kDouble);
      for (int rank = 0; rank < world; ++rank)
        expected += torch::randn({size}, at::detail::createCPUGenerator(7 + rank)).to(torch::kDouble);
      for (std::size_t rank = 0; rank < sums.size(); ++rank) {
        EXPECT_TRUE(torch::equal(sums[rank], sums[0]));
        EXPECT_TRUE(torch::equal(whole[rank], whole[0]));
        EXPECT_TRUE(torch::allclose(whole[rank], expected, 1e-14, 1e-14));
        EXPECT_TRUE(torch::allclose(sums[rank].to(torch::kDouble), expected, 1e-6, 1e-6));
      }
    }
  }
}

TEST(Team, SpreadsTexts) {
  const std::string large(3000001, 'x');
  EXPECT_EQ(in_team(3,
                    [&](Team& team) {
                      EXPECT_EQ(team.from_leader(team.leads() ? large : "ignored"), large);
                      EXPECT_EQ(team.from_leader(""), "");
                      const std::string mine(static_cast<std::size_t>(team.rank()) * 1000000, 'y');
                      const auto all = team.from_all(mine);
                      ASSERT_EQ(all.size(), 3U);
                      for (std::size_t rank = 0; rank < 3; ++rank) EXPECT_EQ(all[rank].size(), rank * 1000000);
                    }),
            nothing(3));
}

TEST(Team, EndsTogetherWhenARankEnds) {
  const auto thrown = in_team(4, [](Team& team) {
    at::Tensor numbers = torch::ones({1000});
    team.sum(numbers);
    if (team.rank() == 2) return;
    while (true) team.sum(numbers);
  });
  EXPECT_EQ(thrown[2], "");
  for (const std::size_t rank : {0, 1, 3}) EXPECT_THAT(thrown[rank], HasSubstr("rank 2 ended or cannot be reached"));
}

TEST(Team, NoticesRanksAtDifferentPoints) {
  const auto thrown = in_team(3, [](Team& team) {
    at::Tensor numbers = torch::ones({100000});
    if (team.rank() == 0)
      team.from_leader("a run");
    else
      team.sum(numbers);
    team.sum(numbers);
  });
  for (const std::string& text : thrown) EXPECT_THAT(text, HasSubstr("the same command goes on"));
  EXPECT_THAT(thrown[0] + thrown[1] + thrown[2], HasSubstr("is at another point of the work"));
}

TEST(Team, RefusesRanksOfDifferentExperiments) {
  const auto thrown = on_ranks(3, [](const Rank& rank) { Team(rank, rank.rank == 1 ? "other" : "same"); });
  for (std::size_t rank = 0; rank < 3; ++rank)
    EXPECT_THAT(thrown[rank], HasSubstr("rank 1 was started for something else than rank 0"));
}

TEST(Team, StopsWaiting) {
  const std::atomic<bool> stop = true;
  try {
    Team({0, 2, "127.0.0.1", free_port()}, "same", &stop);
    FAIL();
  } catch (const RankLost& error) {
    EXPECT_THAT(error.what(), HasSubstr("stopped before all ranks had come"));
  }
}

// ---- Runs ----------------------------------------------------------------------------------------------------------

Experiment small(const data::Dataset& data, const std::string& model) {
  Experiment experiment;
  experiment.model = model;
  experiment.depth = 2;
  experiment.width = 16;
  experiment.epochs = 3;
  experiment.batch = 20;  // 6, 7 and 7
  experiment.arms = {{"", "tanh", {}, {}}, {"", "prelu", {}, {}}, {"", "swiglu", {}, {}}};
  experiment.data_parallel = true;
  return resolve(experiment, data);
}

RunKey key_of(const Experiment& experiment, const std::string& arm) {
  return {arm, Stage::result, 1, 3e-3, experiment.steps};
}

// The leader's result.
RunResult by_three(const Experiment& experiment, const data::Dataset& data, const RunKey& key, RunHooks hooks = {},
                   std::vector<RunResult>* all = nullptr) {
  std::vector<RunResult> results(3);
  EXPECT_EQ(in_team(3,
                    [&](Team& team) {
                      RunHooks its;
                      if (team.leads()) its = hooks;
                      its.state = hooks.state;
                      its.team = &team;
                      results[static_cast<std::size_t>(team.rank())] = train(experiment, data, key, its);
                    }),
            nothing(3));
  if (all) *all = results;
  return results[0];
}

void expect_near(const RunResult& result, const RunResult& whole, double tolerance) {
  ASSERT_EQ(result.status, Status::finished) << result.message;
  ASSERT_EQ(whole.status, Status::finished) << whole.message;
  const auto near = [&](double a, double b, const char* what) {
    EXPECT_NEAR(a, b, tolerance * std::max(1.0, std::abs(b))) << what;
  };
  near(result.test_loss, whole.test_loss, "test loss");
  near(result.validation_loss, whole.validation_loss, "validation loss");
  near(result.dead, whole.dead, "dead");
  ASSERT_EQ(result.points.size(), whole.points.size());
  for (std::size_t i = 0; i < whole.points.size(); ++i) {
    if (i > 0) near(result.points[i].train_loss, whole.points[i].train_loss, "training loss");
    near(result.points[i].validation_loss, whole.points[i].validation_loss, "validation loss of an epoch");
    for (std::size_t j = 0; j < whole.points[i].gradients.size(); ++j)
      near(result.points[i].gradients[j], whole.points[i].gradients[j], "gradient");
  }
}

TEST(DataParallel, ComesToTheSameAsOneProcess) {
  const data::Dataset data = data::load({"optdigits", "", 200});
  for (const char* optimiser : {"adam", "sgd"}) {
    Experiment experiment = small(data, "mlp");
    experiment.optimiser.name = optimiser;
    for (const ArmSettings& arm : experiment.arms) {
      const RunKey key = key_of(experiment, arm.label());
      std::vector<RunResult> all;
      const RunResult result = by_three(experiment, data, key, {}, &all), whole = train(experiment, data, key, {});
      expect_near(result, whole, 2e-4);
      EXPECT_EQ(result.test_error, whole.test_error);
      // The others know the same, less what the leader alone looks at.
      for (const RunResult& other : all) {
        EXPECT_EQ(other.test_loss, result.test_loss);
        EXPECT_EQ(other.validation_error, result.validation_error);
      }
    }
  }
}

// Examples that ask for different numbers of tokens: the loss is a mean over these, and slices count by them.
TEST(DataParallel, ComesToTheSameWhereLossesAreMeansOverTokens) {
  const Folder folder;
  for (const auto& [data, model] :
       {std::pair(loaded("programs(length=4,train=40,validation=10,test=10)"), "lstm"),
        {drawn_translation(folder), "attention(dropout=0)"},
        {loaded("shapes(size=24,train=8,validation=2,test=2)"), "captioner(channels=2,dropout=0,coverage=1)"}}) {
    SCOPED_TRACE(model);
    Experiment experiment;
    experiment.model = model;
    experiment.metric = "perplexity";
    experiment.depth = 1;
    experiment.width = 8;
    experiment.epochs = 3;
    experiment.batch = 10;  // 3, 3 and 4
    experiment.arms = {{"", "tanh", {}, {}}};
    experiment.data_parallel = true;
    experiment = resolve(experiment, data);
    RunKey key = key_of(experiment, "tanh");
    key.rate = 1e-2;
    expect_near(by_three(experiment, data, key), train(experiment, data, key, {}), 2e-5);
  }
}

// A rank whose examples ask for nothing has no mean to add.
TEST(DataParallel, ASliceThatAsksForNothingCountsForNothing) {
  data::Dataset data = loaded("programs(length=4,train=8,validation=20,test=20)");
  for (std::int64_t i = 1; i < 8; ++i) data.train.y[i].fill_(data::not_asked_token);
  Experiment experiment;
  experiment.model = "lstm";
  experiment.depth = 1;
  experiment.width = 8;
  experiment.epochs = 6;
  experiment.batch = 8;  // 2, 3 and 3, and in one of them one that asks
  experiment.arms = {{"", "tanh", {}, {}}};
  experiment.data_parallel = true;
  experiment = resolve(experiment, data);
  const RunKey key = key_of(experiment, "tanh");
  const RunResult result = by_three(experiment, data, key), whole = train(experiment, data, key, {});
  ASSERT_EQ(result.status, Status::finished) << result.message;
  ASSERT_EQ(whole.status, Status::finished) << whole.message;
  ASSERT_EQ(result.points.size(), whole.points.size());
  for (std::size_t i = 1; i < whole.points.size(); ++i)
    EXPECT_NEAR(result.points[i].train_loss, whole.points[i].train_loss, 2e-5) << "epoch " << i;
  EXPECT_NEAR(result.test_loss, whole.test_loss, 2e-5);
}

TEST(DataParallel, DivergesOnAllRanksAtOnce) {
  const data::Dataset data = data::load({"optdigits", "", 200});
  Experiment experiment = small(data, "mlp");
  experiment.optimiser.name = "sgd";
  RunKey key = key_of(experiment, "swiglu");
  key.rate = 100;
  std::vector<RunResult> all;
  by_three(experiment, data, key, {}, &all);
  const RunResult whole = train(experiment, data, key, {});
  ASSERT_EQ(whole.status, Status::diverged);
  for (const RunResult& result : all) {
    EXPECT_EQ(result.status, Status::diverged);
    EXPECT_EQ(result.message, all[0].message);
  }
  EXPECT_EQ(all[0].message, whole.message);
}

// Stopped again and again, by the leader or by another rank: to the same bits in the end, noise included.
TEST(DataParallel, GoesOnFromACheckpoint) {
  const data::Dataset data = data::load({"optdigits", "", 200});
  Experiment experiment = small(data, "mlp");
  experiment.arms = {{"", "nah(base=tanh)", {}, {}}};
  experiment = resolve(experiment, data);
  const RunKey key = key_of(experiment, "nah(base=tanh)");
  const RunResult whole = by_three(experiment, data, key);
  ASSERT_EQ(whole.status, Status::finished) << whole.message;
  for (int stopping = 0; stopping < 3; ++stopping) {
    std::string state;
    int breaks = 0;
    std::vector<RunResult> results(3);
    do {
      std::atomic<bool> stop = false;
      std::atomic<std::int64_t> done = 0;
      std::string kept;
      EXPECT_EQ(in_team(3,
                        [&](Team& team) {
                          RunHooks hooks;
                          hooks.team = &team;
                          hooks.state = state;
                          if (team.leads()) {
                            hooks.keep_seconds = 1e9;
                            hooks.keep = [&](const std::string& bytes) { kept = bytes; };
                          }
                          std::atomic<std::int64_t> steps = 0;
                          hooks.steps_done = &steps;
                          hooks.point = [&](const Point&) {};
                          std::atomic<bool> wanted = team.rank() == stopping;
                          hooks.stop = &wanted;
                          results[static_cast<std::size_t>(team.rank())] = train(experiment, data, key, hooks);
                        }),
                nothing(3));
      for (const RunResult& result : results) EXPECT_EQ(result.status, results[0].status);
      if (results[0].status != Status::stopped) break;
      // With a wish from the first step on, a run stops as soon as it can, and never gets further than that.
      ASSERT_FALSE(kept.empty());
      state = kept;
      ++breaks;
    } while (breaks < 2);
    EXPECT_GE(breaks, 1);
    const RunResult result = by_three(experiment, data, key, [&] {
      RunHooks hooks;
      hooks.state = state;
      return hooks;
    }());
    EXPECT_EQ(result.test_loss, whole.test_loss);
    ASSERT_EQ(result.points.size(), whole.points.size());
    for (std::size_t i = 0; i < whole.points.size(); ++i)
      EXPECT_EQ(result.points[i].validation_loss, whole.points[i].validation_loss);
  }
}

// All ranks climb a curriculum's levels together, as one process does; a full stop is all that is to be learned.
TEST(DataParallel, ClimbsTheSameLevels) {
  data::Request request;
  request.data = "programs(length=2,nesting=2,easier=30,easier_validation=5,train=40,validation=10,test=10)";
  data::Dataset data = data::load(request);
  const auto stop = std::find(data.classes.begin(), data.classes.end(), ".") - data.classes.begin();
  for (at::Tensor* y : {&data.levels.train.y, &data.levels.validation[0].y})
    *y = torch::where(y->ge(0), torch::full_like(*y, static_cast<std::int64_t>(stop)), *y);
  Experiment experiment;
  experiment.model = "lstm";
  experiment.depth = 1;
  experiment.width = 8;
  experiment.epochs = 5;
  experiment.batch = 10;
  experiment.arms = {{"", "tanh", {}, {}}};
  experiment.arms[0].regime = "combined";
  experiment.data_parallel = true;
  experiment = resolve(experiment, data);
  RunKey key = key_of(experiment, "tanh");
  key.rate = 0.1;
  std::vector<RunResult> all;
  const RunResult result = by_three(experiment, data, key, {}, &all), whole = train(experiment, data, key, {});
  ASSERT_EQ(result.status, Status::finished) << result.message;
  ASSERT_EQ(whole.status, Status::finished) << whole.message;
  for (const RunResult& other : all) EXPECT_EQ(other.test_loss, result.test_loss);
  std::vector<double> levels;
  ASSERT_EQ(result.points.size(), whole.points.size());
  for (std::size_t i = 0; i < whole.points.size(); ++i) {
    EXPECT_EQ(result.points[i].scheduled, whole.points[i].scheduled) << "epoch " << i;
    levels.push_back(whole.points[i].scheduled.at("level"));
  }
  EXPECT_EQ(levels, (std::vector<double>{1, 1, 2, 2, 2, 3})) << "one is mastered, the other waited for";
}

TEST(DataParallel, RefusesWhatItCannotShare) {
  const data::Dataset data = data::load({"optdigits", "", 200});
  try {
    small(data, "resnet(batch_norm=1)");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("resnet(batch_norm=1) normalises over the examples of a batch"));
  }
  EXPECT_NO_THROW(small(data, "resnet"));
  Experiment experiment = small(data, "mlp");
  experiment.batch = 2;
  EXPECT_NO_THROW(check_batches(experiment, 2));
  EXPECT_THROW(check_batches(experiment, 3), Error);
}

}  // namespace
}  // namespace ogee::lab::team_test
