/*
 * What a reading tells that goes on behind damage: faults, notes, how far it is, and its figures.
 * One struct goes through a whole check or salvage; one thread.
 *
 * A fault is told once the last error says what it is. A note is what is worth knowing and no
 * fault. What keeps the reading from going on at all (no memory, no descriptors, no permission, the
 * caller's wish) is neither: it is returned.
 */
#ifndef TARN_BASE_INSPECTION_H
#define TARN_BASE_INSPECTION_H

#include "base/status.h"

struct tarn__inspection {
    const struct tarn_check_options *options;
    struct tarn_check_summary summary;
    uint64_t total_bytes;             /* of all files that will be read */
    struct tarn_slice namespace_name; /* that what is read now belongs to; empty: not known */
};

/* Whether a failure is one of the data, to be told and gone on behind. */
bool tarn__inspection_is_fault(tarn_status status);

/* Tells of the failure that was recorded last. path: of the file or folder. Returns TARN_OK, or
 * status where it is no fault. */
tarn_status tarn__inspection_fault(struct tarn__inspection *inspection, const char *path,
                                   tarn_status status);

/* The same, where a record is lost whose key may have been this one. */
tarn_status tarn__inspection_lost_key(struct tarn__inspection *inspection, const char *path,
                                      tarn_status status, struct tarn_slice key);

void tarn__inspection_note(struct tarn__inspection *inspection, const char *path, uint64_t offset,
                           const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Counts bytes that were read. TARN_CANCELLED: the caller wants no more. */
tarn_status tarn__inspection_read(struct tarn__inspection *inspection, uint64_t bytes);

#endif
