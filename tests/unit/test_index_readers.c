/*
 * Readers that take no lock, while one thread changes the index: what is there and stays is always
 * found, and what never was there never is.
 */
#include "support/concurrency.h"
#include "support/fixture.h"
#include "support/index_table.h"

#include <string.h>

static struct index_table table;

enum { STABLE_MAX = 1000000, CHURN = 2000, CHURN_FIRST = 1 << 24, ABSENT_FIRST = 1 << 26 };

static _Atomic uint64_t stable; /* keys below are there, and stay */

static void look_all_the_time(struct worker *worker)
{
    while (contest_goes_on(worker)) {
        uint64_t count = atomic_load_explicit(&stable, memory_order_acquire);
        uint64_t random = random_next(&worker->random);
        uint64_t key = count ? (random & 7 ? random % count : count - 1) : 0;

        if (count)
            CONTEST_CHECK(worker, index_table_look(&table, key) >= 0,
                          "key %llu of %llu was not found", (unsigned long long)key,
                          (unsigned long long)count);
        CONTEST_CHECK(worker, index_table_look(&table, ABSENT_FIRST + random % 100000) == -1,
                      "a key was found that never was there");
        (void)index_table_look(&table, CHURN_FIRST + random % CHURN); /* as it may be */
    }
}

/* Adds keys that stay, renews some, and lets others come and go. */
static void write_under_readers(struct contest *contest, uint64_t keys, unsigned churn)
{
    static bool there[CHURN];
    uint64_t random = 3;

    memset(there, 0, sizeof there);
    for (uint64_t key = 0; key < keys && !atomic_load(&contest->stop); key++) {
        index_table_set(&table, key, 1);
        atomic_store_explicit(&stable, key + 1, memory_order_release);
        index_table_set(&table, random_below(&random, key + 1), random_below(&random, 4000));
        for (unsigned i = 0; i < churn; i++) {
            uint64_t coming = random_below(&random, CHURN);

            if (there[coming])
                index_table_remove(&table, CHURN_FIRST + coming);
            else
                index_table_set(&table, CHURN_FIRST + coming, 1);
            there[coming] = !there[coming];
        }
    }
}

static void readers_find_all_while_the_index_grows(void **state)
{
    struct contest contest = {0};

    (void)state;
    atomic_store(&stable, 0);
    index_table_init(&table, 16, index_table_mix);
    contest_add(&contest, 3, look_all_the_time, NULL, 4);
    contest_begin(&contest);
    write_under_readers(&contest, repeated(STABLE_MAX), 1);
    contest_end(&contest);
    index_table_release(&table);
}

/* Long chains that are lengthened and tidied all the time: lines are used again under readers. */
static void readers_find_all_while_lines_are_used_again(void **state)
{
    struct contest contest = {0};

    (void)state;
    atomic_store(&stable, 0);
    index_table_init(&table, 4, index_table_mix);
    table.fixed = true;
    contest_add(&contest, 3, look_all_the_time, NULL, 5);
    contest_begin(&contest);
    write_under_readers(&contest, 1500, (unsigned)repeated(400));
    contest_end(&contest);
    index_table_release(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_find_all_while_the_index_grows),
        cmocka_unit_test(readers_find_all_while_lines_are_used_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
