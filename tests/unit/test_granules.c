/* The space of locations: runs are taken, found again, given back, and never shared. */
#include "base/granules.h"
#include "support/fixture.h"

static struct tarn__granules granules;

static int set_up(void **state)
{
    (void)state;
    return tarn__granules_init(&granules) ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    tarn__granules_release(&granules);
    return 0;
}

static uint32_t take(uint32_t count, uint32_t wished, void *owner)
{
    uint32_t first = 77;

    expect_ok(tarn__granules_take(&granules, count, wished, owner, &first));
    for (uint32_t i = 0; i < count; i++)
        expect_that(tarn__granules_owner(&granules, first + i) == owner);
    return first;
}

static void test_the_first_free_run(void **state)
{
    int a, b, c;

    (void)state;
    expect_number(0, take(3, TARN__ANY_GRANULE, &a));
    expect_number(3, take(2, TARN__ANY_GRANULE, &b));
    expect_number(5, take(4, TARN__ANY_GRANULE, &c));
    tarn__granules_give(&granules, 3, 2);
    expect_number(9, take(3, TARN__ANY_GRANULE, &a)); /* two are too few */
    expect_number(3, take(2, TARN__ANY_GRANULE, &c));
    tarn__granules_give(&granules, 0, 3);
    expect_number(0, take(1, TARN__ANY_GRANULE, &b));
    expect_number(1, take(2, TARN__ANY_GRANULE, &b));
}

static void test_a_place_that_is_wished(void **state)
{
    int a, b;

    (void)state;
    expect_number(1000, take(10, 1000, &a));
    expect_number(0, take(10, 1005, &b)); /* it is taken */
    expect_number(990, take(10, 990, &b));
    expect_number(10, take(5, TARN__GRANULES_MAX - 5, &b)); /* it is far behind all others */
    expect_number(15, take(5, TARN__GRANULES_MAX - 4, &b)); /* it would go beyond the end */
    expect_number(60000, take(5, 60000, &b));
    expect_number(120000, take(5, 120000, &b)); /* from there it is not so far */
}

static void test_no_place(void **state)
{
    uint32_t first = 77;
    int a;

    (void)state;
    expect_status(TARN_FULL, tarn__granules_take(&granules, TARN__GRANULES_MAX + 1,
                                                 TARN__ANY_GRANULE, &a, &first));
    (void)take(1, 0, &a);
    expect_status(TARN_FULL, tarn__granules_take(&granules, TARN__GRANULES_MAX, TARN__ANY_GRANULE,
                                                 &a, &first));
    expect_number(77, first);
}

/* Against a plain array. */
static void test_random_runs(void **state)
{
    uint64_t random = environment_number("TARN_SEED", 1);
    struct {
        uint32_t first, count;
    } runs[40] = {{0}};

    (void)state;
    for (unsigned step = 0; step < 20000; step++) {
        unsigned at = (unsigned)random_below(&random, 40);
        uint32_t wished =
            random_below(&random, 2) ? TARN__ANY_GRANULE : (uint32_t)random_below(&random, 300);

        if (runs[at].count) {
            for (uint32_t i = 0; i < runs[at].count; i++)
                expect_that(tarn__granules_owner(&granules, runs[at].first + i) == &runs[at]);
            tarn__granules_give(&granules, runs[at].first, runs[at].count);
            runs[at].count = 0;
        } else {
            runs[at].count = 1 + (uint32_t)random_below(&random, 12);
            runs[at].first = take(runs[at].count, wished, &runs[at]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_first_free_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_place_that_is_wished, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_random_runs, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("granules", tests, NULL, NULL);
}
