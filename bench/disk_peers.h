/*
 * The stores on disk that this build can measure: tarn, and the peers whose libraries were there.
 */
#ifndef BENCH_DISK_PEERS_H
#define BENCH_DISK_PEERS_H

#include "figure.h"
#include "peer.h"

/* NULL for what is no store on disk, or is not in this build. */
const struct peer *disk_peer(enum subject_id subject);

/* By its peer's name; SUBJECT_COUNT if there is none. */
enum subject_id disk_peer_find(const char *name);

#endif
