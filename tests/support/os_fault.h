/*
 * An operating system that fails when told to: wraps any table of src/os/os.h, lets every call
 * through, and strikes the Nth one that a plan picks.
 *
 *     struct os_fault fault;
 *     struct os_fault_plan plan = {.calls = OS_CALL_ANY, .effect = OS_FAULT_FAIL, .error = ENOSPC};
 *
 *     os_fault_init(&fault, tarn__os_posix());
 *     do {
 *         plan.nth++;
 *         os_fault_arm(&fault, &plan);
 *         ... run with &fault.os; if it failed, look that nothing is lost ...
 *     } while (os_fault_fired(&fault) > 0);
 *
 * It wraps the primitives, below the loops of os.c: a shortened or interrupted read is what these
 * have to repeat. Handles and mappings are those of the table inside. What cannot fail by contract
 * (clock, yield, map_write, populate, memory_unmap, events that are there) goes through uncounted.
 *
 * Calls may come from any thread, also while a plan is armed or disarmed; counting is relaxed, so
 * that the thread sanitizer still sees the races of what is tested.
 */
#ifndef TARN_TESTS_OS_FAULT_H
#define TARN_TESTS_OS_FAULT_H

#include "os/os.h"

#include <stdatomic.h>

/* The members of the table that can fail, as bits. */
enum os_call {
    OS_CALL_RANDOM_BYTES = 1 << 0,
    OS_CALL_MEMORY_MAP = 1 << 1,
    OS_CALL_DIRECTORY_MAKE = 1 << 2,
    OS_CALL_DIRECTORY_OPEN = 1 << 3,
    OS_CALL_DIRECTORY_SYNC = 1 << 4,
    OS_CALL_DIRECTORY_LIST = 1 << 5,
    OS_CALL_DIRECTORY_REMOVE = 1 << 6,
    OS_CALL_RENAME = 1 << 7,
    OS_CALL_LINK = 1 << 8,
    OS_CALL_UNLINK = 1 << 9,
    OS_CALL_FILE_OPEN = 1 << 10,
    OS_CALL_CLOSE = 1 << 11,
    OS_CALL_READ = 1 << 12,
    OS_CALL_WRITE = 1 << 13,
    OS_CALL_SIZE = 1 << 14,
    OS_CALL_TRUNCATE = 1 << 15,
    OS_CALL_PREALLOCATE = 1 << 16,
    OS_CALL_SYNC = 1 << 17,
    OS_CALL_LOCK = 1 << 18,
    OS_CALL_MAP = 1 << 19,
    OS_CALL_UNMAP = 1 << 20,
    OS_CALL_EVENT_MAKE = 1 << 21,
    OS_CALL_ANY = (1 << 22) - 1,
};
#define OS_CALL_COUNT 22

enum os_fault_effect {
    OS_FAULT_FAIL,       /* returns error, and does nothing; but a close closes all the same */
    OS_FAULT_FAIL_AFTER, /* does it, and then returns error: a rename that went through, a write
                            that reached the disk; what was opened or mapped is closed again */
    OS_FAULT_SHORTEN, /* a read or write does at most length bytes; other calls are let through */
};

/* nth: the first call to strike, counted from 1 among those that calls picks since the plan was
 * armed; 0 strikes none. random_bytes and memory_map report TARN_IO and TARN_NO_MEMORY with error
 * as errno. */
struct os_fault_plan {
    unsigned calls; /* bits of os_call */
    enum os_fault_effect effect;
    uint64_t nth;
    bool lasting; /* from the nth on, and not that one alone */
    int error;
    size_t length;
};

struct os_fault {
    struct tarn__os os; /* the table to use; first, so that its members find the rest */
    const struct tarn__os *inner;
    _Atomic(const struct os_fault_plan *) plan;
    _Atomic uint64_t picked;
    _Atomic uint64_t fired;
    _Atomic uint64_t calls[OS_CALL_COUNT];
};

/* Wraps inner, which must outlive it, with no plan. Nothing has to be released. */
void os_fault_init(struct os_fault *fault, const struct tarn__os *inner);

/* Starts a plan, which the caller keeps as it is until it is replaced; NULL lets all through. Sets
 * os_fault_fired() to 0. */
void os_fault_arm(struct os_fault *fault, const struct os_fault_plan *plan);

/* How many calls were struck since the plan was armed. */
uint64_t os_fault_fired(struct os_fault *fault);

/* How many of these calls (bits of os_call) were made since os_fault_init(), struck ones included.
 */
uint64_t os_fault_calls(struct os_fault *fault, unsigned calls);

#endif
