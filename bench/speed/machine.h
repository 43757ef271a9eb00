// The machine, and the restriction of all competitors to a set of instructions.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace ogee::bench {

// Makes Ogee and the peers use no more than this target has ("AVX2"; empty: the best one here). Must come before any
// peer's library is used: they read what restricts them once. Throws ogee::Error on a target that is not supported.
void restrict_to(const std::string& target);

// Keeps freed memory in this process, so that results that LibTorch makes anew at each call, ours and the peers' alike,
// lie in memory that was touched before: their kernels are compared, not the system's page faults.
void keep_freed_memory();

// What a document of measurements must name: processor, target, compiler, threads, memory.
std::vector<std::pair<std::string, std::string>> describe_machine();

}  // namespace ogee::bench
