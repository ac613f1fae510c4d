/*
 * Epochs: what a reader may still look at is never used again, and what nobody can look at soon is.
 */
#include "base/epoch.h"
#include "support/concurrency.h"
#include "support/fixture.h"

#include <sched.h>
#include <string.h>

static size_t blocks_of(struct tarn__epoch *epoch)
{
    struct tarn__section_block *block = &epoch->first;
    size_t count = 0;

    for (; block; block = atomic_load(&block->next))
        count++;
    return count;
}

static size_t sections_entered(struct tarn__epoch *epoch)
{
    size_t count = 0;

    for (struct tarn__section_block *block = &epoch->first; block;
         block = atomic_load(&block->next))
        for (size_t i = 0; i < TARN__SECTIONS_PER_BLOCK; i++)
            count += atomic_load(&block->sections[i].entered) != 0;
    return count;
}

/* ------------------------------------------------------------------------------------------
 * One step after the other
 */

static void stamps_pass_after_two_advances(void **state)
{
    struct tarn__epoch epoch;
    uint64_t stamp;

    (void)state;
    tarn__epoch_init(&epoch);
    for (int i = 0; i < 100; i++) {
        stamp = tarn__epoch_stamp(&epoch);
        expect_number(stamp, tarn__epoch_stamp(&epoch)); /* a stamp does not advance */
        expect_that(!tarn__epoch_passed(&epoch, stamp));
        expect_that(tarn__epoch_advance(&epoch));
        expect_number(stamp + 1, tarn__epoch_stamp(&epoch));
        expect_that(!tarn__epoch_passed(&epoch, stamp));
        expect_that(tarn__epoch_advance(&epoch));
        expect_that(tarn__epoch_passed(&epoch, stamp));
        expect_that(!tarn__epoch_passed(&epoch, stamp + 1));
    }
    tarn__epoch_release(&epoch);
}

static void an_old_section_refuses_the_advance(void **state)
{
    struct tarn__epoch epoch;
    struct tarn__section *section;
    uint64_t stamp;

    (void)state;
    tarn__epoch_init(&epoch);
    for (int i = 0; i < 100; i++) {
        section = tarn__epoch_enter(&epoch);
        expect_number(1, sections_entered(&epoch));
        stamp = tarn__epoch_stamp(&epoch);
        expect_that(tarn__epoch_advance(&epoch)); /* it has seen the present epoch */
        for (int j = 0; j < 10; j++) {
            expect_that(!tarn__epoch_advance(&epoch));
            expect_that(!tarn__epoch_passed(&epoch, stamp));
        }
        tarn__epoch_leave(section);
        expect_number(0, sections_entered(&epoch));
        expect_that(tarn__epoch_advance(&epoch));
        expect_that(tarn__epoch_passed(&epoch, stamp));
    }
    expect_number(1, blocks_of(&epoch));
    tarn__epoch_release(&epoch);
}

/* A thread comes back to its section as long as nobody else has it. */
static void a_thread_uses_its_section_again(void **state)
{
    struct tarn__epoch epoch;
    struct tarn__section *first;

    (void)state;
    tarn__epoch_init(&epoch);
    first = tarn__epoch_enter(&epoch);
    tarn__epoch_leave(first);
    for (int i = 0; i < 100; i++) {
        struct tarn__section *section = tarn__epoch_enter(&epoch);

        assert_ptr_equal(first, section);
        tarn__epoch_leave(section);
    }
    tarn__epoch_release(&epoch);
}

/* ------------------------------------------------------------------------------------------
 * More threads than sections
 */

enum { CROWD = 3 * TARN__SECTIONS_PER_BLOCK + 8 };

struct crowd {
    struct tarn__epoch epoch;
    pthread_barrier_t inside, may_leave, left;
    struct tarn__section *sections[CROWD];
    _Atomic unsigned next;
};

