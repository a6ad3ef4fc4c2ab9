// operations.cu: the table of operations.
#include "gpu/gpu.h"
#include "gpu/operations.h"

namespace gpu {

namespace {

template <typename... Arguments>
int32_t no_kernel(Arguments...) {
    return ct::fail(CT_UNSUPPORTED, "the GPU devices of this build have no kernel for this operation");
}

}  // namespace

const ct::Operations kOperations{
    no_kernel, no_kernel, no_kernel, no_kernel, no_kernel, no_kernel,
    no_kernel, no_kernel, no_kernel, no_kernel, no_kernel, no_kernel,
};

}  // namespace gpu
