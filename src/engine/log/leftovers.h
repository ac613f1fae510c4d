/*
 * What a crash has left in a log's folder: segments that the list does not name, with numbers that
 * it had reserved, and a list that was not finished. Where a number is higher the list is older
 * than the files, which is corruption, and nothing is touched.
 */
#ifndef TARN_ENGINE_LOG_LEFTOVERS_H
#define TARN_ENGINE_LOG_LEFTOVERS_H

#include "format/segment.h"
#include "os/os.h"

/* TARN_CORRUPT: there is a segment that is newer than the list. */
tarn_status tarn__leftovers_check(const struct tarn__directory *directory,
                                  const struct tarn__segment_list *list);

/* Removes them all. */
tarn_status tarn__leftovers_remove(const struct tarn__directory *directory,
                                   const struct tarn__segment_list *list);

#endif
