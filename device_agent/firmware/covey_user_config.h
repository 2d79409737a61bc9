/* The agent's sizes in this firmware (device_agent/include/covey/config.h): one model, four to
 * twelve classes, up to eight features. */
#define COVEY_MODELS_MAX 1
#define COVEY_FEATURES_MAX 8
#define COVEY_CLASSES_MAX 12
#define COVEY_SAMPLES_MAX 2
