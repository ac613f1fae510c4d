/*
 * The checkpoint of a namespace: a file in its home that holds its index as it was at a close, so
 * that the next opening replays no more than what was written since. It is a cache: where it is
 * missing, broken, or not of these files, everything is replayed.
 */
#ifndef TARN_NAMESPACE_CHECKPOINT_H
#define TARN_NAMESPACE_CHECKPOINT_H

#include "namespace/namespace.h"

/* Writes it, if replaying would take long without. Nobody writes any more, and the engine has
 * finished. A failure leaves none, or the one that was there. */
void tarn__checkpoint_write(tarn_namespace *ns);

/* Fills an empty index from it, and tells the engine what need not be replayed. false: there is
 * none that can be used, and the index is empty. Nobody else knows the namespace. */
bool tarn__checkpoint_read(tarn_namespace *ns);

#endif
