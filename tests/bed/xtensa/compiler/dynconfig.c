// The plugin that XTENSA_GNU_CONFIG names hands xtensa-config.h to gcc and binutils (2.40 and later), as a list of
// strings. It is linked with an instruction table (xtensa-modules), which the assembler uses.
#include <stddef.h>
#define XTENSA_CONFIG_DEFINITION
#include <xtensa-config.h>
#include <xtensa-dynconfig.h>

#undef XTENSA_CONFIG_ENTRY
#define XTENSA_CONFIG_ENTRY(a) a
XTENSA_CONFIG_INSTANCE_LIST;

#define TEXT_OF(a) #a
#define TEXT(a) TEXT_OF(a)
#undef XTENSA_CONFIG_ENTRY
#define XTENSA_CONFIG_ENTRY(a) "__" #a "=" TEXT(a)
const char *const xtensa_config_strings[] = {XTENSA_CONFIG_ENTRY_LIST, NULL};

int plugin_is_GPL_compatible;
