#include "lab/team.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "ogee/libtorch.h"
#include "lab/board.h"
#include "lab/meeting.h"

namespace ogee::lab {
namespace {

// In front of what every call sends first: which call it is, the how-manieth, and how much is to come.
enum : std::uint64_t { tag_sum = 0x6f676565'73756d00, tag_leader, tag_all };
constexpr std::size_t tag_words = 3;

}  // namespace

// Bytes to go, or to come, in two pieces.
struct Team::Flow {
  char* pieces[2] = {nullptr, nullptr};
  std::size_t left[2] = {0, 0};

  Flow() = default;
  Flow(const void* first, std::size_t first_size, const void* second = nullptr, std::size_t second_size = 0)
      : pieces{static_cast<char*>(const_cast<void*>(first)), static_cast<char*>(const_cast<void*>(second))},
        left{first_size, second_size} {}
  bool open() const { return left[0] + left[1] > 0; }
  // Moves what `move` takes of the piece at hand, until it takes no more; its last answer otherwise.
  template <class Move>
  ssize_t run(Move move) {
    while (open()) {
      const int i = left[0] > 0 ? 0 : 1;
      const ssize_t moved = move(pieces[i], left[i]);
      if (moved <= 0) return moved;
      pieces[i] += moved;
      left[i] -= static_cast<std::size_t>(moved);
    }
    return 1;
  }
};

Team::Team(const Rank& rank, const std::string& identity, const std::atomic<bool>* stop)
    : rank_(rank), next_rank_((rank.rank + 1) % rank.world), previous_rank_((rank.rank + rank.world - 1) % rank.world) {
  if (rank_.world == 1) return;
  Neighbours neighbours = meet(rank, identity, stop);
  board_ = std::move(neighbours.board);
  next_ = neighbours.next;
  previous_ = neighbours.previous;
}

Team::~Team() {
  for (const int socket : {next_, previous_})
    if (socket >= 0) close(socket);
}

// Closing the connections tells the neighbours, and so on round the ring. Who was the first to go stands on the board,
// as the later ones only ended for want of it; rank 0, whose board it is, lets them read it.
void Team::lost(int rank) {
  std::string who = std::to_string(rank);
  try {
    if (!board_->has("team/lost")) board_->set("team/lost", who);
    who = board_->get("team/lost").value_or(who);  // an answer: it stands there before the others hear of the end
    board_->set(fmt::format("team/{}/knows", rank_.rank), "");
    for (int* socket : {&next_, &previous_}) close(std::exchange(*socket, -1));
    const auto known = [&] {
      for (int other = 1; other < rank_.world; ++other)
        if (who != std::to_string(other) && !board_->has(fmt::format("team/{}/knows", other))) return false;
      return true;
    };
    for (int waits = 0; leads() && waits < 40 && !known(); ++waits)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
  } catch (const std::exception&) {  // rank 0, which kept the board, is gone
    who = std::to_string(0);
  }
  throw RankLost(
      fmt::format("rank {} ended or cannot be reached, so that rank {} cannot go on; the same command goes on from the "
                  "last checkpoint",
                  who, rank_.rank));
}

void Team::exchange(Flow out, Flow in, const std::uint64_t* expected) {
  const auto* tag = reinterpret_cast<const std::uint64_t*>(in.pieces[0]);
  while (out.open() || in.open()) {
    pollfd waiting[2] = {{out.open() ? next_ : -1, POLLOUT, 0}, {in.open() ? previous_ : -1, POLLIN, 0}};
    if (poll(waiting, 2, -1) < 0) {
      if (errno == EINTR) continue;
      throw RankLost(fmt::format("rank {}: waiting for the other ranks failed", rank_.rank));
    }
    const auto again = [] { return errno == EAGAIN || errno == EINTR; };
    if (waiting[0].revents != 0 &&
        out.run([&](char* from, std::size_t size) { return send(next_, from, size, MSG_NOSIGNAL); }) < 0 && !again())
      lost(next_rank_);
    if (waiting[1].revents != 0) {
      const ssize_t moved = in.run([&](char* to, std::size_t size) { return recv(previous_, to, size, 0); });
      const bool over = moved == 0 || (moved < 0 && !again());
      // A rank at another point may send less than is waited for: its tag must not wait for the rest.
      if (expected && in.left[0] == 0) check_tag(tag, std::exchange(expected, nullptr));
      if (over) lost(previous_rank_);
    }
  }
}

void Team::check_tag(const std::uint64_t* seen, const std::uint64_t* expected) const {
  if (!std::equal(seen, seen + tag_words, expected))
    throw RankLost(
        fmt::format("rank {}: rank {} is at another point of the work; the same command goes on from the "
                    "last checkpoint",
                    rank_.rank, previous_rank_));
}

// First every chunk travels once round the ring and gathers what each rank has to add, then once more as it came out.
template <class T>
void Team::sum_up(T* numbers, std::int64_t count) {
  const int world = rank_.world;
  const auto begin = [&](int chunk) { return count * ((chunk % world + world) % world) / world; };
  const auto end = [&](int chunk) { return count * ((chunk % world + world) % world + 1) / world; };
  const auto bytes = [&](int chunk) { return static_cast<std::size_t>(end(chunk) - begin(chunk)) * sizeof(T); };
  std::vector<T> heard(static_cast<std::size_t>(count / world + 1));
  const std::uint64_t tag[tag_words] = {tag_sum + sizeof(T), ++calls_, static_cast<std::uint64_t>(count)};
  std::uint64_t seen[tag_words] = {};
  for (int round = 0; round < world - 1; ++round) {
    const int out = rank_.rank - round, in = out - 1;
    // The tag goes first, so that a rank at another point is noticed before its numbers count.
    if (round == 0)
      exchange({tag, sizeof tag, numbers + begin(out), bytes(out)}, {seen, sizeof seen, heard.data(), bytes(in)}, tag);
    else
      exchange({numbers + begin(out), bytes(out)}, {heard.data(), bytes(in)});
    const std::int64_t from = begin(in), size = end(in) - from;
    for (std::int64_t i = 0; i < size; ++i) numbers[from + i] += heard[static_cast<std::size_t>(i)];
  }
  for (int round = 0; round < world - 1; ++round) {
    const int out = rank_.rank + 1 - round, in = out - 1;
    exchange({numbers + begin(out), bytes(out)}, {numbers + begin(in), bytes(in)});
  }
}

void Team::sum(at::Tensor& numbers) {
  if (rank_.world == 1) return;
  const torch::NoGradGuard no_gradients;
  const bool wide = numbers.scalar_type() == torch::kDouble;
  const at::Tensor here = numbers.to(torch::kCPU, wide ? torch::kDouble : torch::kFloat).contiguous();
  if (wide)
    sum_up(here.data_ptr<double>(), here.numel());
  else
    sum_up(here.data_ptr<float>(), here.numel());
  if (!here.is_same(numbers)) numbers.copy_(here);
}

std::string Team::from_leader(const std::string& text) {
  if (rank_.world == 1) return text;
  std::string result = text;
  std::uint64_t tag[tag_words] = {tag_leader, ++calls_, text.size()};
  if (!leads()) {
    std::uint64_t seen[tag_words] = {};
    exchange({}, {seen, sizeof seen});
    tag[2] = seen[2];
    check_tag(seen, tag);
    result.resize(seen[2]);
    exchange({}, {result.data(), result.size()});
  }
  if (next_rank_ != 0) exchange({tag, sizeof tag, result.data(), result.size()}, {});
  return result;
}

std::vector<std::string> Team::from_all(const std::string& text) {
  std::vector<std::string> texts(static_cast<std::size_t>(rank_.world));
  const auto at = [&](int rank) -> std::string& {
    return texts[static_cast<std::size_t>((rank % rank_.world + rank_.world) % rank_.world)];
  };
  at(rank_.rank) = text;
  ++calls_;
  for (int round = 0; round < rank_.world - 1; ++round) {
    const std::string& out = at(rank_.rank - round);
    std::string& in = at(rank_.rank - round - 1);
    const std::uint64_t tag[tag_words] = {tag_all, calls_, out.size()};
    std::uint64_t seen[tag_words] = {};
    exchange({tag, sizeof tag}, {seen, sizeof seen});
    const std::uint64_t expected[tag_words] = {tag_all, calls_, seen[2]};
    check_tag(seen, expected);
    in.resize(seen[2]);
    exchange({out.data(), out.size()}, {in.data(), in.size()});
  }
  return texts;
}

}  // namespace ogee::lab
