# cortado_kernel(FAMILY): adds native/kernels/FAMILY/*.cpp to the library, each with the flags of its instruction set, and
# its *_test.cpp as tests of the same names. A NAME_gpu_test also runs, in its smaller shapes, with other orders of simt's
# fibers.
function(cortado_kernel family)
    set(folder ${CMAKE_CURRENT_SOURCE_DIR}/kernels/${family})
    file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp)
    list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
    foreach(source ${sources})
        cortado_isa_flags(${source})
    endforeach()
    if(sources)
        target_sources(cortado_objects PRIVATE ${sources})
    endif()
    file(GLOB tests CONFIGURE_DEPENDS ${folder}/*_test.cpp)
    foreach(test ${tests})
        get_filename_component(name ${test} NAME_WE)
        string(REGEX REPLACE "_test$" "" name ${name})
        # ThreadSanitizer watches simt's own threads in simt's own test; simt watches the kernels'.
        if(CORTADO_TSAN AND name MATCHES "_gpu$")
            continue()
        endif()
        cortado_test(${name} ${test})
        if(name MATCHES "_gpu$")
            cortado_other_orders(${name})
        endif()
    endforeach()
endfunction()

# cortado_test(NAME SOURCE): a program that exits 0 when all is right; sees the ABI and what the ABI hides.
function(cortado_test name source)
    add_executable(${name}_test ${source} $<TARGET_OBJECTS:cortado_objects>)
    target_include_directories(${name}_test PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/include ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${name}_test PRIVATE Threads::Threads)
    add_test(NAME ${name} COMMAND ${CORTADO_TEST_LAUNCHER} $<TARGET_FILE:${name}_test>)
    set_tests_properties(${name} PROPERTIES TIMEOUT 600)
endfunction()

# Runs a test of CUDA kernels again, in its short form, with other orders of fibers, blocks and asynchronous copies. Not
# under sanitizers: ThreadSanitizer finds races in whatever order they come, and places in memory are those of every order.
function(cortado_other_orders name)
    if(CORTADO_TSAN OR CORTADO_SANITIZE)
        return()
    endif()
    foreach(seed 1 7)
        add_test(NAME ${name}_order${seed} COMMAND ${CORTADO_TEST_LAUNCHER} $<TARGET_FILE:${name}_test>)
        set_tests_properties(${name}_order${seed} PROPERTIES TIMEOUT 600 ENVIRONMENT
                             "CORTADO_SIMT_SEED=${seed};CORTADO_QUICK=1;CORTADO_DEVICES=simt:0")
    endforeach()
endfunction()
