/*
 * The table that fails when told to: see os_fault.h.
 *
 * Each wrapper asks strike() what becomes of this call. The answer is one struct, so that a plan
 * that is replaced meanwhile cannot be read half.
 */
#include "os_fault.h"
#include "base/status.h"

#include <string.h>

struct verdict {
    bool before; /* fail without doing it */
    bool after;  /* do it and fail */
    int error;
    size_t length; /* do at most so many bytes */
};

static struct os_fault *fault_of(const struct tarn__os *os)
{
    return (struct os_fault *)os; /* the table is the first member of one, and only its front */
}

static const struct tarn__os *inner_of(const struct tarn__os *os)
{
    return fault_of(os)->inner;
}

static struct verdict strike(const struct tarn__os *os, enum os_call call)
{
    struct os_fault *fault = fault_of(os);
    struct verdict verdict = {.length = SIZE_MAX};
    const struct os_fault_plan *plan = atomic_load_explicit(&fault->plan, memory_order_acquire);
    uint64_t number;

    atomic_fetch_add_explicit(&fault->calls[__builtin_ctz(call)], 1, memory_order_relaxed);
    if (!plan || !(plan->calls & call) || plan->nth == 0)
        return verdict;
    number = 1 + atomic_fetch_add_explicit(&fault->picked, 1, memory_order_relaxed);
    if (plan->lasting ? number < plan->nth : number != plan->nth)
        return verdict;
    if (plan->effect == OS_FAULT_SHORTEN && !(call & (OS_CALL_READ | OS_CALL_WRITE)))
        return verdict;
    atomic_fetch_add_explicit(&fault->fired, 1, memory_order_relaxed);
    verdict.before = plan->effect == OS_FAULT_FAIL;
    verdict.after = plan->effect == OS_FAULT_FAIL_AFTER;
    verdict.error = plan->error;
    if (plan->effect == OS_FAULT_SHORTEN)
        verdict.length = plan->length;
    return verdict;
}

/* A call whose effect stays where it fails afterwards. */
#define PASS(os, call, expression)                                                                 \
    do {                                                                                           \
        struct verdict verdict = strike(os, call);                                                 \
        int error = verdict.before ? verdict.error : (expression);                                 \
        return error == 0 && verdict.after ? verdict.error : error;                                \
    } while (0)

static uint64_t fault_monotonic_ns(const struct tarn__os *os)
{
    return inner_of(os)->monotonic_ns(inner_of(os));
}

static uint64_t fault_wall_ns(const struct tarn__os *os)
{
    return inner_of(os)->wall_ns(inner_of(os));
}

static uint64_t fault_process_id(const struct tarn__os *os)
{
    return inner_of(os)->process_id(inner_of(os));
}

static void fault_yield(const struct tarn__os *os)
{
    inner_of(os)->yield(inner_of(os));
}

static void fault_sleep_ns(const struct tarn__os *os, uint64_t duration)
{
    inner_of(os)->sleep_ns(inner_of(os), duration);
}

static tarn_status fault_random_bytes(const struct tarn__os *os, void *bytes, size_t length)
{
    struct verdict verdict = strike(os, OS_CALL_RANDOM_BYTES);

    if (verdict.before || verdict.after)
        return tarn__fail_system(TARN_IO, verdict.error, "the test gave no random bytes");
    return inner_of(os)->random_bytes(inner_of(os), bytes, length);
}

static bool fault_memory_forget_in_child(const struct tarn__os *os, void *address, size_t bytes)
{
    return inner_of(os)->memory_forget_in_child(inner_of(os), address, bytes);
}

static void *fault_memory_map(const struct tarn__os *os, size_t bytes, size_t alignment, bool huge)
{
    struct verdict verdict = strike(os, OS_CALL_MEMORY_MAP);

    if (verdict.before || verdict.after) {
        tarn__fail_system(TARN_NO_MEMORY, verdict.error, "the test gave no memory");
        return NULL;
    }
    return inner_of(os)->memory_map(inner_of(os), bytes, alignment, huge);
}

static void fault_memory_unmap(const struct tarn__os *os, void *address, size_t bytes)
{
    inner_of(os)->memory_unmap(inner_of(os), address, bytes);
}

static void fault_memory_populate(const struct tarn__os *os, void *address, size_t bytes)
{
    inner_of(os)->memory_populate(inner_of(os), address, bytes);
}

static int fault_directory_make(const struct tarn__os *os, int directory, const char *name)
{
    PASS(os, OS_CALL_DIRECTORY_MAKE, inner_of(os)->directory_make(inner_of(os), directory, name));
}

