# cmake -DDIRECTORY=src -DOUT=fingerprint.h -P OgeeFingerprint.cmake
# A header with a checksum, for each family of functions, of all that its float32 kernels are made of, by which stored
# measurements know whose they are: what all share, and the definitions up to its own, as later ones build on earlier
# ones. Quick forms and their tables are a family's own. How a call is cut into rows, conversions, noise, masks, threads,
# dense and sparse products and recurrent cells do no arithmetic of a function's.
file(GLOB shared "${DIRECTORY}/functions/*.h" "${DIRECTORY}/lanes/*" "${DIRECTORY}/kernels/*"
     "${DIRECTORY}/kernels/quick/forms-inl.h" "${DIRECTORY}/kernels/quick/rows-inl.h" "${DIRECTORY}/accuracy/*")
list(FILTER shared EXCLUDE REGEX
     "/kernels/(dense|sparse|recurrent|quick|(convert|driver|mask|noise|normal_table|threads)\\.[a-z]+)$")
list(SORT shared)
set(all "")
foreach(source IN LISTS shared)
  file(SHA256 "${source}" one)
  string(APPEND all "${one}")
endforeach()
file(STRINGS "${DIRECTORY}/functions/catalogue.inc" lines REGEX "^#include")
set(families "")
foreach(line IN LISTS lines)
  string(REGEX REPLACE ".*/([a-z]+)\\.inc.*" "\\1" family "${line}")
  file(SHA256 "${DIRECTORY}/functions/${family}.inc" one)
  string(APPEND all "${one}")
  set(own "${all}")
  file(GLOB quick "${DIRECTORY}/kernels/quick/${family}*")
  list(SORT quick)
  foreach(source IN LISTS quick)
    file(SHA256 "${source}" one)
    string(APPEND own "${one}")
  endforeach()
  string(SHA256 short "${own}")
  string(SUBSTRING "${short}" 0 16 short)
  string(APPEND families "    {\"${family}\", \"${short}\"},\n")
endforeach()
file(CONFIGURE OUTPUT "${OUT}" @ONLY CONTENT "#pragma once
#include <string_view>
#include <utility>
namespace ogee::accuracy {
inline constexpr std::pair<std::string_view, std::string_view> fingerprints[] = {
@families@};
}
")
