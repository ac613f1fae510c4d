/*
 * Copying a namespace under a new name: a cut of it fills a namespace that nobody knows yet, on any
 * engine, which then comes into the table and the catalog, whole.
 */
#include "base/status.h"
#include "namespace/fill.h"
#include "store/store_cut.h"

/* Makes what is filled, and begins the cut that it is filled from. Locked. */
static tarn_status begin(tarn_store *store, struct tarn_slice name, struct tarn_slice as,
                         const struct tarn_namespace_options *chosen, struct tarn__store_cut *cut,
                         tarn_namespace **target)
{
    struct tarn_namespace_options options;
    tarn_namespace *source;
    tarn_status status;
    size_t at;

    if (!tarn__store_find(store, name, &at))
        return tarn__store_named(TARN_NAMESPACE_NOT_FOUND, name);
    source = store->namespaces[at];
    status = tarn__store_check_new(store, as);
    if (status)
        return status;
    tarn__namespace_options_of(source, &options);
    status = tarn__store_make_namespace(store, as, chosen ? chosen : &options, 0, true, target);
    if (status)
        return status;
    status = tarn__store_cut_begin(cut, store, source);
    if (status)
        tarn__store_end_namespace(*target, false);
    return status;
}

/* Another namespace of that name may have come meanwhile. Locked. */
static tarn_status publish(tarn_store *store, tarn_namespace *target)
{
    tarn_status status =
        tarn__store_check_new(store, tarn_slice_of(target->name, target->name_length));

    if (status)
        return status;
    target->number = store->next_number++;
    tarn__fill_publish(target);
    return tarn__store_publish(store, target);
}

/* saving and lock are held; the lock is given back meanwhile. */
static tarn_status copy(tarn_store *store, struct tarn_slice name, struct tarn_slice as,
                        const struct tarn_namespace_options *options)
{
    struct tarn__store_cut cut;
    tarn_namespace *target;
    tarn_status status = begin(store, name, as, options, &cut, &target);

    if (status)
        return status;
    pthread_mutex_unlock(&store->lock);
    status = tarn__fill_from_cut(target, tarn__store_cut_next(&cut));
    tarn__store_cut_end(&cut);
    if (!status)
        status = tarn__fill_end(target);
    pthread_mutex_lock(&store->lock);
    status = status ? tarn__store_not_made(store, status) : publish(store, target);
    if (status)
        tarn__store_end_namespace(target, status == TARN_OUTCOME_UNKNOWN);
    return status;
}

tarn_status tarn_namespace_copy(tarn_store *store, struct tarn_slice name, struct tarn_slice as,
                                const struct tarn_namespace_options *options)
{
    tarn_status status;

    if (!store)
        return tarn__fail(TARN_INVALID_ARGUMENT, "store is NULL");
    status = tarn__check_name(name);
    if (!status)
        status = tarn__check_name(as);
    if (!status)
        status = tarn__store_lock_saving(store);
    if (status)
        return status;
    status = store->environment.read_only ? tarn__outcome(TARN_READ_ONLY)
                                          : copy(store, name, as, options);
    tarn__store_unlock_saving(store);
    return status;
}
