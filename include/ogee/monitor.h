// What activations do to a network in training, seen from outside:
//
//   ogee::Monitor monitor;                       // before the training loop; nothing else changes
//   ogee::Monitor monitor(*model, optimizer);    // with the names of layers, and the learning rate
//
// It sees every activation that runs, LibTorch's own and Ogee's, forward and backward, eager or TorchScript, through
// LibTorch's operator observers. It never changes a result: the same numbers, bit for bit, with and without. What it
// keeps does not grow with the training. When it goes out of scope it prints its findings to stderr; a healthy network
// gets silence.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ogee/libtorch.h"
#include "ogee/monitor_record.h"

namespace ogee {

namespace monitor {
class Observer;
}  // namespace monitor

struct MonitorOptions {
  // A window of two steps is observed every so many steps; 1: every step. 0: as often as `budget` allows.
  TORCH_ARG(std::int64_t, every) = 0;
  // The share of the program's time that observing may take where `every` is 0.
  TORCH_ARG(double, budget) = 0.01;
  // At most so many elements of a tensor are looked at; 0: all.
  TORCH_ARG(std::int64_t, sample) = 8192;
  // Looks at every operator's results in every step, to name the one that made the first NaN or infinity. Without it
  // only the step is known, and a weight whose gradient shows it.
  TORCH_ARG(bool, trace_non_finite) = false;
  // Watches what the thread that makes the monitor runs, and nothing else: several threads may have one each, which
  // must be destroyed on its own thread.
  TORCH_ARG(bool, this_thread) = false;
  // A file that gets a line of JSON for each window, and the whole record at the end; "" for none.
  TORCH_ARG(std::string, json) = "";
  // A directory for TensorBoard's event files; "" for none.
  TORCH_ARG(std::string, tensorboard) = "";
  // Prints the findings to stderr at the end.
  TORCH_ARG(bool, print) = true;
};

// One at a time in a process (or a thread, with this_thread): a second throws ogee::Error. May be made, asked and
// destroyed on any thread; programs may run LibTorch on any number of them meanwhile.
class Monitor {
 public:
  explicit Monitor(MonitorOptions options = {});
  // `model` lends names, and need not outlive the constructor.
  explicit Monitor(const torch::nn::Module& model, MonitorOptions options = {});
  // `optimizer` is asked for its learning rate, and must outlive the monitor.
  Monitor(const torch::nn::Module& model, const torch::optim::Optimizer& optimizer, MonitorOptions options = {});
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  // Calls a parameter by a name, such as those of model.named_parameters().
  void name(const at::Tensor& parameter, const std::string& name);
  // What the program runs from now on is not training, and not looked at: an evaluation that goes backward, say.
  void pause();
  void resume();
  // Called between steps, lets a monitor of one thread (MonitorOptions::this_thread) rest between its windows. Without
  // it LibTorch calls that monitor at every operator, as a backward pass undoes what a thread switched off during it. A
  // monitor of the process rests by itself.
  void between_steps();
  // All that has been seen, as bytes with which `restore` goes on in another process as though there had been no break.
  // Between two steps; empty while a window is open, which it is for at most four steps in a row. Throws ogee::Error
  // with trace_non_finite, whose tensors are not carried over.
  std::string save() const;
  // On a monitor of the same options, before its first step. `model` has the parameters that were watched, by name.
  // Throws ogee::Error if the bytes are none that `save` gave, or name a parameter that `model` has not.
  void restore(const std::string& state, const torch::nn::Module& model);
  // What has been seen so far, and what the rules say of it.
  monitor::Record record() const;
  std::vector<monitor::Finding> findings() const;

 private:
  std::unique_ptr<monitor::Observer> observer_;
};

}  // namespace ogee
