/*
 * Durable writes from a loop of libuv, beside whatever else the loop does.
 *
 *     async_libuv DIR        the store's folder; it is made where it is not there
 *
 * The store's descriptor is watched by a uv_poll_t; when it is readable, tarn_events_dispatch()
 * calls back what has become durable. Here an idle handle writes as fast as it can, with at most so
 * many writes outstanding: that bound is the program's own matter.
 */
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "tarn.h"

enum { MEASUREMENTS = 20000, OUTSTANDING_MAX = 1000, AT_A_TIME = 100 };

static tarn_store *store;
static tarn_namespace *measurements;
static uv_poll_t events; /* of the store */
static uv_idle_t source; /* of what is written */
static unsigned written, durable, failed;

static void check(tarn_status status, const char *what)
{
    if (status == TARN_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, tarn_last_error()->message);
    exit(1);
}

static void check_uv(int error, const char *what)
{
    if (error >= 0)
        return;
    fprintf(stderr, "%s: %s\n", what, uv_strerror(error));
    exit(1);
}

/* Called by tarn_events_dispatch(), once for each write that returned TARN_OK. */
static void count_durable(void *context, tarn_status status)
{
    (void)context;
    if (status == TARN_OK)
        durable++;
    else
        failed++;
}

static unsigned outstanding(void)
{
    return written - durable - failed;
}

static void write_some(uv_idle_t *idle)
{
    for (unsigned i = 0; i < AT_A_TIME && written < MEASUREMENTS; i++) {
        char key[32];
        int length = snprintf(key, sizeof key, "measurement-%u", written);

        check(tarn_set_async(measurements, tarn_slice_of(key, (size_t)length),
                             tarn_slice_of(&written, sizeof written), count_durable, NULL, NULL,
                             NULL),
              "writing");
        written++;
    }
    if (written == MEASUREMENTS || outstanding() >= OUTSTANDING_MAX)
        check_uv(uv_idle_stop(idle), "stopping"); /* until some of them are durable */
}

static void on_readable(uv_poll_t *poll, int status, int what)
{
    (void)what;
    check_uv(status, "polling");
    check(tarn_events_dispatch(store, 0, NULL), "dispatching");
    if (written < MEASUREMENTS && outstanding() < OUTSTANDING_MAX) {
        check_uv(uv_idle_start(&source, write_some), "going on");
    } else if (written == MEASUREMENTS && !outstanding()) {
        uv_close((uv_handle_t *)poll, NULL); /* the descriptor goes with the store */
        uv_close((uv_handle_t *)&source, NULL);
    }
}

static void open_store(const char *dir)
{
    const struct tarn_namespace_options options = {
        .size = sizeof options, .engine = TARN_ENGINE_LOG, .sync = TARN_SYNC_NONE};
    struct tarn_slice name = tarn_slice_of("measurements", 12);
    tarn_status status;

    check(tarn_open(dir, NULL, &store), "opening");
    status = tarn_namespace_open(store, name, &measurements);
    if (status == TARN_NAMESPACE_NOT_FOUND)
        status = tarn_namespace_create(store, name, &options, &measurements);
    check(status, "opening the namespace");
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    int descriptor;

    if (argc != 2) {
        fprintf(stderr, "usage: async_libuv DIR\n");
        return 2;
    }
    open_store(argv[1]);
    check(tarn_events_descriptor(store, &descriptor), "making the descriptor");
    check_uv(uv_poll_init(loop, &events, descriptor), "watching the store");
    check_uv(uv_poll_start(&events, UV_READABLE, on_readable), "watching the store");
    check_uv(uv_idle_init(loop, &source), "making the source");
    check_uv(uv_idle_start(&source, write_some), "starting the source");
    check_uv(uv_run(loop, UV_RUN_DEFAULT), "running the loop");
    check_uv(uv_loop_close(loop), "closing the loop");
    tarn_namespace_close(measurements);
    check(tarn_close(store), "closing");
    printf("%u measurements durable, %u failed\n", durable, failed);
    return failed != 0;
}
