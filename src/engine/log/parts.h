/*
 * The parts of a log that is read offline: the files that are its segments or should be, and how
 * the frames of each are to be read, as far as that can be found out where the list of segments, or
 * the head of one, is damaged. What is wrong with any of it is told to the inspection.
 */
#ifndef TARN_ENGINE_LOG_PARTS_H
#define TARN_ENGINE_LOG_PARTS_H

#include "engine/log/inspect.h"
#include "engine/log/segments.h"

#define TARN__PATH_ROOM 4608

struct tarn__log_part {
    struct tarn__segment segment;
    bool usable;       /* its frames can be read */
    bool base_unknown; /* the head is damaged: sequences are counted from 0 */
    uint64_t file_number;
};

struct tarn__log_parts {
    const struct tarn__log_source *source;
    struct tarn__inspection *inspection;
    char path[TARN__PATH_ROOM]; /* of the file that is read, for messages */

    struct tarn__log_part *all; /* compacted ones first, then by number */
    size_t count;

    struct tarn__segment_list list; /* empty where it is damaged */
    bool has_list;
    uint64_t *numbers; /* in the names of files */
    size_t number_count, number_capacity;
    tarn_status status;
};

/* Finds the parts and reads their heads. Start from zero, with source and inspection set; release
 * in any case. */
tarn_status tarn__log_parts_find(struct tarn__log_parts *parts);
void tarn__log_parts_release(struct tarn__log_parts *parts);

/* Opens the file of a part, and sets the path. */
tarn_status tarn__log_part_open(struct tarn__log_parts *parts, struct tarn__log_part *part);
void tarn__log_part_close(struct tarn__log_part *part);

/* Sets the path to that of a segment. */
void tarn__log_parts_set_path(struct tarn__log_parts *parts, uint64_t number);

/* Tells of the failure that was recorded last, in the file of the path. */
tarn_status tarn__log_parts_fault(struct tarn__log_parts *parts, tarn_status status);

static inline bool tarn__log_part_is_written(const struct tarn__log_part *part)
{
    return part->segment.head.origin == TARN__SEGMENT_WRITTEN;
}

#endif
