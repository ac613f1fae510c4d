/* A lock that is handed out in turn: in the order of the asking, and to one at a time. */
#include "base/turn.h"
#include "support/concurrency.h"
#include "support/fixture.h"

#include <sched.h>

enum { WAITING = 6, ROUNDS = 2000 };

static struct tarn__turn turn;
static unsigned order[WAITING], handed_out;

static int set_up(void **state)
{
    (void)state;
    handed_out = 0;
    return tarn__turn_init(&turn) == TARN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tarn__turn_release(&turn);
    return 0;
}

static uint64_t asked(void)
{
    uint64_t count;

    pthread_mutex_lock(&turn.lock);
    count = turn.asked;
    pthread_mutex_unlock(&turn.lock);
    return count;
}

/* Queues as the next one, notes when it has its turn, and asks again at once: a mutex would often
 * go to it again before those that wait. */
static void wait_in_turn(struct worker *worker)
{
    while (asked() != worker->index + 1 && contest_goes_on(worker))
        sched_yield();
    tarn__turn_take(&turn);
    order[handed_out++] = worker->index;
    tarn__turn_give(&turn);
    tarn__turn_take(&turn);
    if (handed_out != WAITING)
        contest_fail(worker, "worker %u was first again", worker->index);
    tarn__turn_give(&turn);
}

static void test_in_the_order_of_asking(void **state)
{
    struct contest contest = {0};

    (void)state;
    tarn__turn_take(&turn);
    contest_add(&contest, WAITING, wait_in_turn, NULL, 1);
    contest_begin(&contest);
    while (asked() != WAITING + 1)
        sched_yield();
    tarn__turn_give(&turn);
    contest_join(&contest, 0, WAITING);
    contest_end(&contest);
    for (unsigned i = 0; i < WAITING; i++)
        expect_number(i, order[i]);
}

static void add_one(struct worker *worker)
{
    unsigned *sum = worker->context;

    for (unsigned i = 0; i < ROUNDS; i++) {
        tarn__turn_take(&turn);
        ++*sum;
        tarn__turn_give(&turn);
    }
}

static void test_one_at_a_time(void **state)
{
    struct contest contest = {0};
    unsigned sum = 0;

    (void)state;
    contest_add(&contest, 4, add_one, &sum, 1);
    contest_begin(&contest);
    contest_join(&contest, 0, 4);
    contest_end(&contest);
    expect_number(4 * ROUNDS, sum);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_in_the_order_of_asking),
        TEST(test_one_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
