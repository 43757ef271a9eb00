#include "lab/meeting.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <random>
#include <thread>
#include <utility>

#include "lab/board.h"
#include "lab/clock.h"
#include "lab/team.h"
#include "ogee/ogee.h"

namespace ogee::lab {
namespace {

constexpr double longest_wait = 300;  // seconds, for all ranks to come
constexpr std::chrono::milliseconds look_around(50);

// A socket that is closed where nobody takes it.
class Socket {
 public:
  explicit Socket(int number = -1) : number_(number) {}
  Socket(Socket&& other) noexcept : number_(other.take()) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Socket() {
    if (number_ >= 0) close(number_);
  }
  int get() const { return number_; }
  int take() { return std::exchange(number_, -1); }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_;
};

struct Addresses {
  addrinfo* first = nullptr;
  Addresses(const std::string& host, const std::string& port, int type) {
    addrinfo hints{};
    hints.ai_socktype = type;
    const int status = getaddrinfo(host.c_str(), port.c_str(), &hints, &first);
    if (status != 0) throw Error(fmt::format("{}: {}", host, gai_strerror(status)));
  }
  ~Addresses() { freeaddrinfo(first); }
  Addresses(const Addresses&) = delete;
  Addresses& operator=(const Addresses&) = delete;
};

// The address under which this machine is seen from where rank 0 is.
std::string own_address(const Rank& rank) {
  if (rank.rank == 0) return rank.address;  // as the others reach it
  const Addresses addresses(rank.address, std::to_string(rank.port), SOCK_DGRAM);
  for (const addrinfo* at = addresses.first; at; at = at->ai_next) {
    // Connecting a datagram socket sends nothing, but chooses the way.
    const Socket socket(::socket(at->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    char text[NI_MAXHOST];
    if (socket && connect(socket.get(), at->ai_addr, at->ai_addrlen) == 0 &&
        getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &size) == 0 &&
        getnameinfo(reinterpret_cast<sockaddr*>(&own), size, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0)
      return text;
  }
  throw Error(fmt::format("{}: there is no way to it: {}", rank.address, std::strerror(errno)));
}

// On a port of the kernel's choice; of both families of addresses where the machine has both.
Socket listening(std::uint16_t& port) {
  for (const int family : {AF_INET6, AF_INET}) {
    Socket socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) continue;
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    sockaddr_in four{};
    four.sin_family = AF_INET;
    const int both = 0;
    if (family == AF_INET6 && setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &both, sizeof both) != 0) continue;
    const auto* own = family == AF_INET6 ? reinterpret_cast<sockaddr*>(&six) : reinterpret_cast<sockaddr*>(&four);
    const socklen_t size = family == AF_INET6 ? sizeof six : sizeof four;
    if (bind(socket.get(), own, size) != 0 || listen(socket.get(), 16) != 0) continue;
    sockaddr_storage bound{};
    socklen_t bound_size = sizeof bound;
    if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &bound_size) != 0) continue;
    // The port lies at the same place in both.
    port = ntohs(reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
    return socket;
  }
  throw Error(fmt::format("no port can be opened for the other ranks: {}", std::strerror(errno)));
}

Socket connected(const std::string& host, const std::string& port) {
  const Addresses addresses(host, port, SOCK_STREAM);
  int failure = 0;
  for (const addrinfo* at = addresses.first; at; at = at->ai_next) {
    Socket socket(::socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (socket && connect(socket.get(), at->ai_addr, at->ai_addrlen) == 0) return socket;
    failure = errno;
  }
  throw Error(fmt::format("{}:{}: the next rank cannot be reached: {}", host, port, std::strerror(failure)));
}

// Small messages at once; a host that is gone without a word is noticed within half a minute.
void settle(const Socket& socket) {
  const auto set = [&](int level, int option, int value) {
    setsockopt(socket.get(), level, option, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 10);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set(IPPROTO_TCP, TCP_KEEPCNT, 4);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 30000);
  fcntl(socket.get(), F_SETFL, fcntl(socket.get(), F_GETFL) | O_NONBLOCK);
}

class Meeting {
 public:
  Meeting(const Rank& rank, const std::string& identity, const std::atomic<bool>* stop)
      : rank_(rank), stop_(stop), board_(std::make_unique<Board>(rank, rank.rank == 0)) {
    agree(identity);
  }

  Neighbours neighbours() {
    std::uint16_t port = 0;
    const Socket door = listening(port);
    board_->set(fmt::format("team/{}/host", rank_.rank), own_address(rank_));
    board_->set(fmt::format("team/{}/port", rank_.rank), std::to_string(port));
    const int after = (rank_.rank + 1) % rank_.world, before = (rank_.rank + rank_.world - 1) % rank_.world;
    const std::string its_port = await(fmt::format("team/{}/port", after), after);
    Socket next = connected(board_->get(fmt::format("team/{}/host", after)).value(), its_port);
    const std::string hello = greeting(rank_.rank);
    if (send(next.get(), hello.data(), hello.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(hello.size()))
      throw RankLost(fmt::format("rank {} ended or cannot be reached", after));
    Socket previous = heard(door, greeting(before), before);
    settle(next);
    settle(previous);
    return {std::move(board_), next.take(), previous.take()};
  }

 private:
  // That all ranks train the same.
  void agree(const std::string& identity) {
    if (rank_.rank == 0) {
      std::random_device random;
      board_->set("team/secret", fmt::format("{:08x}{:08x}", random(), random()));
      board_->set("identity", identity);
    }
    secret_ = await("team/secret", 0);
    const bool same = await("identity", 0) == identity;
    board_->set(same ? fmt::format("team/{}/agreed", rank_.rank) : "team/differs", std::to_string(rank_.rank));
    for (int rank = 0; rank < rank_.world; ++rank) await(fmt::format("team/{}/agreed", rank), rank);
  }
  // Rank 0, with which the board goes, lets those who are there read it.
  [[noreturn]] void differs(const std::string& other) {
    board_->set(fmt::format("team/{}/told", rank_.rank), "");
    const auto told = [&] {
      for (int rank = 1; rank < rank_.world; ++rank)
        if (!board_->has(fmt::format("team/{}/told", rank))) return false;
      return true;
    };
    for (int waits = 0; rank_.rank == 0 && waits < 40 && !told(); ++waits) std::this_thread::sleep_for(look_around);
    throw Error(
        fmt::format("rank {}: rank {} was started for something else than rank 0: expected the same data and settings "
                    "on every rank",
                    rank_.rank, other));
  }

  // All of one length.
  std::string greeting(int rank) const { return fmt::format("ogee team {} {:08x}\n", secret_, rank); }

  void wait_for(int rank, const std::function<bool()>& there) {
    while (!there()) {
      if (stop_ && stop_->load()) throw RankLost("stopped before all ranks had come");
      if (std::chrono::duration<double>(Clock::now() - start_).count() > longest_wait)
        throw RankLost(fmt::format("rank {}: rank {} of {} did not come within {} minutes", rank_.rank, rank,
                                   rank_.world, static_cast<int>(longest_wait / 60)));
      std::this_thread::sleep_for(look_around);
    }
  }
  std::string await(const std::string& key, int rank) {
    try {
      wait_for(rank, [&] {
        if (const auto other = board_->get("team/differs"); other) differs(*other);
        return board_->has(key);
      });
      return board_->get(key).value();
    } catch (const Error&) {
      throw;
    } catch (const StoreFailure&) {
      throw;
    } catch (const std::exception& error) {
      const std::string what = error.what();
      throw RankLost(fmt::format("rank {}: rank 0 at {}:{} is gone ({})", rank_.rank, rank_.address, rank_.port,
                                 what.substr(0, what.find('\n'))));
    }
  }

  // Whoever comes without the greeting is sent away.
  Socket heard(const Socket& door, const std::string& expected, int rank) {
    Socket found;
    wait_for(rank, [&] {
      pollfd waiting{door.get(), POLLIN, 0};
      if (poll(&waiting, 1, 0) <= 0) return false;
      Socket socket(accept4(door.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!socket) return false;
      const timeval patience{5, 0};
      setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
      std::string text(expected.size(), '\0');
      if (recv(socket.get(), text.data(), text.size(), MSG_WAITALL) == static_cast<ssize_t>(text.size()) &&
          text == expected)
        found = std::move(socket);
      return static_cast<bool>(found);
    });
    return found;
  }

  const Rank& rank_;
  const std::atomic<bool>* const stop_;
  const Clock::time_point start_ = Clock::now();
  std::unique_ptr<Board> board_;
  std::string secret_;
};

}  // namespace

Neighbours meet(const Rank& rank, const std::string& identity, const std::atomic<bool>* stop) {
  return Meeting(rank, identity, stop).neighbours();
}

}  // namespace ogee::lab
