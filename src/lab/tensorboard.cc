#include "lab/tensorboard.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "monitor/show/events.h"
#include "ogee/ogee.h"

namespace ogee::lab {
namespace {

namespace fs = std::filesystem;

// TensorBoard would show an older file's curves beside the new ones.
void remove_events(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) return;
  std::vector<fs::path> old;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path().filename().string().starts_with("events.out.tfevents.")) old.push_back(entry.path());
  for (const fs::path& path : old) fs::remove(path, error);
}

void write_run(const fs::path& folder, const StoredRun& run) {
  remove_events(folder);
  monitor::show::EventWriter events(folder.string());
  const auto scalar = [&](std::int64_t epoch, const std::string& tag, double value) {
    if (std::isfinite(value)) events.scalar(epoch, tag, value);
  };
  for (const Point& point : run.result.points) {
    scalar(point.epoch, "loss/train", point.train_loss);
    scalar(point.epoch, "loss/validation", point.validation_loss);
    scalar(point.epoch, "error/validation", point.validation_error);
    for (std::size_t i = 0; i < point.gradients.size(); ++i)
      scalar(point.epoch, fmt::format("gradient/layer {:02}", i + 1), point.gradients[i]);
    for (std::size_t i = 0; i < point.histograms.size(); ++i)
      events.histogram(point.epoch, fmt::format("into activation/layer {:02}", i + 1), histogram_low, histogram_high,
                       point.histograms[i]);
  }
  const std::int64_t last = run.result.points.empty() ? 0 : run.result.points.back().epoch;
  scalar(last, "error/test", run.result.test_error);
  scalar(last, "loss/test", run.result.test_loss);
  for (const monitor::Finding& finding : run.result.findings) events.finding(finding.since, finding);
  if (!events.flush()) throw Error(events.why());
}

}  // namespace

void write_events(const std::string& directory, const std::vector<StoredRun>& runs) {
  for (const StoredRun& run : runs) {
    if (run.key.stage != Stage::result) continue;
    std::string arm = run.key.arm;
    std::replace(arm.begin(), arm.end(), '/', '_');
    write_run(fs::path(directory) / arm / fmt::format("seed {}", run.key.seed), run);
  }
}

}  // namespace ogee::lab
