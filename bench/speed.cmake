# The library behind `ogee bench`: everybody who is timed beside Ogee. The program alone links it, so that neither the
# core nor the operators ever depend on a peer. Peers with headers of their own are built in where those are found;
# the others are looked for when the program runs.
file(GLOB bench_sources CONFIGURE_DEPENDS speed/*.cc)
set(torch_sources ${CMAKE_CURRENT_SOURCE_DIR}/speed/tensors.cc ${CMAKE_CURRENT_SOURCE_DIR}/speed/ours_torch.cc)
list(REMOVE_ITEM bench_sources ${torch_sources})
# What includes LibTorch, compiled as the laboratory is, to use the same precompiled header.
add_library(ogee_bench_torch OBJECT ${torch_sources} peers/libtorch.cc peers/composed.cc)
target_include_directories(ogee_bench_torch PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(ogee_bench_torch PRIVATE
                      $<TARGET_GENEX_EVAL:ogee_lab,$<TARGET_PROPERTY:ogee_lab,LINK_LIBRARIES>>)
target_compile_options(ogee_bench_torch PRIVATE $<TARGET_PROPERTY:ogee_lab,COMPILE_OPTIONS>)
target_precompile_headers(ogee_bench_torch REUSE_FROM ogee_headers)
add_library(ogee_bench STATIC ${bench_sources} $<TARGET_OBJECTS:ogee_bench_torch> peers/onednn3.cc peers/mkl.cc)
target_include_directories(ogee_bench PUBLIC ${PROJECT_SOURCE_DIR} PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(ogee_bench PUBLIC ogee_torch fmt::fmt nlohmann_json::nlohmann_json
                      PRIVATE ogee_options ogee_simd hwy::hwy OpenMP::OpenMP_CXX ${CMAKE_DL_LIBS})

find_path(OGEE_DNNL_INCLUDE dnnl.h)
find_library(OGEE_DNNL_LIBRARY dnnl)
mark_as_advanced(OGEE_DNNL_INCLUDE OGEE_DNNL_LIBRARY)
if(OGEE_DNNL_INCLUDE AND OGEE_DNNL_LIBRARY)
  foreach(header dnnl_version.h oneapi/dnnl/dnnl_version.h)
    if(EXISTS ${OGEE_DNNL_INCLUDE}/${header})
      file(STRINGS ${OGEE_DNNL_INCLUDE}/${header} dnnl_major REGEX "^#define DNNL_VERSION_MAJOR 2")
    endif()
  endforeach()
  if(dnnl_major)  # version 3 has another interface: see peers/onednn3.cc
    target_sources(ogee_bench PRIVATE peers/onednn2.cc)
    target_compile_definitions(ogee_bench PRIVATE OGEE_PEER_ONEDNN2=1)
    target_link_libraries(ogee_bench PRIVATE ${OGEE_DNNL_LIBRARY})
  endif()
endif()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  # Loops for one set of instructions each, chosen when the program runs. Contraction and -O3 as their users have them;
  # GCC 12 takes an operand that its own header leaves undefined for an uninitialised variable.
  set(peer_flags -O3 -ffp-contract=fast)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    list(APPEND peer_flags -Wno-maybe-uninitialized -Wno-uninitialized)
  endif()
  set(avx2_flags ${peer_flags} -mavx2 -mfma)
  set(avx512_flags ${avx2_flags} -mavx512f -mavx512dq -mavx512bw -mavx512vl)

  find_path(OGEE_SLEEF_INCLUDE sleef.h)
  find_library(OGEE_SLEEF_LIBRARY sleef)
  mark_as_advanced(OGEE_SLEEF_INCLUDE OGEE_SLEEF_LIBRARY)
  if(OGEE_SLEEF_INCLUDE AND OGEE_SLEEF_LIBRARY)
    target_sources(ogee_bench PRIVATE peers/sleef.cc peers/sleef_avx2.cc peers/sleef_avx512.cc)
    target_compile_definitions(ogee_bench PRIVATE OGEE_PEER_SLEEF=1)
    target_link_libraries(ogee_bench PRIVATE ${OGEE_SLEEF_LIBRARY})
  endif()
  find_package(Eigen3 QUIET NO_MODULE)
  if(TARGET Eigen3::Eigen)
    target_sources(ogee_bench PRIVATE peers/eigen.cc peers/eigen_avx2.cc peers/eigen_avx512.cc)
    target_compile_definitions(ogee_bench PRIVATE OGEE_PEER_EIGEN=1)
    target_link_libraries(ogee_bench PRIVATE Eigen3::Eigen)
  endif()
  foreach(peer sleef eigen)
    set_source_files_properties(peers/${peer}_avx2.cc PROPERTIES COMPILE_OPTIONS "${avx2_flags}")
    set_source_files_properties(peers/${peer}_avx512.cc PROPERTIES COMPILE_OPTIONS "${avx512_flags}")
  endforeach()
endif()
