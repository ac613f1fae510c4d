/*
 * A store: namespaces by name, what they share, and the folder that it lives in, if it does.
 *
 * Order of locks: saving, then lock, then those of namespace/namespace.h.
 */
#ifndef TARN_STORE_STORE_H
#define TARN_STORE_STORE_H

#include "base/turn.h"
#include "format/catalog.h"
#include "namespace/namespace.h"
#include "store/folder.h"

/* Of a namespace or the whole store; under the store's lock. See autosave.h. */
struct tarn__autosave {
    bool set;
    bool just_started;                       /* while the catalog is told of it */
    struct tarn__autosave_settings settings; /* enabled: it runs */
    uint64_t due_ns;                         /* on the monotonic clock */
    uint64_t saves, failures, sequence;
    tarn_status status;
};

struct tarn_store {
    struct tarn__environment environment;
    struct tarn__job preparing;  /* memory ahead of the writers: quick */
    struct tarn__job saving_due; /* autosaves: slow */
    uint32_t max_namespaces;
    void (*on_event)(void *context, const struct tarn_event *event);
    void *event_context;

    struct tarn__folder folder; /* all NULL: in memory only */
    uint8_t identity[TARN__IDENTITY_BYTES];
    struct tarn__turn saving; /* saves, loads, drop and close come one after the other */

    _Atomic uint32_t
        references;            /* one while it is open, and one for each namespace there still is */
    _Atomic uint32_t calls;    /* on the table of namespaces, under way */
    _Atomic bool closed;       /* changes under the lock */
    pthread_mutex_t lock;      /* what follows */
    bool catalog_unknown;      /* what the folder's catalog says */
    uint64_t catalog_sequence; /* that it says: no snapshot of the store has a higher one */
    uint64_t spared_sequence;  /* autosaves delete nothing that was there when the store was opened
                                  without all that its snapshots hold */
    uint64_t next_number;      /* of a namespace or a home */
    uint64_t reserved_number;  /* that the catalog says: of homes, those from there on are not made
                                  before it says a higher one */
    struct tarn__autosave autosave;
    tarn_namespace **namespaces; /* sorted by name */
    size_t count, capacity;
};

/* tarn_open(), on an operating system of the caller's. */
tarn_status tarn__store_open(const struct tarn__os *os, const char *dir,
                             const struct tarn_options *options, tarn_store **store);

/* tarn_check() and tarn_salvage(), likewise. */
tarn_status tarn__store_check(const struct tarn__os *os, const char *dir,
                              const struct tarn_check_options *options,
                              struct tarn_check_summary *summary);
tarn_status tarn__store_salvage(const struct tarn__os *os, const char *from, const char *to,
                                const struct tarn_check_options *options,
                                struct tarn_check_summary *summary);

/* The same with a folder that tarn__folder_begin_copy() has begun. */
tarn_status tarn__store_open_copy(const struct tarn__os *os, const char *dir, tarn_store **store);

static inline bool tarn__store_in_folder(const tarn_store *store)
{
    return store->folder.top != NULL;
}

/* ------------------------------------------------------------------------------------------
 * homes.c: the folders in which engines keep their files
 */

/* Opening: removes what a crash has left of homes that the catalog does not tell of. */
tarn_status tarn__homes_open(tarn_store *store, const struct tarn__catalog *catalog);

/* Makes an empty one, whose name is durable. Locked. */
tarn_status tarn__home_make(tarn_store *store, struct tarn__home *home);

tarn_status tarn__home_open(tarn_store *store, uint64_t number, struct tarn__home *home);

/* The last error stays what it is, as with the next. Without a home nothing is done. */
void tarn__home_close(struct tarn__home *home);

/* Removes it with its files, as far as that can be done: the next opening tries again. */
void tarn__home_remove(tarn_store *store, struct tarn__home *home);

/* ------------------------------------------------------------------------------------------
 * namespaces.c
 */

/* Every call on what the lock protects is between these two; TARN_CLOSED, TARN_FORKED: there is
 * nothing to unlock. */
tarn_status tarn__store_lock(tarn_store *store);
void tarn__store_unlock(tarn_store *store);

