// A program with the monitor preloaded. It runs as it would without; the monitor inside it sends lines of JSON through
// a socket (one for each process that uses LibTorch), which are shown and written from here.
#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <list>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/watch.h"
#include "monitor/show/events.h"
#include "monitor/show/lines.h"
#include "monitor/show/live.h"
#include "ogee/ogee.h"

namespace ogee::cli {
namespace {

namespace show = monitor::show;

std::string system_error(const std::string& what) { return fmt::format("{}: {}", what, std::strerror(errno)); }

// The file a function's code is in.
std::string library_of(const void* function) {
  Dl_info info{};
  if (!dladdr(function, &info) || !info.dli_fname) throw Error("watch: this program's libraries cannot be found");
  return std::filesystem::absolute(info.dli_fname).lexically_normal().string();
}

std::string libtorch_here() {
  std::string found;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* result) {
        const std::filesystem::path path(info->dlpi_name);
        if (path.filename().string().rfind("libtorch_cpu.so", 0) != 0) return 0;
        *static_cast<std::string*>(result) = path.string();
        return 1;
      },
      &found);
  return found;
}

// A socket in a folder of its own.
class Listener {
 public:
  Listener() {
    char folder[] = "/tmp/ogee-watch-XXXXXX";
    if (!mkdtemp(folder)) throw Error(system_error("watch: no folder can be made in /tmp"));
    folder_ = folder;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path().c_str(), sizeof(address.sun_path) - 1);
    descriptor_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor_ < 0 || bind(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
        listen(descriptor_, 128) != 0)
      throw Error(system_error("watch: no socket can be made in " + folder_));
  }
  ~Listener() {
    if (descriptor_ >= 0) close(descriptor_);
    unlink(path().c_str());
    rmdir(folder_.c_str());
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  std::string path() const { return folder_ + "/socket"; }
  int descriptor() const { return descriptor_; }

 private:
  std::string folder_;
  int descriptor_ = -1;
};

// A process that uses LibTorch.
struct Connection {
  int descriptor = -1;
  show::LineReader reader;
  std::string line;                // so far
  std::vector<std::string> early;  // those before it was known which process is shown
  ~Connection() {
    if (descriptor >= 0) close(descriptor);
  }
};

// All that is written of the process that was the first to be observed.
class Copies {
 public:
  explicit Copies(const WatchFlags& flags) {
    if (!flags.json.empty()) lines_.emplace(flags.json);
    if (!flags.tensorboard.empty()) events_.emplace(flags.tensorboard);
  }
  void take(const std::string& line, const show::LineReader& reader) {
    if (lines_ && alive_) alive_ = lines_->write(nlohmann::ordered_json::parse(line, nullptr, false));
    if (!events_) return;
    const monitor::Record& record = reader.record();
    if (reader.windows() > windows_) {
      windows_ = reader.windows();
      for (const monitor::Layer& layer : record.layers)
        if (!layer.history.empty() && layer.history.back().step >= record.steps)
          events_->layer(record.steps, layer.name, layer.history.back());
      if (!record.losses.empty() && record.losses.back().step == record.steps)
        events_->scalar(record.steps, "loss", record.losses.back().value);
    }
    for (const monitor::Finding& f : reader.findings()) {
      const std::string key = f.rule + '\n' + f.layer;
      if (std::find(written_.begin(), written_.end(), key) != written_.end()) continue;
      written_.push_back(key);
      events_->finding(record.steps, f);
    }
    events_->flush();
  }

 private:
  std::optional<show::LineWriter> lines_;
  std::optional<show::EventWriter> events_;
  std::int64_t windows_ = 0;
  std::vector<std::string> written_;
  bool alive_ = true;
};

class Session {
 public:
  explicit Session(const WatchFlags& flags) : flags_(flags), copies_(flags) {
    if (!flags.quiet && isatty(STDERR_FILENO)) live_.emplace(STDERR_FILENO);
    if (live_ && live_->form() != show::Live::Form::panel) live_.reset();
  }

