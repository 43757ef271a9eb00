// The functions of src/functions/channel.inc have no quick forms.
#include "kernels/quick/forms-inl.h"