/* The same with `saving` as well. In between, the one may be given back and taken again without the
 * other: tarn__store_unlock(), tarn__store_lock(). */
tarn_status tarn__store_lock_saving(tarn_store *store);
void tarn__store_unlock_saving(tarn_store *store);

/* TARN_PERSISTENCE_NOT_ENABLED. Locked: a store that is being closed has no folder any more. */
tarn_status tarn__store_check_folder(const tarn_store *store);

/* tarn__store_lock_saving() of a store that may have snapshots, or may change them:
 * TARN_PERSISTENCE_NOT_ENABLED, TARN_READ_ONLY. */
tarn_status tarn__store_lock_snapshots(tarn_store *store, bool to_write);

/* The rest of these: locked. Whether there is a namespace of that name; at is where it is or would
 * be. */
bool tarn__store_find(const tarn_store *store, struct tarn_slice name, size_t *at);

/* TARN_NAMESPACE_NOT_FOUND with its name, and the like. */
tarn_status tarn__store_named(tarn_status status, struct tarn_slice name);

/* Makes a new namespace that is not in the table yet, with a home if its engine needs one. It has a
 * reference of the table's. to_fill: tarn__fill() is to come. */
tarn_status tarn__store_make_namespace(tarn_store *store, struct tarn_slice name,
                                       const struct tarn_namespace_options *options,
                                       uint64_t number, bool to_fill, tarn_namespace **ns);

/* A namespace that nobody knew yet was not made, or not filled: what its own files say matters to
 * nobody, so that only what the catalog says may be unknown. Returns status, or TARN_IO. Locked. */
tarn_status tarn__store_not_made(const tarn_store *store, tarn_status status);

/* Makes the namespace that the catalog tells of, with what is in its home. */
tarn_status tarn__store_bring_back(tarn_store *store, const struct tarn__catalog_namespace *entry,
                                   tarn_namespace **ns);

/* Ends a namespace that is in no table any more, and gives back the table's reference. kept: its
 * home stays, since it is not known what the catalog says. */
void tarn__store_end_namespace(tarn_namespace *ns, bool kept);

/* Puts it there; with the room of tarn__store_make_room() this cannot fail. */
tarn_status tarn__store_make_room(tarn_store *store, size_t more);
void tarn__store_add(tarn_store *store, tarn_namespace *ns);
void tarn__store_take_out(tarn_store *store, const tarn_namespace *ns);

/* Whether a namespace of that name may come, with room for it: TARN_NAMESPACE_EXISTS,
 * TARN_TOO_MANY_NAMESPACES, TARN_NO_MEMORY. */
tarn_status tarn__store_check_new(tarn_store *store, struct tarn_slice name);

/* Puts such a one into the table and the catalog, durably; if it fails it is in neither, as far as
 * that is known (TARN_OUTCOME_UNKNOWN). */
tarn_status tarn__store_publish(tarn_store *store, tarn_namespace *ns);

/* Sees to it that writes get higher sequences than this. */
void tarn__store_raise_sequence(tarn_store *store, uint64_t least);

/* Sees to it that the catalog says a sequence that is not lower, so that the next opening gives out
 * higher ones whatever it can read. Locked. */
tarn_status tarn__store_reserve_sequence(tarn_store *store, uint64_t sequence);

/* What the catalog is to say; to be given to tarn__catalog_release() in any case. */
tarn_status tarn__store_describe(tarn_store *store, struct tarn__catalog *catalog);

/* Makes the catalog say what the store is now. Nothing to do for a store in memory. */
tarn_status tarn__store_write_catalog(tarn_store *store);

extern const struct tarn__namespace_owner tarn__store_owner;

/* Tells an event, with the last error as its detail, which stays the last. No lock is held. */
void tarn__store_tell(tarn_store *store, enum tarn_event_kind kind, tarn_status status,
                      struct tarn_slice namespace_name, struct tarn_slice snapshot);

/* The same with the event made out. */
void tarn__store_tell_event(tarn_store *store, struct tarn_event *event);

/* Gives back a reference: context is the store. */
void tarn__store_release(void *context);

#endif