static void *enter_with_the_crowd(void *context)
{
    struct crowd *crowd = context;
    unsigned index = atomic_fetch_add(&crowd->next, 1);

    crowd->sections[index] = tarn__epoch_enter(&crowd->epoch);
    pthread_barrier_wait(&crowd->inside);
    pthread_barrier_wait(&crowd->may_leave);
    tarn__epoch_leave(crowd->sections[index]);
    pthread_barrier_wait(&crowd->left);
    return NULL;
}

static void crowd_enters_and_leaves(struct crowd *crowd)
{
    pthread_t threads[CROWD];

    atomic_store(&crowd->next, 0);
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, enter_with_the_crowd, crowd));
    pthread_barrier_wait(&crowd->inside);
    expect_number(CROWD, sections_entered(&crowd->epoch));
    for (int i = 0; i < CROWD; i++)
        for (int j = 0; j < i; j++)
            expect_that(crowd->sections[i] != crowd->sections[j]);
    expect_that(tarn__epoch_advance(&crowd->epoch));
    expect_that(!tarn__epoch_advance(&crowd->epoch)); /* also for those in the last block */
    pthread_barrier_wait(&crowd->may_leave);
    pthread_barrier_wait(&crowd->left);
    expect_number(0, sections_entered(&crowd->epoch));
    expect_that(tarn__epoch_advance(&crowd->epoch));
    for (int i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
}

static void more_threads_than_sections_are_inside(void **state)
{
    static struct crowd crowd;

    (void)state;
    memset(&crowd, 0, sizeof crowd);
    tarn__epoch_init(&crowd.epoch);
    pthread_barrier_init(&crowd.inside, NULL, CROWD + 1);
    pthread_barrier_init(&crowd.may_leave, NULL, CROWD + 1);
    pthread_barrier_init(&crowd.left, NULL, CROWD + 1);
    for (int round = 0; round < 4; round++) {
        crowd_enters_and_leaves(&crowd);
        /* Blocks that were made are used again. */
        expect_number(CROWD / TARN__SECTIONS_PER_BLOCK + 1, blocks_of(&crowd.epoch));
    }
    pthread_barrier_destroy(&crowd.inside);
    pthread_barrier_destroy(&crowd.may_leave);
    pthread_barrier_destroy(&crowd.left);
    tarn__epoch_release(&crowd.epoch);
}

/* The last section of the last block alone holds the epoch back. */
static void one_section_of_a_later_block_refuses_the_advance(void **state)
{
    static struct tarn__epoch epoch;
    struct tarn__section *sections[TARN__SECTIONS_PER_BLOCK + 1];

    (void)state;
    tarn__epoch_init(&epoch);
    /* By one thread, which is against the rule, but does no harm as it does not read. */
    for (int i = 0; i <= TARN__SECTIONS_PER_BLOCK; i++)
        sections[i] = tarn__epoch_enter(&epoch);
    expect_number(2, blocks_of(&epoch));
    for (int i = 0; i < TARN__SECTIONS_PER_BLOCK; i++)
        tarn__epoch_leave(sections[i]);
    expect_that(tarn__epoch_advance(&epoch));
    expect_that(!tarn__epoch_advance(&epoch));
    tarn__epoch_leave(sections[TARN__SECTIONS_PER_BLOCK]);
    expect_that(tarn__epoch_advance(&epoch));
    tarn__epoch_release(&epoch);
}

static void *enter_and_end(void *context)
{
    struct tarn__epoch *epoch = context;

    for (int i = 0; i < 3; i++)
        tarn__epoch_leave(tarn__epoch_enter(epoch));
    return NULL;
}

static void threads_that_end_leave_nothing(void **state)
{
    struct tarn__epoch epoch;
    pthread_t thread;

    (void)state;
    tarn__epoch_init(&epoch);
    for (int i = 0; i < 500; i++) {
        assert_int_equal(0, pthread_create(&thread, NULL, enter_and_end, &epoch));
        pthread_join(thread, NULL);
        expect_number(0, sections_entered(&epoch));
    }
    expect_number(1, blocks_of(&epoch));
    tarn__epoch_release(&epoch);
}

/* ------------------------------------------------------------------------------------------
 * Readers and a writer that replaces and poisons
 */

