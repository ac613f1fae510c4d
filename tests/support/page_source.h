/*
 * A source of memory for tarn__pages that counts what is taken and given back, and fails when told
 * to. The memory is the operating system's.
 *
 * Any thread may call the source; failing is armed before threads start.
 */
#ifndef TARN_TESTS_PAGE_SOURCE_H
#define TARN_TESTS_PAGE_SOURCE_H

#include "base/pages.h"

struct page_source {
    struct tarn__page_source source; /* for tarn__pages_init() */
    _Atomic uint64_t maps, unmaps, populates;
    _Atomic uint64_t bytes;   /* mapped now */
    _Atomic uint64_t fail_at; /* this call of map fails, counted from 1 by maps; 0: none */
    _Atomic bool lasting;     /* and all after it */
};

/* Points into itself, so it must stay where it is. Nothing has to be released. */
void page_source_init(struct page_source *source);

#endif
