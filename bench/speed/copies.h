// What memory itself costs: loops that only load and store, with the vectors of the target in use.
#pragma once

#include <cstddef>

namespace ogee::bench {

enum class Stores { ordinary, streaming };

// y = x, bytes long.
void copy(const void* x, void* y, std::size_t bytes, Stores stores, int threads);
// y = a + b as floats: three streams, as backward has (read x and dy, write dx) and a gated forward.
void add(const void* a, const void* b, void* y, std::size_t bytes, Stores stores, int threads);
// y = a + b, z = a + c: five streams, as a gated backward has (read a, b and dy, write da and db).
void add_twice(const void* a, const void* b, const void* c, void* y, void* z, std::size_t bytes, Stores stores,
               int threads);

}  // namespace ogee::bench
