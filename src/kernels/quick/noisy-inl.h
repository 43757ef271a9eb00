// The functions of src/functions/noisy.inc have no quick forms.
#include "kernels/quick/forms-inl.h"