enum { WORDS = 16, THINGS = 64, PLACES = 4, POISON = 0xdead };

struct thing {
    uint64_t words[WORDS]; /* all alike, and not poison: plain, so that sanitizers see a race */
    uint64_t stamp;
};

struct exchange {
    struct tarn__epoch epoch;
    _Atomic(struct thing *) places[PLACES];
    struct thing things[THINGS];
    _Atomic uint64_t reads;
};

static void read_things(struct worker *worker)
{
    struct exchange *exchange = worker->context;

    while (contest_goes_on(worker)) {
        struct tarn__section *section = tarn__epoch_enter(&exchange->epoch);
        uint64_t random = random_next(&worker->random);
        struct thing *thing =
            atomic_load_explicit(&exchange->places[random % PLACES], memory_order_acquire);
        uint64_t first = thing->words[0], wrong = 0;

        if (random >> 58 == 0)
            sched_yield(); /* the writer goes on meanwhile */
        for (int i = 0; i < WORDS; i++)
            wrong += thing->words[i] != first || thing->words[i] == POISON;
        tarn__epoch_leave(section);
        atomic_fetch_add_explicit(&exchange->reads, 1, memory_order_relaxed);
        CONTEST_CHECK(worker, wrong == 0, "%d words of what a reader held were written to",
                      (int)wrong);
    }
}

static void fill(struct thing *thing, uint64_t value)
{
    for (int i = 0; i < WORDS; i++)
        thing->words[i] = value;
}

/* Replaces things in turn; the oldest that was replaced is poisoned when its stamp has passed. */
static void replace_things(struct exchange *exchange, struct contest *contest, unsigned rounds)
{
    struct thing *waiting[THINGS], *unused[THINGS];
    size_t first = 0, waits = 0, unused_count = 0;

    for (size_t i = PLACES; i < THINGS; i++)
        unused[unused_count++] = &exchange->things[i];
    for (uint64_t i = 1; i <= rounds && !atomic_load(&contest->stop);) {
        if (unused_count) {
            struct thing *thing = unused[--unused_count];

            fill(thing, i << 16);
            thing = atomic_exchange_explicit(&exchange->places[i % PLACES], thing,
                                             memory_order_acq_rel);
            thing->stamp = tarn__epoch_stamp(&exchange->epoch);
            waiting[(first + waits++) % THINGS] = thing;
            i++;
        }
        (void)tarn__epoch_advance(&exchange->epoch); /* refused is as good */
        while (waits && tarn__epoch_passed(&exchange->epoch, waiting[first]->stamp)) {
            fill(waiting[first], POISON);
            unused[unused_count++] = waiting[first];
            first = (first + 1) % THINGS;
            waits--;
        }
        if (!unused_count)
            sched_yield();
    }
}

static void what_a_reader_holds_is_not_reclaimed(void **state)
{
    static struct exchange exchange;
    struct contest contest = {0};

    (void)state;
    memset(&exchange, 0, sizeof exchange);
    tarn__epoch_init(&exchange.epoch);
    for (int i = 0; i < PLACES; i++) {
        fill(&exchange.things[i], 1);
        atomic_store(&exchange.places[i], &exchange.things[i]);
    }
    contest_add(&contest, 4, read_things, &exchange, 42);
    contest_begin(&contest);
    replace_things(&exchange, &contest, (unsigned)scaled(1000000));
    contest_end(&contest);
    expect_that(atomic_load(&exchange.reads) > 1000);
    expect_number(0, sections_entered(&exchange.epoch));
    tarn__epoch_release(&exchange.epoch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stamps_pass_after_two_advances),
        cmocka_unit_test(an_old_section_refuses_the_advance),
        cmocka_unit_test(a_thread_uses_its_section_again),
        cmocka_unit_test(more_threads_than_sections_are_inside),
        cmocka_unit_test(one_section_of_a_later_block_refuses_the_advance),
        cmocka_unit_test(threads_that_end_leave_nothing),
        cmocka_unit_test(what_a_reader_holds_is_not_reclaimed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
