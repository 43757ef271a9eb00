// The functions of src/functions/rectified.inc have no quick forms.
#include "kernels/quick/forms-inl.h"
