/* Which autosave a command is about: that of --namespace, or with --store that of the whole store.
 */
#ifndef CLI_AUTOSAVE_NAME_H
#define CLI_AUTOSAVE_NAME_H

#include "session.h"

/* The first of the command's options. */
enum { AUTOSAVE_STORE };
#define AUTOSAVE_STORE_OPTION                                                                      \
    [AUTOSAVE_STORE] = {"store", NULL, "of the whole store, not of --namespace"}

/* What tarn calls it. */
static inline struct tarn_slice autosave_name(const struct invocation *call)
{
    return slice_of(call->values[AUTOSAVE_STORE] ? "" : call->globals.namespace_name);
}

#endif
