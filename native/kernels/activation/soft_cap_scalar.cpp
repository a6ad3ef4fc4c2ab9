// soft_cap_scalar.cpp: the soft cap compiled for scalar.
#include "kernels/activation/soft_cap_run.h"

namespace ct {

constinit const SoftCapRun kSoftCapScalar = soft_cap_run;

}  // namespace ct
