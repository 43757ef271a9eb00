// The part of LibTorch that Ogee is made with: tensors, autograd, torch::nn::Module and what modules are made of. The
// whole of <torch/torch.h>, with every module, optimiser and data loader, costs each file that includes it twice the
// time; who wants them includes it, before or after this.
#pragma once

#include <ATen/core/ivalue.h>  // first: in C++20 Clang needs it whole before LibTorch 1.13's lists
//
#include <torch/autograd.h>
#include <torch/cuda.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/common.h>
#include <torch/nn/modules/container/any.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>
#include <torch/optim/optimizer.h>
#include <torch/types.h>
#include <torch/utils.h>
