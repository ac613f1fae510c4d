/*
 * A run of steps on a store that lives on the simulated disk, with every crash that the steps may
 * suffer: after each operation of the disk the crash states are enumerated, opened and judged.
 *
 *     steps_make(seed, logs, steps, count);
 *     crash_run(&settings, steps, count, &report);
 *
 * A recovered store is looked at (look.h), and then has to take a new namespace, writes and a save,
 * and to be reopened twice. For some of the states the recovery and these steps suffer crashes,
 * too. The state of the disk that a killed process leaves is judged as well: for some operations,
 * and where there are logs after each step.
 *
 * One thread. Nothing here jumps: a check that fails is told in the report, and ends the run.
 */
#ifndef TARN_TESTS_CRASH_RUN_H
#define TARN_TESTS_CRASH_RUN_H

#include "crash/steps.h"
#include "crash/world.h"
#include "support/os_fault.h"
#include "support/sim_crash.h"

struct crash_settings {
    uint64_t seed;
    bool logs;                         /* the steps are those for logs */
    uint64_t states_max;               /* the run ends after so many states; 0: no bound */
    void (*plant)(struct sim_disk *);  /* changes the table of each disk; NULL: nothing */
    const struct os_fault_plan *fault; /* calls that fail; NULL: none */
    uint64_t failing_sync;             /* the one that fails, from 1; 0: none */
    enum sim_sync_failure sync_failure;
    bool quiet; /* crash states are only looked at when the steps are over */
};

struct crash_report {
    uint64_t states;     /* opened and judged, those of recoveries included */
    uint64_t operations; /* of the disk, in the steps alone */
    uint64_t fired;      /* calls that failed */
    bool failed;
    char failure[2000];
};

/* What is shared by all stores of a run. */
struct crash_run {
    const struct crash_settings *settings;
    struct crash_report *report;
    struct sim_crash_seen *seen;
    struct world_saves saves;
    uint64_t versions;
    uint32_t numbers;
    uint64_t visits; /* by which the samples are taken */
};

/* A store on a disk: that of the steps, or one that is recovered. */
struct crash_store {
    struct crash_run *run;
    struct sim_disk *disk;
    const struct tarn__os *os; /* the disk's table, or one around it */
    struct os_fault *fault;
    tarn_store *store;
    struct world world;
    unsigned depth;       /* 0: the steps'; 1: of a crash state; 2: of one of its recovery */
    unsigned outstanding; /* asynchronous writes whose callback has not come */
    bool watched;         /* its operations have crash states */
    bool tolerant;        /* calls may fail */
    bool killed;          /* what is to be opened has lost nothing that a process had written */
    bool catalog_unknown; /* no change of the catalog is taken */
};

/* Notes a failure, if it is the first; false. */
bool crash_failed(struct crash_store *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Runs the steps on a new disk. False: report->failure says why. */
bool crash_run(const struct crash_settings *settings, const struct step *steps, size_t count,
               struct crash_report *report);

/* Opens the store, and looks whether it is what its world allows; settles the world. */
bool crash_store_open(struct crash_store *s, enum tarn_load load);
bool crash_store_close(struct crash_store *s);

/* Whether a call that was to fail has failed. */
bool crash_has_failed(struct crash_store *s);

/* Judges the crash states of the moment. */
bool crash_states_judge(struct crash_store *s);

/* Drops steps as long as what is left still fails; returns how many are left. */
size_t crash_shrink(const struct crash_settings *settings, struct step *steps, size_t count);

/* Prints what one needs to see it again. */
void crash_print(const struct crash_settings *settings, const struct step *steps, size_t count,
                 const struct crash_report *report);

#endif
