#include "monitor/show/events.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "monitor/measures.h"
#include "ogee/ogee.h"

namespace ogee::monitor::show {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (value & 1 ? 0x82f63b78u : 0u);
    table[i] = value;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> crc_table = make_table();

// Protocol buffers: a field is its number and kind, then a number of seven bits a byte, four or eight bytes, or bytes
// counted.
enum Kind { varint = 0, eight_bytes = 1, counted = 2, four_bytes = 5 };

class Message {
 public:
  Message& number(int field, std::uint64_t value) {
    key(field, varint);
    put(value);
    return *this;
  }
  Message& real(int field, double value) {
    key(field, eight_bytes);
    raw(std::bit_cast<std::uint64_t>(value), 8);
    return *this;
  }
  Message& single(int field, float value) {
    key(field, four_bytes);
    raw(std::bit_cast<std::uint32_t>(value), 4);
    return *this;
  }
  Message& bytes(int field, std::string_view value) {
    key(field, counted);
    put(value.size());
    text_ += value;
    return *this;
  }
  Message& reals(int field, std::span<const double> values) {  // packed
    key(field, counted);
    put(8 * values.size());
    for (const double value : values) raw(std::bit_cast<std::uint64_t>(value), 8);
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  void key(int field, Kind kind) { put(static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(kind)); }
  void put(std::uint64_t value) {
    for (; value >= 128; value >>= 7) text_ += static_cast<char>(value | 128);
    text_ += static_cast<char>(value);
  }
  void raw(std::uint64_t value, int count) {
    for (int i = 0; i < count; ++i) text_ += static_cast<char>(value >> (8 * i));
  }
  std::string text_;
};

// The numbers of Event, Summary, Summary.Value, HistogramProto, TensorProto and SummaryMetadata, from TensorFlow's
// *.proto files.
namespace field {
constexpr int event_wall_time = 1, event_step = 2, event_file_version = 3, event_summary = 5;
constexpr int summary_value = 1;
constexpr int value_tag = 1, value_simple = 2, value_histogram = 5, value_tensor = 8, value_metadata = 9;
constexpr int histogram_min = 1, histogram_max = 2, histogram_count = 3, histogram_sum = 4, histogram_squares = 5,
              histogram_limits = 6, histogram_counts = 7;
constexpr int tensor_type = 1, tensor_shape = 2, tensor_strings = 8;
constexpr int shape_dim = 2, dim_size = 1;
constexpr int metadata_plugin = 1, plugin_name = 1;
}  // namespace field
constexpr std::uint64_t type_string = 7;

std::string fixed(std::uint64_t value, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) result += static_cast<char>(value >> (8 * i));
  return result;
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

// Shares between quantiles, as though of 1,000 numbers: half of what lies beyond 5 % and 95 % within as far again.
std::string quantile_histogram(const Snapshot& s) {
  const std::array<double, 5> q{s.z_05, s.z_25, s.z_50, s.z_75, s.z_95};
  for (std::size_t i = 0; i < q.size(); ++i)
    if (!std::isfinite(q[i]) || (i > 0 && q[i] < q[i - 1])) return "";
  const double least = q[0] - (q[1] - q[0]), most = q[4] + (q[4] - q[3]);
  const std::array<double, 7> limits{least, q[0], q[1], q[2], q[3], q[4], most};
  const std::array<double, 7> counts{0, 50, 200, 250, 250, 200, 50};
  const double mean = std::isfinite(s.z_mean) ? s.z_mean : q[2];
  const double deviation = std::isfinite(s.z_deviation) ? s.z_deviation : 0;
  return Message()
      .real(field::histogram_min, least)
      .real(field::histogram_max, most)
      .real(field::histogram_count, 1000)
      .real(field::histogram_sum, 1000 * mean)
      .real(field::histogram_squares, 1000 * (mean * mean + deviation * deviation))
      .reals(field::histogram_limits, limits)
      .reals(field::histogram_counts, counts)
      .text();
}

// The quantiles are drawn as a histogram.
bool in_histogram(std::string_view name) { return name.starts_with("z_") && name.size() == 4 && name[2] <= '9'; }

// As it groups them: "saturated_left", where a layer's record has "left".
std::string group_of(std::string_view name) {
  const bool side = name.starts_with("left") || name.starts_with("right");
  return (side ? "saturated_" : "") + std::string(name);
}

std::string scalar_value(const std::string& tag, double value) {
  return Message().bytes(field::value_tag, tag).single(field::value_simple, static_cast<float>(value)).text();
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t value = ~0u;
  for (const char c : bytes) value = crc_table[(value ^ static_cast<unsigned char>(c)) & 255] ^ (value >> 8);
  return ~value;
}

std::uint32_t masked_crc32c(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xa282ead8u; }

EventWriter::EventWriter(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  char host[256] = "localhost";
  gethostname(host, sizeof(host) - 1);
  static std::atomic<int> count = 0;  // two in one second
  path_ = (std::filesystem::path(directory) / fmt::format("events.out.tfevents.{:010d}.{}.{}.{}",
                                                          static_cast<std::int64_t>(now()), host, getpid(), count++))
              .string();
  descriptor_ = error ? -1 : open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0)
    throw Error(fmt::format("{}: no event files can be made there: {}", directory,
                            error ? error.message() : std::strerror(errno)));
  add_record(Message().real(field::event_wall_time, now()).bytes(field::event_file_version, "brain.Event:2").text());
  flush();
}

EventWriter::~EventWriter() {
  flush();
  if (descriptor_ >= 0) close(descriptor_);
}

void EventWriter::add_record(std::string_view data) {
  const std::string length = fixed(data.size(), 8);
  waiting_ += length;
  waiting_ += fixed(masked_crc32c(length), 4);
  waiting_ += data;
  waiting_ += fixed(masked_crc32c(data), 4);
}

void EventWriter::event(std::int64_t step, std::string_view summary) {
  if (descriptor_ < 0) return;
  add_record(Message()
                 .real(field::event_wall_time, now())
                 .number(field::event_step, static_cast<std::uint64_t>(step))
                 .bytes(field::event_summary, summary)
                 .text());
}

void EventWriter::scalar(std::int64_t step, const std::string& tag, double value) {
  event(step, Message().bytes(field::summary_value, scalar_value(tag, value)).text());
}

void EventWriter::layer(std::int64_t step, const std::string& name, const Snapshot& snapshot) {
  Message summary;
  for (const Measure& measure : measures) {
    const double value = snapshot.*measure.value;
    if (!std::isnan(value) && !in_histogram(measure.name))
      summary.bytes(field::summary_value, scalar_value(group_of(measure.name) + "/" + name, value));
  }
  for (std::size_t i = 0; i < snapshot.parameters.size(); ++i)
    summary.bytes(field::summary_value,
                  scalar_value(fmt::format("parameter_{}/{}", i + 1, name), snapshot.parameters[i]));
  const std::string quantiles = quantile_histogram(snapshot);
  if (!quantiles.empty())
    summary.bytes(field::summary_value,
                  Message().bytes(field::value_tag, "z/" + name).bytes(field::value_histogram, quantiles).text());
  if (!summary.text().empty()) event(step, summary.text());
}

void EventWriter::histogram(std::int64_t step, const std::string& tag, double low, double high,
                            std::span<const double> bins) {
  if (bins.empty()) return;
  const double width = (high - low) / static_cast<double>(bins.size());
  std::vector<double> limits;  // the upper ones
  double count = 0, sum = 0, squares = 0;
  for (std::size_t i = 0; i < bins.size(); ++i) {
    limits.push_back(low + width * static_cast<double>(i + 1));
    const double middle = limits.back() - width / 2;
    count += bins[i];
    sum += bins[i] * middle;
    squares += bins[i] * middle * middle;
  }
  const std::string message = Message()
                                  .real(field::histogram_min, low)
                                  .real(field::histogram_max, high)
                                  .real(field::histogram_count, count)
                                  .real(field::histogram_sum, sum)
                                  .real(field::histogram_squares, squares)
                                  .reals(field::histogram_limits, limits)
                                  .reals(field::histogram_counts, bins)
                                  .text();
  event(step, Message()
                  .bytes(field::summary_value,
                         Message().bytes(field::value_tag, tag).bytes(field::value_histogram, message).text())
                  .text());
}

void EventWriter::text(std::int64_t step, const std::string& tag, const std::string& words) {
  const std::string shape = Message().bytes(field::shape_dim, Message().number(field::dim_size, 1).text()).text();
  const std::string tensor = Message()
                                 .number(field::tensor_type, type_string)
                                 .bytes(field::tensor_shape, shape)
                                 .bytes(field::tensor_strings, words)
                                 .text();
  const std::string metadata =
      Message().bytes(field::metadata_plugin, Message().bytes(field::plugin_name, "text").text()).text();
  event(step, Message()
                  .bytes(field::summary_value, Message()
                                                   .bytes(field::value_tag, tag)
                                                   .bytes(field::value_metadata, metadata)
                                                   .bytes(field::value_tensor, tensor)
                                                   .text())
                  .text());
}

void EventWriter::finding(std::int64_t step, const Finding& f) {
  std::string words = fmt::format("**{}**{}", f.rule, f.layer.empty() ? "" : " in `" + f.layer + "`");
  if (f.since > 0) words += fmt::format(" since step {}", f.since);
  for (const std::string& part : {f.evidence, f.why, f.advice})
    if (!part.empty()) words += "\n\n" + part;
  if (!f.command.empty()) words += "\n\n`" + f.command + "`";
  text(step, "findings/" + f.rule + (f.layer.empty() ? "" : "/" + f.layer), words);
}

bool EventWriter::flush() {
  std::size_t done = 0;
  while (descriptor_ >= 0 && done < waiting_.size()) {
    const ssize_t sent = ::write(descriptor_, waiting_.data() + done, waiting_.size() - done);
    if (sent > 0) {
      done += static_cast<std::size_t>(sent);
    } else if (errno != EINTR) {
      why_ = fmt::format("{}: cannot be written: {}", path_, std::strerror(errno));
      close(descriptor_);
      descriptor_ = -1;
    }
  }
  waiting_.clear();
  return descriptor_ >= 0;
}

}  // namespace ogee::monitor::show