  Watched run() {
    sigset_t mine;
    sigemptyset(&mine);
    for (const int signal : {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaddset(&mine, signal);
    sigprocmask(SIG_BLOCK, &mine, &before_);
    const int signals = signalfd(-1, &mine, SFD_CLOEXEC | SFD_NONBLOCK);
    start();
    while (!ended_) {
      std::vector<pollfd> waiting{{signals, POLLIN, 0}, {listener_.descriptor(), POLLIN, 0}};
      for (const auto& connection : connections_) waiting.push_back({connection->descriptor, POLLIN, 0});
      if (poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) break;
      take_signals(signals);
      take_all();
    }
    take_all();
    if (live_) live_->clear();
    close(signals);
    return finish();
  }

 private:
  void start();
  [[noreturn]] void become_program(int trouble) const;
  void take_signals(int signals);
  void take_all();
  bool take_from(Connection& connection);
  void take_line(Connection& connection);
  void choose(Connection& connection);
  Watched finish();

  const WatchFlags& flags_;
  Listener listener_;
  Copies copies_;
  std::optional<show::Live> live_;
  std::list<std::unique_ptr<Connection>> connections_, gone_;
  Connection* first_ = nullptr;  // to be observed
  std::string refused_;
  sigset_t before_{};
  pid_t child_ = -1;
  bool ended_ = false;
  int wait_status_ = 0;
  std::int64_t others_ = 0;
};

void Session::become_program(int trouble) const {
  const std::string monitor = library_of(reinterpret_cast<const void*>(&monitor::judge));
  std::string preload = (std::filesystem::path(monitor).parent_path() / "libogee_watch.so").string();
  if (const char* old = std::getenv("LD_PRELOAD"); old && *old) preload += std::string(":") + old;
  setenv("LD_PRELOAD", preload.c_str(), 1);
  setenv("OGEE_WATCH",
         fmt::format("every={},budget={},trace_non_finite={:d},print=0,json=unix:{}", flags_.every, flags_.budget,
                     flags_.trace_non_finite, listener_.path())
             .c_str(),
         1);
  setenv("OGEE_WATCH_MONITOR", monitor.c_str(), 1);
  setenv("OGEE_WATCH_SOCKET", listener_.path().c_str(), 1);
  if (const std::string libtorch = libtorch_here(); !libtorch.empty())
    setenv("OGEE_WATCH_LIBTORCH", libtorch.c_str(), 1);
  std::vector<char*> words;
  for (const std::string& word : flags_.program) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  sigprocmask(SIG_SETMASK, &before_, nullptr);
  execvp(words[0], words.data());
  const int error = errno;
  if (write(trouble, &error, sizeof(error)) < 0) _exit(126);
  _exit(127);
}

void Session::start() {
  std::array<int, 2> trouble{};
  if (pipe2(trouble.data(), O_CLOEXEC) != 0) throw Error(system_error("watch"));
  child_ = fork();
  if (child_ < 0) throw Error(system_error("watch: no process can be started"));
  if (child_ == 0) become_program(trouble[1]);
  close(trouble[1]);
  int error = 0;
  const bool failed = read(trouble[0], &error, sizeof(error)) == sizeof(error);
  close(trouble[0]);
  if (!failed) return;
  waitpid(child_, nullptr, 0);
  throw Error(fmt::format("{}: cannot be run: {}", flags_.program[0], std::strerror(error)));
}

void Session::take_signals(int signals) {
  signalfd_siginfo info{};
  while (read(signals, &info, sizeof(info)) == sizeof(info)) {
    // A terminal's keys reach the program by themselves; what was sent to this process alone is passed on.
    if (info.ssi_signo != SIGCHLD && info.ssi_code <= 0 && child_ > 0) kill(child_, static_cast<int>(info.ssi_signo));
  }
  if (child_ > 0 && waitpid(child_, &wait_status_, WNOHANG) == child_) {
    child_ = -1;
    ended_ = true;
  }
}

void Session::take_all() {
  for (int descriptor;
       (descriptor = accept4(listener_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;) {
    connections_.push_back(std::make_unique<Connection>());
    connections_.back()->descriptor = descriptor;
  }
  for (auto at = connections_.begin(); at != connections_.end();) {
    const auto next = std::next(at);
    if (!take_from(**at)) gone_.splice(gone_.end(), connections_, at);
    at = next;
  }
  if (live_ && first_ && live_->due()) live_->show(first_->reader.record(), first_->reader.findings());
}

// False at its end.
bool Session::take_from(Connection& connection) {
  std::array<char, 1 << 16> bytes;
  while (true) {
    const ssize_t got = read(connection.descriptor, bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
    if (got <= 0) {
      close(connection.descriptor);
      connection.descriptor = -1;
      return false;
    }
    std::string_view rest(bytes.data(), static_cast<std::size_t>(got));
    for (std::size_t end = 0; (end = rest.find('\n')) != std::string_view::npos; rest.remove_prefix(end + 1)) {
      connection.line += rest.substr(0, end);
      take_line(connection);
      connection.line.clear();
    }
    connection.line += rest;
  }
}

void Session::take_line(Connection& connection) {
  if (connection.line.starts_with("{\"event\":\"refused\"")) {
    const auto event = nlohmann::json::parse(connection.line, nullptr, false);
    if (event.is_object()) refused_ = event.value("why", "");
    return;
  }
  const std::int64_t windows = connection.reader.windows();
  if (!connection.reader.take_line(connection.line)) return;
  if (connection.reader.windows() > windows && windows == 0) {
    if (first_)
      ++others_;
    else
      choose(connection);
  }
  if (first_ == &connection)
    copies_.take(connection.line, connection.reader);
  else if (!first_)
    connection.early.push_back(connection.line);
}

void Session::choose(Connection& connection) {
  first_ = &connection;
  for (const std::string& line : connection.early) copies_.take(line, connection.reader);
  connection.early.clear();
}

Watched Session::finish() {
  Watched watched;
  for (const std::string& word : flags_.program) watched.title += (watched.title.empty() ? "" : " ") + word;
  watched.status = WIFSIGNALED(wait_status_) ? 128 + WTERMSIG(wait_status_) : WEXITSTATUS(wait_status_);
  const bool started = !connections_.empty() || !gone_.empty();
  connections_.splice(connections_.end(), gone_);
  // One that was killed before its first window, or whose only numbers are the last.
  for (const auto& connection : connections_)
    if (!first_ && connection->reader.complete()) choose(*connection);
  if (!first_) {
    if (!refused_.empty())
      watched.remarks.push_back(fmt::format("{} was not watched: {}", flags_.program[0], refused_));
    else if (!started)
      watched.remarks.push_back(fmt::format(
          "{} was not watched: it did not load LibTorch as a shared library (is it linked statically, or unused?)",
          flags_.program[0]));
    else
      watched.remarks.push_back(fmt::format("{} ended before anything could be observed", flags_.program[0]));
    if (watched.status == 0) watched.status = 2;
    return watched;
  }
  const show::LineReader& reader = first_->reader;
  watched.record = reader.record();
  watched.findings = reader.complete() ? reader.findings() : united(reader.findings(), judge(watched.record));
  watched.observed = !watched.record.layers.empty() || !watched.record.non_finite.empty();
  if (!watched.observed) {
    watched.remarks.push_back(fmt::format("no activation was seen in {}", flags_.program[0]));
    if (watched.status == 0) watched.status = 2;
    return watched;
  }
  if (!reader.complete())
    watched.remarks.push_back(
        fmt::format("{} ended before the monitor could: what it kept of single units is missing", flags_.program[0]));
  if (others_ > 0)
    watched.remarks.push_back(fmt::format("{} other process{} trained, too; shown is the first, number {}", others_,
                                          others_ == 1 ? "" : "es", reader.process()));
  return watched;
}

}  // namespace

Watched watch_program(const WatchFlags& flags) { return Session(flags).run(); }

}  // namespace ogee::cli
