/* A store: namespaces by name, and what they share. */
#ifndef TARN_STORE_STORE_H
#define TARN_STORE_STORE_H

#include "namespace/namespace.h"
#include "store/maintenance.h"

struct tarn_store {
    struct tarn__environment environment;
    struct tarn__maintenance maintenance;
    uint32_t max_namespaces;
    _Atomic uint32_t
        references;         /* one while it is open, and one for each namespace there still is */
    _Atomic uint32_t calls; /* on the table of namespaces, under way */
    pthread_mutex_t lock;   /* what follows */
    bool closed;
    tarn_namespace **namespaces; /* sorted by name */
    size_t count, capacity;
};

/* tarn_open() of a store in memory, on an operating system of the caller's. */
tarn_status tarn__store_open(const struct tarn__os *os, const struct tarn_options *options,
                             tarn_store **store);

#endif
