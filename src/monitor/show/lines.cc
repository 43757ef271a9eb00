#include "monitor/show/lines.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "monitor/json.h"
#include "ogee/ogee.h"

namespace ogee::monitor::show {
namespace {

using Json = nlohmann::ordered_json;
constexpr std::size_t longest_history = 256, most_losses = 512;

int connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    errno = ENAMETOOLONG;
    return -1;
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  if (connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return descriptor;
  const int error = errno;
  close(descriptor);
  errno = error;
  return -1;
}

// Drops the one whose neighbours lie closest together in time, so that the rest stay even; never the first or the last.
template <class T>
void thin(std::vector<T>& values, std::size_t limit) {
  if (values.size() <= limit) return;
  std::size_t least = 1;
  for (std::size_t i = 2; i + 1 < values.size(); ++i)
    if (values[i + 1].step - values[i - 1].step < values[least + 1].step - values[least - 1].step) least = i;
  values.erase(values.begin() + static_cast<std::ptrdiff_t>(least));
}

}  // namespace

LineWriter::LineWriter(const std::string& target) : target_(target) {
  socket_ = target.starts_with("unix:");
  if (target == "-")
    descriptor_ = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  else if (socket_)
    descriptor_ = connect_to(target.substr(5));
  else
    descriptor_ = open(target.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw Error(fmt::format("{}: cannot be written: {}", target, std::strerror(errno)));
  // A reader that has stopped must not stop the program.
  const timeval patience{.tv_sec = 10, .tv_usec = 0};
  if (socket_) setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

LineWriter::~LineWriter() {
  if (descriptor_ >= 0) close(descriptor_);
}

bool LineWriter::write(const Json& event) {
  if (descriptor_ < 0) return false;
  // Names need not be UTF-8; what is not becomes a mark.
  const std::string line = event.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  std::size_t done = 0;
  while (done < line.size()) {
    const auto size = line.size() - done;
    const ssize_t sent = socket_ ? send(descriptor_, line.data() + done, size, MSG_NOSIGNAL)
                                 : ::write(descriptor_, line.data() + done, size);
    if (sent > 0) {
      done += static_cast<std::size_t>(sent);
    } else if (errno != EINTR) {
      why_ = fmt::format("{}: cannot be written: {}", target_, std::strerror(errno));
      close(descriptor_);
      descriptor_ = -1;
      return false;
    }
  }
  return true;
}

void LineReader::take(std::string_view bytes) {
  std::size_t end = 0;
  while ((end = bytes.find('\n')) != std::string_view::npos) {
    if (rest_.empty()) {
      take_line(bytes.substr(0, end));
    } else {
      rest_ += bytes.substr(0, end);
      take_line(rest_);
      rest_.clear();
    }
    bytes.remove_prefix(end + 1);
  }
  rest_ += bytes;
}

void LineReader::end() {
  if (rest_.empty() || !take_line(rest_)) return;
  rest_.clear();
}

bool LineReader::take_line(std::string_view line) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) return true;
  try {
    take_event(Json::parse(line));
    return true;
  } catch (const nlohmann::json::exception&) {
    ++bad_lines_;
    return false;
  }
}

void LineReader::take_event(const Json& event) {
  const auto kind = event.at("event").get<std::string>();
  if (kind == "start") {
    process_ = event.value("process", std::int64_t{0});
    program_ = event.value("program", std::string());
  } else if (kind == "layer") {
    auto layer = event.at("layer").get<Layer>();
    for (Layer& known : record_.layers) {
      if (known.name != layer.name) continue;
      layer.first = known.first, layer.history = std::move(known.history), layer.windows = known.windows;
      known = std::move(layer);
      started_ = true;
      return;
    }
    record_.layers.push_back(std::move(layer));
    std::stable_sort(record_.layers.begin(), record_.layers.end(),
                     [](const Layer& a, const Layer& b) { return a.order < b.order; });
  } else if (kind == "window") {
    take_window(event);
  } else if (kind == "finding") {
    findings_.push_back(event.at("finding").get<Finding>());
    std::stable_sort(findings_.begin(), findings_.end(), [](const Finding& a, const Finding& b) {
      return std::pair(a.severity, a.sure) > std::pair(b.severity, b.sure);
    });
  } else if (kind == "resolved") {
    const auto rule = event.at("rule").get<std::string>(), layer = event.at("layer").get<std::string>();
    std::erase_if(findings_, [&](const Finding& f) { return f.rule == rule && f.layer == layer; });
  } else if (kind == "about") {
    auto about = event.at("record").get<Record>();
    about.layers = std::move(record_.layers);
    about.losses = std::move(record_.losses);
    about.steps = std::max(about.steps, record_.steps);
    record_ = std::move(about);
  } else if (kind == "record") {
    auto record = event.at("record").get<Record>();
    findings_ = event.at("findings").get<std::vector<Finding>>();
    record_ = std::move(record);
    complete_ = true;
  }
  // Other kinds are left to later versions.
  started_ = true;
}

void LineReader::take_window(const Json& event) {
  const auto step = event.at("step").get<std::int64_t>();
  ++windows_;
  record_.steps = std::max(record_.steps, step);
  ++record_.observed_steps;
  if (event.contains("loss") && event["loss"].is_number()) {
    record_.losses.push_back({step, event["loss"].get<double>()});
    thin(record_.losses, most_losses);
  }
  for (const Json& entry : event.at("layers")) {
    const auto name = entry.at("name").get<std::string>();
    auto at =
        std::find_if(record_.layers.begin(), record_.layers.end(), [&](const Layer& l) { return l.name == name; });
    if (at == record_.layers.end()) {
      Layer layer;
      layer.name = name;
      layer.order = static_cast<std::int64_t>(record_.layers.size());
      at = record_.layers.insert(record_.layers.end(), layer);
    }
    auto snapshot = entry.at("snapshot").get<Snapshot>();
    if (at->windows++ == 0) at->first = snapshot;
    at->steps_as_seen = snapshot.step;
    at->history.push_back(std::move(snapshot));
    thin(at->history, longest_history);
  }
}

LineReader read_lines(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  LineReader reader;
  std::string piece(1 << 16, '\0');
  while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())) || file.gcount() > 0)
    reader.take({piece.data(), static_cast<std::size_t>(file.gcount())});
  if (file.bad()) throw Error(path + ": cannot be read to its end");
  reader.end();
  if (!reader.started()) throw Error(path + ": no line of it is a monitor's (expected those of ogee watch --json)");
  return reader;
}

}  // namespace ogee::monitor::show
