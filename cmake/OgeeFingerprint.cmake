# cmake -DDIRECTORY=src -DOUT=fingerprint.h -P OgeeFingerprint.cmake
# A header with a checksum of all that the kernels are made of, by which stored measurements know whose they are.
file(GLOB_RECURSE sources "${DIRECTORY}/functions/*" "${DIRECTORY}/lanes/*" "${DIRECTORY}/kernels/*" "${DIRECTORY}/accuracy/*")
list(SORT sources)
set(all "")
foreach(source IN LISTS sources)
  file(SHA256 "${source}" one)
  string(APPEND all "${one}")
endforeach()
string(SHA256 all "${all}")
string(SUBSTRING "${all}" 0 16 short)
file(CONFIGURE OUTPUT "${OUT}" CONTENT "#pragma once\n#define OGEE_KERNELS_FINGERPRINT \"${short}\"\n")
