#include "monitor/show/output.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "monitor/json.h"
#include "monitor/show/events.h"
#include "monitor/show/lines.h"

namespace ogee::monitor::show {
namespace {

using Json = nlohmann::ordered_json;

// Judging takes at most this share of the time, and happens at most so often.
constexpr double judging_share = 0.002, judging_seconds = 1;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::string program_name() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string words((std::istreambuf_iterator<char>(file)), {});
  std::replace(words.begin(), words.end(), '\0', ' ');
  words.erase(words.find_last_not_of(' ') + 1);
  return words.substr(0, 400);
}

// What a line may hold, however large the network: about ten megabytes.
constexpr std::size_t most_units = 16384, most_snapshots = 16384;

// At most so many, evenly spaced, with the first and the last.
template <class T>
void thin(std::vector<T>& values, std::size_t limit) {
  if (values.size() <= limit || limit < 2) return;
  for (std::size_t i = 0; i < limit; ++i) {
    T& taken = values[i * (values.size() - 1) / (limit - 1)];
    if (&taken != &values[i]) values[i] = std::move(taken);
  }
  values.resize(limit);
}

Record trimmed(Record record) {
  const std::size_t layers = std::max<std::size_t>(record.layers.size(), 1);
  for (Layer& layer : record.layers) {
    thin(layer.unit, std::max<std::size_t>(most_units / layers, 16));
    thin(layer.history, std::max<std::size_t>(most_snapshots / layers, 16));
  }
  return record;
}

// What makes a finding the same one as before, whatever its numbers.
auto key(const Finding& f) { return std::tie(f.rule, f.layer); }

bool contains(const std::vector<Finding>& all, const Finding& one) {
  return std::any_of(all.begin(), all.end(), [&](const Finding& f) { return key(f) == key(one); });
}

Json finite_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

}  // namespace

Output::Output(const std::string& json, const std::string& tensorboard, std::function<Record()> record)
    : record_(std::move(record)), last_judged_(now()), process_(getpid()) {
  if (!json.empty()) lines_ = std::make_unique<LineWriter>(json);
  if (!tensorboard.empty()) events_ = std::make_unique<EventWriter>(tensorboard);
  if (lines_) lines_->write({{"event", "start"}, {"format", 1}, {"process", process_}, {"program", program_name()}});
}

Output::~Output() = default;

bool Output::wanted() const { return (lines_ || events_) && getpid() == process_; }

void Output::give_up(const std::string& why) {
  if (trouble_.empty()) trouble_ = why;
}

void Output::announce(const Layer& layer) {
  // Again when more becomes known of it, as a parameter's name.
  const std::string known = layer.name + '\n' + layer.weight + '\n' + layer.function.text;
  if (std::find(announced_.begin(), announced_.end(), known) != announced_.end()) return;
  announced_.push_back(known);
  if (!lines_) return;
  Layer bare = layer;
  bare.history.clear();
  bare.unit.clear();
  bare.first = {};
  bare.windows = 0;
  lines_->write({{"event", "layer"}, {"layer", bare}});
}

void Output::window(std::int64_t step, double loss, std::span<const LayerWindow> layers) try {
  if (!wanted()) return;
  Json entries = Json::array();
  for (const LayerWindow& each : layers) {
    announce(*each.layer);
    if (lines_) entries.push_back({{"name", each.layer->name}, {"snapshot", *each.snapshot}});
    if (events_) events_->layer(step, each.layer->name, *each.snapshot);
  }
  if (lines_ &&
      !lines_->write(
          {{"event", "window"}, {"step", step}, {"loss", finite_or_null(loss)}, {"layers", std::move(entries)}})) {
    give_up(lines_->why());
    lines_.reset();
  }
  if (events_) {
    if (!std::isnan(loss)) events_->scalar(step, "loss", loss);
    if (!events_->flush()) {
      give_up(events_->why());
      events_.reset();
    }
  }
  judge_now_and_then(step);
} catch (const std::exception& e) {
  give_up(e.what());
  lines_.reset();
  events_.reset();
}

void Output::judge_now_and_then(std::int64_t step) {
  const double begin = now();
  if (!wanted() || !record_ || begin - last_judged_ < std::max(judging_seconds, judging_took_ / judging_share)) return;
  Record record = record_();
  std::vector<Finding> found = judge(record);
  if (lines_) {
    record.layers.clear();
    record.losses.clear();
    lines_->write({{"event", "about"}, {"record", record}});
    for (const Finding& f : found_)
      if (!contains(found, f))
        lines_->write({{"event", "resolved"}, {"step", step}, {"rule", f.rule}, {"layer", f.layer}});
  }
  for (const Finding& f : found) {
    if (contains(found_, f)) continue;
    if (lines_) lines_->write({{"event", "finding"}, {"step", step}, {"finding", f}});
    if (events_) events_->finding(step, f);
  }
  found_ = std::move(found);
  last_judged_ = now();
  judging_took_ = last_judged_ - begin;
}

void Output::finish(const Record& record, const std::vector<Finding>& findings) try {
  if (!wanted()) return;
  if (lines_) {
    lines_->write({{"event", "record"}, {"record", trimmed(record)}, {"findings", findings}});
    lines_.reset();
  }
  if (events_) {
    for (const Finding& f : findings)
      if (!contains(found_, f)) events_->finding(record.steps, f);
    events_->flush();
    events_.reset();
  }
} catch (const std::exception& e) {
  give_up(e.what());
  lines_.reset();
  events_.reset();
}

}  // namespace ogee::monitor::show