/* Gives out what was opened, or closes it again where the opening is to fail afterwards. */
static int hand_out(const struct tarn__os *os, struct verdict verdict, int error, int handle,
                    int *opened)
{
    if (error != 0)
        return error;
    if (verdict.after) {
        (void)inner_of(os)->close(inner_of(os), handle); /* the error to tell is the plan's */
        return verdict.error;
    }
    *opened = handle;
    return 0;
}

static int fault_directory_open(const struct tarn__os *os, int directory, const char *name,
                                int *opened)
{
    struct verdict verdict = strike(os, OS_CALL_DIRECTORY_OPEN);
    int handle = -1;
    int error;

    if (verdict.before)
        return verdict.error;
    error = inner_of(os)->directory_open(inner_of(os), directory, name, &handle);
    return hand_out(os, verdict, error, handle, opened);
}

static int fault_directory_sync(const struct tarn__os *os, int directory)
{
    PASS(os, OS_CALL_DIRECTORY_SYNC, inner_of(os)->directory_sync(inner_of(os), directory));
}

static int fault_directory_list(const struct tarn__os *os, int directory,
                                tarn__directory_visit visit, void *context)
{
    PASS(os, OS_CALL_DIRECTORY_LIST,
         inner_of(os)->directory_list(inner_of(os), directory, visit, context));
}

static int fault_directory_remove(const struct tarn__os *os, int directory, const char *name)
{
    PASS(os, OS_CALL_DIRECTORY_REMOVE,
         inner_of(os)->directory_remove(inner_of(os), directory, name));
}

static int fault_rename(const struct tarn__os *os, int from_directory, const char *from,
                        int to_directory, const char *to)
{
    PASS(os, OS_CALL_RENAME,
         inner_of(os)->rename(inner_of(os), from_directory, from, to_directory, to));
}

static int fault_link(const struct tarn__os *os, int from_directory, const char *from,
                      int to_directory, const char *to)
{
    PASS(os, OS_CALL_LINK,
         inner_of(os)->link(inner_of(os), from_directory, from, to_directory, to));
}

static int fault_unlink(const struct tarn__os *os, int directory, const char *name)
{
    PASS(os, OS_CALL_UNLINK, inner_of(os)->unlink(inner_of(os), directory, name));
}

static int fault_file_open(const struct tarn__os *os, int directory, const char *name,
                           enum tarn__open_mode mode, int *opened)
{
    struct verdict verdict = strike(os, OS_CALL_FILE_OPEN);
    int handle = -1;
    int error;

    if (verdict.before)
        return verdict.error;
    error = inner_of(os)->file_open(inner_of(os), directory, name, mode, &handle);
    return hand_out(os, verdict, error, handle, opened);
}

