/* SPDX-License-Identifier: Apache-2.0 */
/* The COVEY_USER_CONFIG of a firmware that runs one kind of model, for test_operator_choice. */
#define COVEY_REFERENCE_OPERATORS(X) X(conv_2d) X(relu)
#define COVEY_REFERENCE_MAX_ACTIVATIONS 8
#define COVEY_REFERENCE_WORK_MAX 10000
