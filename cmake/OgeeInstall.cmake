# What `cmake --install` puts where: a package that may be moved, found with find_package(ogee COMPONENTS core torch).
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/ogee)

install(TARGETS ogee_core EXPORT ogeeCoreTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT core)
install(EXPORT ogeeCoreTargets NAMESPACE ogee:: DESTINATION ${package_dir} COMPONENT core)
install(FILES ${PROJECT_SOURCE_DIR}/include/ogee/ogee.h ${PROJECT_SOURCE_DIR}/include/ogee/spec.h
              ${PROJECT_SOURCE_DIR}/include/ogee/sparse.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ogee COMPONENT core)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT core)

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/ogeeConfig.cmake.in ${PROJECT_BINARY_DIR}/ogeeConfig.cmake
                              INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/ogeeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/ogeeConfig.cmake ${PROJECT_BINARY_DIR}/ogeeConfigVersion.cmake
        DESTINATION ${package_dir} COMPONENT core)

# Libraries and the program find each other wherever the prefix lies, and LibTorch where it was found, unless the system
# looks there anyway.
set(torch_rpath "")
if(OGEE_TORCH_LIBRARY_DIR AND NOT OGEE_TORCH_LIBRARY_DIR IN_LIST CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES)
  set(torch_rpath ${OGEE_TORCH_LIBRARY_DIR})
endif()
file(RELATIVE_PATH bin_to_lib /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})

if(TARGET ogee_torch)
  set_target_properties(ogee_torch PROPERTIES INSTALL_RPATH "$ORIGIN;${torch_rpath}")
  install(TARGETS ogee_torch EXPORT ogeeTorchTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT torch)
  install(EXPORT ogeeTorchTargets NAMESPACE ogee:: DESTINATION ${package_dir} COMPONENT torch)
  install(FILES ${CMAKE_CURRENT_LIST_DIR}/OgeeLibTorch.cmake DESTINATION ${package_dir} COMPONENT torch)
  install(FILES ${PROJECT_SOURCE_DIR}/include/ogee/torch.h ${PROJECT_SOURCE_DIR}/include/ogee/libtorch.h
                ${PROJECT_SOURCE_DIR}/include/ogee/torch_sparse.h
                ${PROJECT_SOURCE_DIR}/include/ogee/torch_overlap.h
                ${PROJECT_SOURCE_DIR}/include/ogee/torch_attention.h
                ${PROJECT_SOURCE_DIR}/include/ogee/torch_memory.h ${PROJECT_SOURCE_DIR}/include/ogee/torch_recurrent.h
          DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ogee COMPONENT torch)
endif()
if(TARGET ogee_monitor)
  set_target_properties(ogee_monitor PROPERTIES INSTALL_RPATH "$ORIGIN;${torch_rpath}")
  # ogee_watch is preloaded, never linked.
  install(TARGETS ogee_monitor EXPORT ogeeTorchTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT torch)
  install(TARGETS ogee_watch LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT torch)
  install(FILES ${PROJECT_SOURCE_DIR}/include/ogee/monitor.h ${PROJECT_SOURCE_DIR}/include/ogee/monitor_record.h
          DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ogee COMPONENT torch)
endif()
if(TARGET ogee_lab)
  set_target_properties(ogee_lab PROPERTIES INSTALL_RPATH "$ORIGIN;${torch_rpath}")
  install(TARGETS ogee_lab EXPORT ogeeTorchTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT torch)
  install(TARGETS ogee_subwords RUNTIME DESTINATION ${CMAKE_INSTALL_LIBDIR}/ogee COMPONENT torch)
  install(FILES ${PROJECT_SOURCE_DIR}/include/ogee/lab.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ogee COMPONENT torch)
endif()
if(TARGET ogee_program)
  set_target_properties(ogee_program PROPERTIES INSTALL_RPATH "$ORIGIN/${bin_to_lib};${torch_rpath}")
  install(TARGETS ogee_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
endif()
