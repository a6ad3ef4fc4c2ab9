# The GPUs that the CUDA kernels are compiled for, and how nvcc is found and called.
#
#   CORTADO_CUDA        AUTO: build libcortado_cuda.so where nvcc is found; ON: fail without it; OFF: leave it out
#   CORTADO_CUDA_ARCHS  all, or a list such as 90a (a fast build for one machine)
set(CORTADO_CUDA AUTO CACHE STRING "Build the CUDA backend: AUTO, ON or OFF")
set_property(CACHE CORTADO_CUDA PROPERTY STRINGS AUTO ON OFF)
set(CORTADO_CUDA_ARCHS all CACHE STRING "GPU architectures of the CUDA backend: all, or a list of 80 86 89 90a 100 120")

# Machine code for each, and PTX of the newest for GPUs that come after it.
set(CORTADO_CUDA_ALL_ARCHS 80 86 89 90a 100 120)
set(CORTADO_CUDA_PTX_ARCH 120)

# Sets cortado_cuda_archs and cortado_cuda_ptx: what is built.
macro(cortado_cuda_select_archs)
    if(CORTADO_CUDA_ARCHS STREQUAL "all")
        set(cortado_cuda_archs ${CORTADO_CUDA_ALL_ARCHS})
    else()
        set(cortado_cuda_archs ${CORTADO_CUDA_ARCHS})
    endif()
    set(cortado_cuda_ptx)
    foreach(arch ${cortado_cuda_archs})
        if(NOT arch IN_LIST CORTADO_CUDA_ALL_ARCHS)
            message(FATAL_ERROR "CORTADO_CUDA_ARCHS: ${arch} is not one of ${CORTADO_CUDA_ALL_ARCHS}")
        endif()
        if(arch STREQUAL CORTADO_CUDA_PTX_ARCH)
            set(cortado_cuda_ptx ${arch})
        endif()
    endforeach()
endmacro()

# Sets cortado_cuda_found; where it is true, the language CUDA is enabled and CUDA::cudart_static exists. nvcc is
# searched on PATH, in CUDA_HOME, CUDA_PATH and the folders where CUDA is commonly installed.
macro(cortado_find_cuda)
    set(cortado_cuda_found FALSE)
    if(NOT CORTADO_CUDA STREQUAL "OFF")
        find_program(CORTADO_NVCC nvcc HINTS $ENV{CUDA_HOME} $ENV{CUDA_PATH} PATHS /usr/local/cuda /opt/cuda
            PATH_SUFFIXES bin)
        if(CORTADO_NVCC)
            set(CMAKE_CUDA_COMPILER ${CORTADO_NVCC})
            # Every source names its own architectures (cortado_cuda_flags); this one is for CMake's trial.
            set(CMAKE_CUDA_ARCHITECTURES 80)
            enable_language(CUDA)
            if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know it
                set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
            endif()
            find_package(CUDAToolkit 13.0 REQUIRED)
            set(cortado_cuda_found TRUE)
        elseif(CORTADO_CUDA STREQUAL "ON")
            message(FATAL_ERROR "CORTADO_CUDA=ON, but no nvcc on PATH, in CUDA_HOME or in the usual folders")
        else()
            message(STATUS "No nvcc found: the CUDA backend and its tests are skipped (CORTADO_CUDA=ON makes it an error)")
        endif()
    endif()
endmacro()

# Compiles the target's .cu files for the selected GPUs, warnings being errors, and keeps what ptxas says of registers,
# shared memory and spills beside each object (OBJECT.ptxas), where ci/cuda-check reads it.
function(cortado_cuda_flags target)
    # Products and sums are fused where a source says fma and nowhere else: kernels that promise equal bits must not depend
    # on what the compiler fuses in one and not in another.
    set(flags --Werror all-warnings --threads 2 --expt-relaxed-constexpr --compress-mode=size --fmad=false -Xptxas -v)
    foreach(arch ${cortado_cuda_archs})
        list(APPEND flags "SHELL:-gencode arch=compute_${arch},code=sm_${arch}")
    endforeach()
    if(cortado_cuda_ptx)
        list(APPEND flags "SHELL:-gencode arch=compute_${cortado_cuda_ptx},code=compute_${cortado_cuda_ptx}")
    endif()
    string(REPLACE ";" "," host_flags "${CORTADO_WARNINGS}")
    list(APPEND flags -Xcompiler=${host_flags},-Werror,-ffp-contract=off)
    set_target_properties(${target} PROPERTIES CUDA_ARCHITECTURES OFF CUDA_STANDARD 20
        CUDA_EXTENSIONS OFF CUDA_VISIBILITY_PRESET hidden CUDA_RUNTIME_LIBRARY Static
        CUDA_COMPILER_LAUNCHER ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/ptxas-log)
    target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:${flags}>")
endfunction()
