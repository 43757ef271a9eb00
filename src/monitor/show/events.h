// TensorBoard's event files: records of TensorFlow's framing around protocol buffers, written without either library.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ogee/monitor_record.h"

namespace ogee::monitor::show {

// Castagnoli's CRC of 32 bits, as TFRecord masks it.
std::uint32_t crc32c(std::string_view bytes);
std::uint32_t masked_crc32c(std::string_view bytes);

class EventWriter {
 public:
  // Makes events.out.tfevents.* in the directory, which is made if need be. Throws ogee::Error.
  explicit EventWriter(const std::string& directory);
  ~EventWriter();
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;

  // What could be measured of a layer's window: scalars "measure/layer" and a histogram of its inputs, "z/layer", made
  // of their quantiles.
  void layer(std::int64_t step, const std::string& name, const Snapshot& snapshot);
  // Shares (or counts) of values in bins of equal width from `low` to `high`.
  void histogram(std::int64_t step, const std::string& tag, double low, double high, std::span<const double> bins);
  void scalar(std::int64_t step, const std::string& tag, double value);
  // In Markdown.
  void text(std::int64_t step, const std::string& tag, const std::string& words);
  void finding(std::int64_t step, const Finding& finding);
  // Everything until now is in the file. False once nothing can be written; then `why()` says so.
  bool flush();

  const std::string& why() const { return why_; }
  const std::string& path() const { return path_; }

 private:
  void event(std::int64_t step, std::string_view field);
  void add_record(std::string_view data);

  std::string path_, why_, waiting_;
  int descriptor_ = -1;
};

}  // namespace ogee::monitor::show
