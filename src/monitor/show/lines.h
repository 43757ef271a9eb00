// A monitor's lines of JSON: written as they happen, each whole and flushed, so that a killed program leaves valid
// ones; and read back.
//
//   {"event":"start","format":1,"process":4711,"program":"train"}
//   {"event":"layer","layer":{...}}                                    once for each, before its first window
//   {"event":"window","step":12,"loss":0.3,"layers":[{"name":..,"snapshot":{..}},..]}
//   {"event":"about","record":{..}}                                    now and then: the record without layers and
//   losses
//   {"event":"finding","step":12,"finding":{..}}                       as it appears
//   {"event":"resolved","step":99,"rule":"..","layer":".."}            if it goes away again
//   {"event":"record","record":{..},"findings":[..]}                   at the end, if the program reaches it
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "ogee/monitor_record.h"

namespace ogee::monitor::show {

class LineWriter {
 public:
  // A file (replaced), "-" for stdout, "unix:PATH" for a socket. Throws ogee::Error.
  explicit LineWriter(const std::string& target);
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // False once nothing can be written any more; then `why()` says so.
  bool write(const nlohmann::ordered_json& event);
  const std::string& why() const { return why_; }

 private:
  std::string target_, why_;
  int descriptor_ = -1;
  bool socket_ = false;
};

// Takes lines in any pieces, and builds the record that they tell of.
class LineReader {
 public:
  // Bytes as they come. A line without its end is kept until the rest comes.
  void take(std::string_view bytes);
  // No more will come: a last line without its end counts if it is whole but for that, and is bad otherwise.
  void end();
  // One line. False, and counted as bad, if it is no event.
  bool take_line(std::string_view line);

  bool started() const { return started_; }
  // Whether the last event came, and the record is the one that the program itself kept, units and all.
  bool complete() const { return complete_; }
  std::int64_t windows() const { return windows_; }
  std::int64_t bad_lines() const { return bad_lines_; }
  std::int64_t process() const { return process_; }
  const std::string& program() const { return program_; }
  const Record& record() const { return record_; }
  // Those of the program, as they stand.
  const std::vector<Finding>& findings() const { return findings_; }

 private:
  void take_event(const nlohmann::ordered_json& event);
  void take_window(const nlohmann::ordered_json& event);

  std::string rest_;
  Record record_;
  std::vector<Finding> findings_;
  std::string program_;
  std::int64_t process_ = 0, windows_ = 0, bad_lines_ = 0;
  bool started_ = false, complete_ = false;
};

// A whole file of lines. Throws ogee::Error if it cannot be read or holds no event.
LineReader read_lines(const std::string& path);

}  // namespace ogee::monitor::show
