// One layer as it is being observed: sums over the window at hand, and over all there was.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "monitor/function.h"
#include "monitor/statistics.h"
#include "ogee/monitor_record.h"

namespace ogee::monitor {

// What is known of the weights in front of a layer, in a window.
struct WeightNumbers {
  double weight = not_measured, gradient = not_measured, update_ratio = not_measured, reversal = not_measured;
  double one_sign = not_measured, one_sign_chance = not_measured;
};

class LayerState {
 public:
  LayerState(std::string name, std::string op, std::shared_ptr<const Function> function, std::int64_t order);

  // One call's input, before it ran. `unit_step`: every so-manieth unit is in the sample. `most`: so many of them show
  // the quantiles; 0: all.
  void input(const View& z, std::int64_t units, std::int64_t unit_step, std::int64_t elements, std::size_t most);
  // Its output; `quiet`: what it would have been without noise, or empty.
  void output(const View& y, std::span<const float> quiet);
  // The loss's gradient by the output, and by the input where that is known.
  void gradient(const View& dy, const View& dz);
  // Learned parameters of the function at this call, one array each.
  void parameters(std::size_t which, std::size_t count, std::span<const float> values);

  // Ends the window; false if nothing was seen in it. The snapshot is the history's last then.
  bool close(std::int64_t step, const WeightNumbers& weights);

  std::int64_t weight = -1;  // the observer's number of the one in front; -1: none

  Layer& record() { return record_; }
  const Layer& record() const { return record_; }
  const Function* function() const { return function_.get(); }
  void set_function(std::shared_ptr<const Function> function) { function_ = std::move(function); }

 private:
  friend struct Carrier;
  void close_units(Snapshot& snapshot);

  Layer record_;
  std::shared_ptr<const Function> function_;
  // The window.
  Moments z_;
  Histogram quantiles_;
  SideCounts sides_;
  double seen_a_unit_ = 0;
  Sums dy_, dz_;
  Moments y_;  // the first two
  double y_zeros_ = 0;
  double noise_squares_ = 0, noise_n_ = 0;
  Moments quiet_;
  std::vector<float> unit_gradient_;
  std::vector<double> parameter_[3];  // mean, low, high
  Covariance covariance_;
  bool covariance_taken_ = false;
  std::int64_t covariance_due_ = 0;
  double rank_ = not_measured, correlation_ = not_measured;
  // The window before.
  double last_mean_ = not_measured, last_deviation_ = not_measured;
};

// Takes every second snapshot out, but keeps the first and the last.
void thin(std::vector<Snapshot>& history);

}  // namespace ogee::monitor
