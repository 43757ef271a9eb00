// What a running monitor writes: lines of JSON, TensorBoard's events. The observer calls it after each window.
//
// It never throws after its construction and never blocks for long: a full disk or a reader that went away only ends
// the writing, with a note in the record. A process forked from the one that made it writes nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ogee/monitor_record.h"

namespace ogee::monitor::show {

// A layer in a window: what is constant about it (its history and units are not looked at), and the window's numbers.
struct LayerWindow {
  const Layer* layer = nullptr;
  const Snapshot* snapshot = nullptr;
};

class LineWriter;
class EventWriter;

class Output {
 public:
  // `json` is a file, "-" for stdout, or "unix:PATH" for a socket that somebody listens on; "" for none. `tensorboard`
  // is a directory, made if need be. `record` is asked now and then, on the thread that calls window() or finish(), to
  // judge what has been seen so far: no lock that it takes may be held then. Throws ogee::Error where a file cannot be
  // made.
  Output(const std::string& json, const std::string& tensorboard, std::function<Record()> record);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Whether there is anything to write: otherwise window() need not be called.
  bool wanted() const;
  // Calls must not overlap.
  void window(std::int64_t step, double loss, std::span<const LayerWindow> layers);
  // The whole record and its findings; what comes after is ignored. Not called: nothing of the kind is written.
  void finish(const Record& record, const std::vector<Finding>& findings);
  // Why writing ended early; "" if it did not.
  const std::string& trouble() const { return trouble_; }

 private:
  void announce(const Layer& layer);
  void judge_now_and_then(std::int64_t step);
  void give_up(const std::string& why);

  std::function<Record()> record_;
  std::unique_ptr<LineWriter> lines_;
  std::unique_ptr<EventWriter> events_;
  std::vector<std::string> announced_;  // layers, as last written
  std::vector<Finding> found_;          // as last judged
  double last_judged_ = 0, judging_took_ = 0;
  int process_ = 0;
  std::string trouble_;
};

}  // namespace ogee::monitor::show
