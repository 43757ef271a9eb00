#include "lab/ranks.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "lab/clock.h"
#include "ogee/libtorch.h"
#include "lab/blas.h"
#include "lab/board.h"
#include "lab/run_json.h"
#include "lab/workshop.h"
#include "ogee/ogee.h"

namespace ogee::lab {
namespace {

using Json = nlohmann::ordered_json;

constexpr double silence_seconds = 15;  // without a sign of life a rank is gone
constexpr std::chrono::milliseconds look_again(100), beat_every(1000);

// A number from the environment; nothing where it is unset.
std::optional<int> number_of(const char* name, int low, int high) {
  const char* text = std::getenv(name);
  if (!text || !*text) return std::nullopt;
  const std::string_view view = text;
  int value = 0;
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
  if (error != std::errc() || end != view.data() + view.size() || value < low || value > high)
    throw Error(fmt::format("{}={}: expected a number from {} to {}", name, text, low, high));
  return value;
}

// "node[03-07,11],other" names node03 first.
std::string first_host(const std::string& list) {
  const std::size_t bracket = list.find_first_of("[,");
  if (bracket == std::string::npos || list[bracket] == ',') return list.substr(0, bracket);
  const std::size_t end = list.find_first_of("-,]", bracket + 1);
  return list.substr(0, bracket) + list.substr(bracket + 1, end - bracket - 1);
}

// All that belongs to one run at one seat.
std::string place(const char* what, int rank, int thread, std::int64_t number) {
  return fmt::format("{}/{}/{}/{}", what, rank, thread, number);
}

// A run has many points.
std::string point_at(const std::string& place, std::int64_t point) { return fmt::format("{}/{}", place, point); }

}  // namespace

std::optional<Rank> rank_of_environment() {
  constexpr int most = 1 << 20;
  constexpr std::pair<const char*, const char*> starters[] = {{"RANK", "WORLD_SIZE"},
                                                              {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                                              {"PMI_RANK", "PMI_SIZE"},
                                                              {"SLURM_PROCID", "SLURM_NTASKS"}};
  for (const auto& [rank_name, world_name] : starters) {
    const auto world = number_of(world_name, 1, most);
    if (!world || !std::getenv(rank_name)) continue;
    if (*world == 1) return std::nullopt;
    Rank rank;
    rank.world = *world;
    rank.rank = number_of(rank_name, 0, *world - 1).value_or(0);
    const char* address = std::getenv("MASTER_ADDR");
    const char* hosts = std::getenv("SLURM_JOB_NODELIST");
    rank.address = address && *address ? address : hosts && *hosts ? first_host(hosts) : "127.0.0.1";
    rank.port = static_cast<std::uint16_t>(number_of("MASTER_PORT", 1, 65535).value_or(29500));
    // torchrun's agent sits on the port itself, with a store that speaks its own version's language.
    const char* agent = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
    if (agent && std::string_view(agent) == "True")
      rank.port = rank.port == 65535 ? 1024 : static_cast<std::uint16_t>(rank.port + 1);
    return rank;
  }
  return std::nullopt;
}

// ---- Rank 0 --------------------------------------------------------------------------------------------------------

struct Ranks::State {
  State(const Rank& rank, const std::string& identity) : world(rank.world), board(rank, true) {
    board.set("identity", identity);
    watching = std::thread([this] { watch(); });
  }
  ~State() {
    ending = true;
    watching.join();
    try {
      board.set("over", "");
      // The store ends with this process: a moment for the others to read it, those that are only just coming, too.
      const auto start = Clock::now();
      const auto expected = [this] {
        for (int rank = 1; rank < world; ++rank) {
          const auto member = members.find(rank);
          if (member != members.end() && !member->second.alive) continue;
          if (!board.has(fmt::format("left/{}", rank))) return true;
        }
        return false;
      };
      while (expected() && seconds_since(start) < 5) std::this_thread::sleep_for(look_again);
    } catch (const std::exception&) {  // nobody is there to be told
    }
  }

  void watch() {
    while (!ending) {
      try {
        for (int rank = 1; rank < world; ++rank) look_at(rank);
      } catch (const std::exception&) {  // the store is gone: silence ends the rest
      }
      std::this_thread::sleep_for(5 * look_again);
    }
  }
  void look_at(int rank) {
    const auto arrived = board.get(fmt::format("rank/{}", rank));
    if (!arrived) return;
    const auto beat = board.get(fmt::format("beat/{}", rank));
    const bool left = board.has(fmt::format("left/{}", rank));
    const std::lock_guard lock(mutex);
    Member& member = members[rank];
    if (member.threads == 0) {
      member.threads = std::max(1, std::atoi(arrived->c_str()));
      member.alive = true;
      member.heard = Clock::now();
    }
    if (beat && *beat != member.beat) {
      member.beat = *beat;
      member.heard = Clock::now();
    }
    if (left || seconds_since(member.heard) > silence_seconds) member.alive = false;
  }
  bool alive(int rank) {
    const std::lock_guard lock(mutex);
    return members[rank].alive;
  }

  struct Member {
    int threads = 0;
    bool alive = false;
    std::string beat;
    Clock::time_point heard;
  };
  const int world;
  Board board;
  std::mutex mutex;
  std::map<int, Member> members;
  std::map<Seat, std::int64_t> numbers;  // of the runs that a seat has got
  std::atomic<bool> ending = false;
  std::thread watching;
};

Ranks::Ranks(const Rank& rank, const std::string& identity) : state_(std::make_unique<State>(rank, identity)) {}
Ranks::~Ranks() = default;

std::vector<Ranks::Seat> Ranks::seats() {
  const std::lock_guard lock(state_->mutex);
  std::vector<Seat> result;
  for (const auto& [rank, member] : state_->members)
    for (int thread = 0; member.alive && thread < member.threads; ++thread) result.push_back({rank, thread});
  return result;
}

std::vector<std::string> Ranks::lost() {
  const std::lock_guard lock(state_->mutex);
  std::vector<std::string> result;
  for (const auto& [rank, member] : state_->members)
    if (!member.alive) result.push_back(fmt::format("rank {} ended or fell silent; others took over its runs", rank));
  return result;
}

RunResult Ranks::train(const Seat& seat, const RunKey& key, const RunHooks& hooks) {
  std::int64_t number;
  {
    const std::lock_guard lock(state_->mutex);
    number = state_->numbers[seat]++;
  }
  Board& board = state_->board;
  const auto at = [&](const char* what) { return place(what, seat.rank, seat.thread, number); };
  std::optional<Json> result;
  try {
    if (!hooks.state.empty()) board.set(at("state"), hooks.state);
    board.put(at("task"), key);
    std::int64_t points = 0, steps = 0;
    while (true) {
      // First whether the result is there: what came before it is there then, too.
      result = board.take(at("result"));
      while (const auto point = board.take(point_at(at("point"), points))) {
        if (hooks.point) hooks.point(point->get<Point>());
        board.erase(point_at(at("point"), points++));
      }
      if (const auto done = board.get(at("steps")); done && hooks.steps_done) {
        const std::int64_t now = std::atoll(done->c_str());
        hooks.steps_done->fetch_add(now - steps);
        steps = now;
      }
      if (result || !state_->alive(seat.rank)) break;
      if (hooks.stop && hooks.stop->load() && !board.has("stop")) board.set("stop", "");
      std::this_thread::sleep_for(look_again);
    }
    if (const auto why = board.get(at("damaged")); why && hooks.damaged) hooks.damaged(*why);
    if (const auto kept = board.get(at("kept")); kept && hooks.keep) {
      const bool over = result && result->at("status") != name_of(Status::stopped);
      if (!over) hooks.keep(*kept);
    }
    for (const char* what : {"task", "state", "steps", "kept", "damaged", "result"}) board.erase(at(what));
  } catch (const StoreFailure&) {
    throw;  // the database's, from a hook
  } catch (const std::exception& error) {
    throw Gone(fmt::format("rank {}: {}", seat.rank, error.what()));
  }
  if (!result) throw Gone(fmt::format("rank {} ended or fell silent", seat.rank));
  return result->get<RunResult>();
}

// ---- The other ranks -----------------------------------------------------------------------------------------------

namespace {

class Servant {
 public:
  Servant(const Rank& rank, const Experiment& experiment, const data::Dataset& data, const Options& options)
      : rank_(rank), experiment_(experiment), data_(data), options_(options), board_(rank, false) {}

  void serve(const std::string& identity) {
    const std::string theirs = identity_of_rank_0();
    if (theirs != identity)
      throw Error(
          fmt::format("rank {}: rank 0 compares something else: expected the same data and settings on every "
                      "rank",
                      rank_.rank));
    const int threads = workers_of(options_);
    steps_ = std::vector<std::atomic<std::int64_t>>(static_cast<std::size_t>(threads));
    running_ = std::vector<std::atomic<std::int64_t>>(static_cast<std::size_t>(threads));
    for (auto& number : running_) number = -1;
    board_.set(fmt::format("rank/{}", rank_.rank), std::to_string(threads));
    const OneBlasThread one;
    std::vector<std::thread> workers;
    for (int thread = 0; thread < threads; ++thread) workers.emplace_back([this, thread] { work(thread); });
    beat();
    for (std::thread& worker : workers) worker.join();
    if (!failure_.empty())
      throw Error(
          fmt::format("rank {}: rank 0 at {}:{} is gone ({})", rank_.rank, rank_.address, rank_.port, failure_));
    board_.set(fmt::format("left/{}", rank_.rank), "");
  }

 private:
  std::string identity_of_rank_0() {
    const auto start = Clock::now();
    while (seconds_since(start) < 300) {
      if (const auto text = board_.get("identity")) return *text;
      std::this_thread::sleep_for(look_again);
    }
    throw Error(fmt::format("rank {}: rank 0 at {}:{} began no comparison within 5 minutes", rank_.rank, rank_.address,
                            rank_.port));
  }

  bool over() const { return halt_ || over_; }

  // Signs of life, and what the workers should know, until the end.
  void beat() {
    std::int64_t count = 0;
    try {
      while (true) {
        board_.set(fmt::format("beat/{}", rank_.rank), std::to_string(++count));
        for (std::size_t i = 0; i < steps_.size(); ++i)
          if (const std::int64_t number = running_[i]; number >= 0)
            board_.set(place("steps", rank_.rank, static_cast<int>(i), number), std::to_string(steps_[i]));
        if (board_.has("over")) over_ = true;
        if (over_ || board_.has("stop") || (options_.stop && options_.stop->load())) halt_ = true;
        if (halt_) {
          const std::lock_guard lock(mutex_);
          if (busy_.empty()) return;
        }
        std::this_thread::sleep_for(halt_ ? look_again : beat_every);
      }
    } catch (const std::exception& error) {
      fail(error);
    }
  }

  void fail(const std::exception& error) {
    const std::lock_guard lock(mutex_);
    const std::string what = error.what();
    if (failure_.empty()) failure_ = what.substr(0, what.find('\n'));
    halt_ = over_ = true;
  }

  void work(int thread) {
    at::set_num_threads(1);
    try {
      for (std::int64_t number = 0; !over(); std::this_thread::sleep_for(look_again)) {
        const auto task = board_.take(place("task", rank_.rank, thread, number));
        if (!task) continue;
        {
          const std::lock_guard lock(mutex_);
          busy_.insert(thread);
        }
        perform(thread, number++, task->get<RunKey>());
        const std::lock_guard lock(mutex_);
        busy_.erase(thread);
      }
    } catch (const std::exception& error) {
      fail(error);
    }
    const std::lock_guard lock(mutex_);
    busy_.erase(thread);
  }

  void perform(int thread, std::int64_t number, const RunKey& key) {
    const auto at = [&](const char* what) { return place(what, rank_.rank, thread, number); };
    std::atomic<std::int64_t>& steps = steps_[static_cast<std::size_t>(thread)];
    steps = 0;
    running_[static_cast<std::size_t>(thread)] = number;
    RunHooks hooks;
    hooks.stop = &halt_;
    hooks.steps_done = &steps;
    hooks.keep_seconds = options_.keep_seconds;
    std::int64_t points = 0;
    hooks.point = [&](const Point& point) { board_.put(point_at(at("point"), points++), point); };
    hooks.keep = [&](const std::string& bytes) { board_.set(at("kept"), bytes); };
    hooks.damaged = [&](const std::string& why) { board_.set(at("damaged"), why); };
    if (const auto state = board_.get(at("state"))) hooks.state = *state;
    const RunResult result = train(experiment_, data_, key, hooks);
    running_[static_cast<std::size_t>(thread)] = -1;
    board_.put(at("result"), result);
  }

  const Rank rank_;
  const Experiment& experiment_;
  const data::Dataset& data_;
  const Options& options_;
  Board board_;
  std::atomic<bool> halt_ = false, over_ = false;
  std::vector<std::atomic<std::int64_t>> steps_, running_;
  std::mutex mutex_;  // of all below
  std::set<int> busy_;
  std::string failure_;
};

}  // namespace

void serve_runs(const Rank& rank, const Experiment& experiment, const std::string& identity, const data::Dataset& data,
                const Options& options) {
  Servant(rank, experiment, data, options).serve(identity);
}

}  // namespace ogee::lab