static int fault_close(const struct tarn__os *os, int handle)
{
    struct verdict verdict = strike(os, OS_CALL_CLOSE);
    int error = inner_of(os)->close(inner_of(os), handle);

    return verdict.before || verdict.after ? verdict.error : error;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int fault_read(const struct tarn__os *os, int file, void *bytes, size_t length,
                      uint64_t offset, size_t *done)
{
    struct verdict verdict = strike(os, OS_CALL_READ);
    size_t got = 0;
    int error;

    if (verdict.before)
        return verdict.error;
    error =
        inner_of(os)->read(inner_of(os), file, bytes, least(length, verdict.length), offset, &got);
    if (error != 0 || verdict.after)
        return error != 0 ? error : verdict.error;
    *done = got;
    return 0;
}

static int fault_write(const struct tarn__os *os, int file, const void *bytes, size_t length,
                       uint64_t offset, size_t *done)
{
    struct verdict verdict = strike(os, OS_CALL_WRITE);
    size_t put = 0;
    int error;

    if (verdict.before)
        return verdict.error;
    error =
        inner_of(os)->write(inner_of(os), file, bytes, least(length, verdict.length), offset, &put);
    if (error != 0 || verdict.after)
        return error != 0 ? error : verdict.error;
    *done = put;
    return 0;
}

static int fault_size(const struct tarn__os *os, int file, uint64_t *bytes)
{
    struct verdict verdict = strike(os, OS_CALL_SIZE);

    if (verdict.before || verdict.after)
        return verdict.error;
    return inner_of(os)->size(inner_of(os), file, bytes);
}

static int fault_truncate(const struct tarn__os *os, int file, uint64_t bytes)
{
    PASS(os, OS_CALL_TRUNCATE, inner_of(os)->truncate(inner_of(os), file, bytes));
}

static int fault_preallocate(const struct tarn__os *os, int file, uint64_t offset, uint64_t bytes)
{
    PASS(os, OS_CALL_PREALLOCATE, inner_of(os)->preallocate(inner_of(os), file, offset, bytes));
}

static int fault_sync(const struct tarn__os *os, int file)
{
    PASS(os, OS_CALL_SYNC, inner_of(os)->sync(inner_of(os), file));
}

static void fault_write_back(const struct tarn__os *os, int file, uint64_t offset, uint64_t bytes)
{
    inner_of(os)->write_back(inner_of(os), file, offset, bytes);
}

static int fault_lock(const struct tarn__os *os, int file, bool exclusive)
{
    PASS(os, OS_CALL_LOCK, inner_of(os)->lock(inner_of(os), file, exclusive));
}

static void fault_unlock(const struct tarn__os *os, int file)
{
    inner_of(os)->unlock(inner_of(os), file);
}

static int fault_map(const struct tarn__os *os, int file, uint64_t offset, size_t bytes,
                     bool writable, void **address)
{
    struct verdict verdict = strike(os, OS_CALL_MAP);

    if (verdict.before || verdict.after)
        return verdict.error;
    return inner_of(os)->map(inner_of(os), file, offset, bytes, writable, address);
}

static int fault_unmap(const struct tarn__os *os, void *address, size_t bytes)
{
    PASS(os, OS_CALL_UNMAP, inner_of(os)->unmap(inner_of(os), address, bytes));
}

static void fault_map_write(const struct tarn__os *os, void *destination, const void *source,
                            size_t length)
{
    inner_of(os)->map_write(inner_of(os), destination, source, length);
}

static void fault_map_populate(const struct tarn__os *os, void *address, size_t bytes,
                               bool writable)
{
    inner_of(os)->map_populate(inner_of(os), address, bytes, writable);
}

static void fault_map_at_random(const struct tarn__os *os, void *address, size_t bytes)
{
    inner_of(os)->map_at_random(inner_of(os), address, bytes);
}

static int fault_event_make(const struct tarn__os *os, int *event)
{
    struct verdict verdict = strike(os, OS_CALL_EVENT_MAKE);

    if (verdict.before || verdict.after)
        return verdict.error;
    return inner_of(os)->event_make(inner_of(os), event);
}

static void fault_event_set(const struct tarn__os *os, int event)
{
    inner_of(os)->event_set(inner_of(os), event);
}

static void fault_event_clear(const struct tarn__os *os, int event)
{
    inner_of(os)->event_clear(inner_of(os), event);
}

static void fault_event_close(const struct tarn__os *os, int event)
{
    inner_of(os)->event_close(inner_of(os), event);
}

static const struct tarn__os wrapper = {
    .monotonic_ns = fault_monotonic_ns,
    .wall_ns = fault_wall_ns,
    .process_id = fault_process_id,
    .yield = fault_yield,
    .sleep_ns = fault_sleep_ns,
    .random_bytes = fault_random_bytes,
    .memory_map = fault_memory_map,
    .memory_forget_in_child = fault_memory_forget_in_child,
    .memory_unmap = fault_memory_unmap,
    .memory_populate = fault_memory_populate,
    .directory_make = fault_directory_make,
    .directory_open = fault_directory_open,
    .directory_sync = fault_directory_sync,
    .directory_list = fault_directory_list,
    .directory_remove = fault_directory_remove,
    .rename = fault_rename,
    .link = fault_link,
    .unlink = fault_unlink,
    .file_open = fault_file_open,
    .close = fault_close,
    .read = fault_read,
    .write = fault_write,
    .size = fault_size,
    .truncate = fault_truncate,
    .preallocate = fault_preallocate,
    .sync = fault_sync,
    .write_back = fault_write_back,
    .lock = fault_lock,
    .unlock = fault_unlock,
    .map = fault_map,
    .unmap = fault_unmap,
    .map_write = fault_map_write,
    .map_populate = fault_map_populate,
    .map_at_random = fault_map_at_random,
    .event_make = fault_event_make,
    .event_set = fault_event_set,
    .event_clear = fault_event_clear,
    .event_close = fault_event_close,
};

void os_fault_init(struct os_fault *fault, const struct tarn__os *inner)
{
    memset(fault, 0, sizeof *fault);
    fault->os = wrapper;
    fault->os.by_hand = inner->by_hand;
    fault->inner = inner;
}

void os_fault_arm(struct os_fault *fault, const struct os_fault_plan *plan)
{
    atomic_store_explicit(&fault->plan, NULL, memory_order_relaxed);
    atomic_store_explicit(&fault->picked, 0, memory_order_relaxed);
    atomic_store_explicit(&fault->fired, 0, memory_order_relaxed);
    atomic_store_explicit(&fault->plan, plan, memory_order_release);
}

uint64_t os_fault_fired(struct os_fault *fault)
{
    return atomic_load_explicit(&fault->fired, memory_order_relaxed);
}

uint64_t os_fault_calls(struct os_fault *fault, unsigned calls)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < OS_CALL_COUNT; i++)
        if (calls & (1u << i))
            sum += atomic_load_explicit(&fault->calls[i], memory_order_relaxed);
    return sum;
}
