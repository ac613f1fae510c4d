/*
 * Planted bugs, for the proof that the tests of crashes find them: see tests/crash. The library
 * that people use has none: there TARN__PLANTED() is the constant 0, and its branch is gone.
 *
 * A test builds the sources a second time with TARN_PLANTED_BUGS and sets the number of the one
 * bug that is switched on; 0 is none.
 */
#ifndef TARN_BASE_PLANT_H
#define TARN_BASE_PLANT_H

enum tarn__plant {
    TARN__PLANT_NEWEST_BY_CLOCK = 1, /* the newest snapshot is the one with the latest clock */
    TARN__PLANT_NEWEST_BY_NAME,      /* ... the one that comes first by its name */
    TARN__PLANT_SUCCESSOR,           /* a dropped namespace's snapshot fits one of its name */
    TARN__PLANT_NUMBERS_BEGIN_ANEW,  /* at opening, those that tell namespaces apart */

    /* Those of stores with logs. */
    TARN__PLANT_LOG_NO_WAIT,             /* a write is acknowledged before it is synced */
    TARN__PLANT_LOG_ENDED_UNSYNCED,      /* a log is ended without a sync of what was written */
    TARN__PLANT_SEGMENT_NOT_SYNCED,      /* a segment is listed before its head is durable */
    TARN__PLANT_SEGMENT_NAME_NOT_SYNCED, /* ... before its name is */
    TARN__PLANT_SEGMENT_NOT_RESERVED,    /* a segment's number is not reserved before it is made */
    TARN__PLANT_LIST_SEEN_BELIEVED,      /* at opening, a list that may not be durable */
    TARN__PLANT_LEFTOVERS_STAY,          /* ... files that no list names */
    TARN__PLANT_FILES_GO_FIRST,          /* files go before the list does without them */
    TARN__PLANT_MENDED_NOT_SYNCED,       /* a mended log is listed before it is durable */
    TARN__PLANT_MEND_BEHIND_CUT,         /* a log is not mended, but written on with */
    TARN__PLANT_DURABLE_POINT_EARLY,     /* a frame tells of itself that all before is durable */
    TARN__PLANT_BATCH_IN_PIECES,         /* a batch is written as a frame for each record */
    TARN__PLANT_FRAME_CHECKSUM,          /* a frame's checksum is not compared */
    TARN__PLANT_LOADED_NOT_SYNCED,       /* the catalog tells of a loaded log that is not durable */
    TARN__PLANT_HOME_NOT_RESERVED,       /* a home's number is not reserved before it is made */
    TARN__PLANT_HOME_NOT_SYNCED,         /* the catalog tells of a home whose name is not durable */
    TARN__PLANT_HOME_GOES_FIRST,         /* a home goes before the catalog does without it */
    TARN__PLANT_COMPACTED_NOT_SYNCED,    /* what was compacted is listed before it is durable */
    TARN__PLANT_LOG_SYNC_RETRIED,        /* a failed sync is tried again and trusted */

    /* Those of src/format, which show when files have changed. */
    TARN__PLANT_BLOCK_CHECKSUM,   /* a block's checksum is not compared */
    TARN__PLANT_CATALOG_CHECKSUM, /* ... that of the catalog's blocks */
    TARN__PLANT_HEADER_CHECKSUM,  /* ... that of a file's header */
    TARN__PLANT_PLACE_NOT_BOUND,  /* a block's checksum is right at any place of its file */
    TARN__PLANT_FILE_NOT_BOUND,   /* ... at its place in any file */
    TARN__PLANT_END_NOT_NEEDED,   /* a catalog may end behind any block */
    TARN__PLANT_TOTAL,            /* the total of the end block is not compared */
    TARN__PLANT_BLOCKS_COUNTED,   /* ... its count of blocks */
    TARN__PLANT_RECORDS_COUNTED,  /* a namespace's counts are not compared */
    TARN__PLANT_BYTES_BEHIND_END, /* something may be behind the end block */
    TARN__PLANT_NEWER_VERSION,    /* a version that is not known is read all the same */
    TARN__PLANT_UNKNOWN_FLAGS,    /* ... flags of a file */
    TARN__PLANT_UNKNOWN_ENGINE,   /* ... a namespace of an engine */
    TARN__PLANT_LENGTH_BELIEVED,  /* a block's length before it is compared with the file's */
    TARN__PLANT_REST_OF_BLOCK,    /* something may be behind what a block of the catalog holds */
    TARN__PLANT_ORDER_OF_BLOCKS,  /* a snapshot's blocks may come in any order */
    TARN__PLANTS
};

#define TARN__PLANT_FIRST_OF_LOGS      TARN__PLANT_LOG_NO_WAIT
#define TARN__PLANT_FIRST_OF_LOG_SYNCS TARN__PLANT_LOG_SYNC_RETRIED
#define TARN__PLANT_FIRST_OF_FORMATS   TARN__PLANT_BLOCK_CHECKSUM

#ifdef TARN_PLANTED_BUGS
extern int tarn__planted;
#define TARN__PLANTED(number) (tarn__planted == (number))
#else
#define TARN__PLANTED(number) 0
#endif

#endif
